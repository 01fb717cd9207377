"""What an application wants run once its data was put back, with its units up."""

from . import command
from .trouble import Trouble
from .work import Work


def run_what_follows(work: Work) -> None:
    """Runs it, one after the other; raises Trouble at the first that fails."""
    for after in work.settings.after:
        with work.telling.step(after["name"]):
            ended = command.run(after["run"], seconds=after["deadline"])
            if ended.status != 0:
                words = f"`{after['name']}`, which follows a restore, failed with status {ended.status}"
                hint = "the data is restored; see the last lines, and run the restore again to repeat this"
                raise Trouble(words, hint=hint, tail=ended.tail or ended.output)
