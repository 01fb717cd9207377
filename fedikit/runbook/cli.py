"""The commands `fedikit run` and `fedikit runs`."""

import gc
import sys
from pathlib import Path

import click
from rich.console import Console

from fedikit.display.progress import TerminalProgress
from fedikit.runbook.arguments import assemble
from fedikit.runbook.notebook import find_runbook
from fedikit.runbook.parameters import RunbookParameters
from fedikit.runbook.record import Record, RunResult, RunStatus, list_records
from fedikit.runbook.runner import LONGEST, run_runbook

_RECORDS = click.option(
    "--records",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Where the records of runs are kept.",
)


@click.command()
@click.argument("runbook")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--parameters",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML or JSON file with parameters; NAME=VALUE goes over it.",
)
@_RECORDS
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=LONGEST,
    show_default=True,
    help="Seconds that the whole run may take.",
)
def run(runbook: str, parameters: tuple[str, ...], file: Path | None, records: Path, timeout: float) -> None:
    """Run a runbook, and keep its record. It is deploy, verify, remove, rollback, upgrade, or a notebook's path.

    It changes nothing unless you say dry_run=false. Exits with 0 if it succeeded, 1 if a step failed, 2 on
    mistakes in parameters or files, 3 if it took too long, 4 if the kernel died, 130 or 143 if interrupted.
    """
    checked = assemble(find_runbook(runbook).model, parameters, file=file)
    result = _run(runbook, checked, records=records, timeout=timeout)
    _report(result)
    gc.freeze()  # looking for garbage at the very end would take a fifth of a second
    sys.exit(result.exit_status)


@click.command()
@_RECORDS
def runs(records: Path) -> None:
    """List the records of runs, oldest first."""
    for record in list_records(records):
        click.echo(_row(record))


def _run(runbook: str, parameters: RunbookParameters, *, records: Path, timeout: float) -> RunResult:
    """Runs it with its events on standard error and what its cells display on standard output."""
    progress = TerminalProgress(Console(stderr=True))

    def show(text: str) -> None:
        progress.close()
        click.echo(f"{text}\n")

    try:
        return run_runbook(runbook, parameters, records=records, timeout=timeout, tell=progress, show=show)
    finally:
        progress.close()


def _report(result: RunResult) -> None:
    words = "" if result.has_succeeded else f" in {result.failed_step}" * bool(result.failed_step)
    click.echo(f"{result.runbook}: {result.status}{words}. Record: {_near(result.notebook)}")
    if result.reason:
        click.echo(result.reason, err=True)


def _near(path: Path) -> Path:
    """The path as seen from here, where that is shorter."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _row(record: Record) -> str:
    result = record.result
    mode = "dry run" if result and result.dry_run else ""
    return f"{record.folder.name:<32} {record.status:<12} {mode:<8} {_remark(record)}".rstrip()


def _remark(record: Record) -> str:
    if record.result:
        return record.result.failed_step
    remarks = {
        RunStatus.UNFINISHED: "its runner ended before it could say how",
        RunStatus.UNREADABLE: "its result is damaged, or another version's",
    }
    return remarks.get(record.status, "")
