"""What the verbs print, and how a command ends."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click
from pydantic import BaseModel

from fedikit.cli.stopping import Witness, end_by, heed_signals

if TYPE_CHECKING:
    from fedikit.events import Event, Tell
    from fedikit.results.migration import MigrationPlan


@contextmanager
def listening() -> Iterator["Tell"]:
    """Draws what happens while it happens; who stops it is told how far it came, and it ends at once."""
    witness = Witness()
    heed_signals(witness)
    with drawing() as draw:

        def tell(event: "Event") -> None:
            witness(event)
            draw(event)

        yield tell


@contextmanager
def drawing() -> Iterator["Tell"]:
    """Draws what happens while it happens, and clears its line at the end; what is at work is taken apart on Ctrl-C."""
    from fedikit.display.progress import StandardError, TerminalProgress

    progress = TerminalProgress(StandardError())
    try:
        yield progress
    finally:
        progress.close()


def get_ready_to_present() -> None:
    """Imports what draws, slow as it is, while the hosts are asked."""
    import_meanwhile("fedikit.display.plans")


def import_meanwhile(*modules: str) -> None:
    """Imports what is slow to import and needed a moment later, while there is something else to wait for."""
    threading.Thread(target=lambda: [import_module(module) for module in modules]).start()


def present(value: BaseModel, *, as_json: bool, whole: bool = False) -> None:
    """Prints a result; on a terminal its lines wrap, elsewhere each is whole. `whole`: nothing of it is left out."""
    if as_json:
        say([json.dumps(value.model_dump(mode="json"), indent=1)])
        return
    from fedikit.display.terminal import printed

    say(printed(value, whole=whole))


def is_attended() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def require_consent(ask: Callable[[], bool]) -> None:
    """Goes on only if somebody on a terminal says yes; else the process ends, with nothing changed."""
    if not _consents(ask):
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)


def require_agreement(plan: "MigrationPlan", question: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Shows a plan, and goes on only if there is something to do and somebody wants it done; else the process ends."""
    if not as_json or dry_run or not plan.has_changes:
        present(plan, as_json=as_json)
    if dry_run or not plan.has_changes:
        finish(not plan.has_errors)
    if not yes:
        require_consent(lambda: click.confirm(question, default=False, err=True))


def _consents(ask: Callable[[], bool]) -> bool:
    if not is_attended():
        click.echo("There is nobody to ask: give --yes to do it.", err=True)
        return False
    try:
        return ask()
    except click.Abort:  # the end of the input is no yes
        click.echo(err=True)
        return False


def say(lines: Iterable[str]) -> None:
    """Prints lines on standard output; nobody there to read them ends the process."""
    try:
        click.echo("".join(f"{line}\n" for line in lines), nl=False)  # in one go: each would be flushed by itself
        sys.stdout.flush()
    except BrokenPipeError:
        end_by(signal.SIGPIPE, None)


def complain(words: str) -> None:
    """Says on standard error what went wrong; a terminal gets lines that are broken between words."""
    label = "error:"
    lines = f"{label} {words}".splitlines()
    if sys.stderr.isatty():
        lines = _broken(lines, os.get_terminal_size(sys.stderr.fileno()).columns)
    click.echo(
        "\n".join([click.style(label, fg="red", bold=True) + lines[0].removeprefix(label), *lines[1:]]), err=True
    )


def _broken(lines: list[str], width: int) -> list[str]:
    from rich.text import Text

    from fedikit.display.lines import wrapped  # takes its time, and is needed only where something failed
    from fedikit.display.terminal import LEAST_WIDTH

    return [part.plain.rstrip() for line in lines for part in wrapped(Text(line), max(LEAST_WIDTH, width))]


def finish(status: bool | int) -> NoReturn:
    """Ends the process at once: to take apart first all that was imported would only make somebody wait.

    With 0 or 1 as something succeeded or not, or with the exit status that is given.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(not status) if isinstance(status, bool) else status)
