"""The verb `prove`, which comes with the lab, for it takes machines without a way out. It prints."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from fedikit.display.progress import StandardError, TerminalProgress
from fedikit.display.terminal import printed
from fedikit.events import Tell
from fedikit.results.proof import Proof
from fedikit_lab.prove_run import Proven, prove_each


@click.command()
@click.argument("configuration", default="configuration.json", type=click.Path(path_type=Path))
@click.option(
    "--environment", "-e", required=True, type=click.Path(path_type=Path), envvar="FEDIKIT_ENVIRONMENT",
    show_envvar=True, help="The provider's file: hosts and policies.",
)  # fmt: skip
@click.option("--application", multiple=True, metavar="NAME", help="Only this application; may be given again.")
@click.option(
    "--at", metavar="TIME", default="", help="The newest backup of that time or day, or the one of this name."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
def prove(configuration: Path, environment: Path, application: tuple[str, ...], at: str, as_json: bool) -> None:
    """Restore backups into a lab, to prove that it can be done."""
    _end_in_order()
    proofs = []
    with _progress() as tell:
        for proven in prove_each(configuration, environment, application, at=at, tell=tell):
            _print(proven, lines=not as_json)
            proofs.append(proven.proof)
    if as_json:
        click.echo(json.dumps([_told(proof) for proof in proofs], indent=1))
    sys.exit(int(not all(proof.succeeded for proof in proofs)))


@contextmanager
def _progress() -> Iterator[Tell]:
    progress = TerminalProgress(StandardError())
    try:
        yield progress
    finally:
        progress.close()


def _print(proven: Proven, *, lines: bool) -> None:
    for note in proven.notes:
        click.echo(f"note: {note}", err=True)
    for line in printed(proven.proof) if lines else ():
        click.echo(line)


def _told(proof: Proof) -> dict[str, object]:
    return {**proof.model_dump(mode="json"), "succeeded": proof.succeeded, "findings": list(proof.findings)}


def _end_in_order() -> None:
    """Whoever ends this by a signal has the machines taken down first, once and for all."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, frame: FrameType | None) -> None:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)
