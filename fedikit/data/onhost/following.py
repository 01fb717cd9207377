"""What an application wants run once its data was put back, with its units up.

Where data was put back and somebody else starts the units, it is owed, which is written down until it has run.
"""

from pathlib import Path

from . import command
from .places import remove_whole, write_whole
from .trouble import Trouble
from .work import Work

FILE = "owes-what-follows"


def run_what_follows(work: Work) -> list[str]:
    """Runs it, one after the other, and owes nothing any more; raises Trouble at the first that fails. Its names."""
    for after in work.settings.after:
        with work.telling.step(after["name"]):
            ended = command.run(after["run"], seconds=after["deadline"])
            if ended.status != 0:
                words = f"`{after['name']}`, which follows a restore, failed with status {ended.status}"
                hint = "the data is restored; see the last lines, and do the same again to repeat this"
                raise Trouble(words, hint=hint, tail=ended.tail or ended.output)
    remove_whole(work.state / FILE)
    return [after["name"] for after in work.settings.after]


def owe_what_follows(state: Path) -> None:
    write_whole(state / FILE, "")


def run_what_is_owed(work: Work) -> list[str]:
    """Runs it if it is owed; its names."""
    return run_what_follows(work) if (work.state / FILE).exists() else []
