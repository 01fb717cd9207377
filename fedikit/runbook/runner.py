"""Runs a runbook from outside a notebook, strictly, and keeps the record.

Exit statuses: 0 the run succeeded, 1 a step failed, 2 mistakes in what a person wrote (parameters,
configuration), 3 it took longer than it was given, 4 the kernel died, 128 + N stopped by signal N (130 by
SIGINT, 143 by SIGTERM).

Wrong parameters are refused before there is a record. What a run ended with is judged here, by what papermill
raised, never by what it wrote into the notebook.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedikit.errors import FedikitError
from fedikit.events import Tell, tell_nobody
from fedikit.runbook.arguments import check_files, check_parameters
from fedikit.runbook.follow import Follower, following
from fedikit.runbook.notebook import RunbookFile, find_runbook
from fedikit.runbook.parameters import RunbookParameters
from fedikit.runbook.record import (
    RECORD,
    RUNBOOK,
    RunResult,
    RunStatus,
    circumstances,
    close_record,
    held,
    open_record,
    read_events,
)
from fedikit.runbook.stopping import StopRequest

if TYPE_CHECKING:
    from fedikit.runbook.execution import Ending

LONGEST = 7200.0  # seconds; a run that is given no deadline of its own gets this one


def run_runbook(
    name_or_path: str | Path,
    parameters: Mapping[str, Any] | RunbookParameters | None = None,
    *,
    records: Path = Path("runs"),
    timeout: float | None = None,
    tell: Tell = tell_nobody,
    show: Callable[[str], None] | None = None,
    opened: Callable[[Path], None] | None = None,
) -> RunResult:
    """Runs a runbook in a kernel of its own, where you are, and says how that ended.

    `parameters` are checked before anything starts (ConfigurationError). `timeout` is for the whole run, in
    seconds. `tell` gets the events while they happen, from a thread of its own, `show` the text of
    what cells display, `opened` the folder of the record as soon as it is there.
    """
    runbook = find_runbook(name_or_path)
    checked = _checked(runbook, parameters)
    folder = open_record(records, runbook.name, checked).absolute()
    started = datetime.now(UTC)
    with held(folder):
        if opened:
            opened(folder)
        with following(folder / "events.ndjson", tell) as follower:
            stop = StopRequest(timeout or LONGEST)
            ending = _execute(runbook, checked, folder, stop=stop, show=_after_events(follower, show))
        result = _result(runbook, checked, ending, started=started, folder=folder)
        _close(folder, result)
    return result


def _close(folder: Path, result: RunResult) -> None:
    """Writes the result; where that cannot be done, the error says it."""
    try:
        close_record(folder, result)
    except FedikitError as error:
        ended = f"{result.status}{f' in {result.failed_step}' if result.failed_step else ''}"
        reason = f" ({result.reason.splitlines()[0]})" if result.reason else ""
        raise FedikitError(f"{result.runbook}: {ended}{reason}; but {error.message}", hint=error.hint) from error


def _checked(runbook: RunbookFile, parameters: Mapping[str, Any] | RunbookParameters | None) -> RunbookParameters:
    if isinstance(parameters, RunbookParameters):
        parameters = parameters.model_dump(mode="json")
    checked = check_parameters(runbook.model, parameters or {})
    check_files(checked)
    return checked


def _execute(
    runbook: RunbookFile,
    parameters: RunbookParameters,
    folder: Path,
    *,
    stop: StopRequest,
    show: Callable[[str], None],
) -> "Ending":
    environment = {**_without_here(os.environ), RECORD: str(folder), RUNBOOK: str(runbook.path.absolute())}
    with stop.listening():
        from fedikit.runbook.execution import execute  # slow: brings papermill

        values = parameters.model_dump(mode="json")
        output = folder / f"{runbook.name}.ipynb"
        return execute(runbook.path, output, parameters=values, environment=environment, stop=stop, show=show)


def _without_here(variables: Mapping[str, str]) -> dict[str, str]:
    """The same without the current folder on Python's path: an empty entry there, as a stray colon makes, means it."""
    entries = [entry for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if Path(entry) != Path()]
    return {**variables, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(entries)}


def _after_events(follower: Follower, show: Callable[[str], None] | None) -> Callable[[str], None]:
    """Shows a text after the events that came before it."""

    def show_in_order(text: str) -> None:
        follower.catch_up()
        if show:
            show(text)

    return show_in_order


def _result(
    runbook: RunbookFile, parameters: RunbookParameters, ending: "Ending", *, started: datetime, folder: Path
) -> RunResult:
    return RunResult(
        runbook=runbook.name,
        status=ending.status,
        exit_status=ending.exit_status,
        reason=ending.reason,
        failed_step="" if ending.status is RunStatus.SUCCEEDED else _failed_step(folder),
        dry_run=parameters.is_dry_run,
        started=started,
        runbook_sha256=runbook.sha256,
        folder=folder,
        **circumstances(),
    )


def _failed_step(folder: Path) -> str:
    """The last step that failed, or that began and never ended."""
    open_or_failed = ""
    for event in read_events(folder)[0]:
        match event:
            case {"event": "StepStarted", "step": step} | {
                "event": "StepFinished",
                "step": step,
                "failed": True,
            }:
                open_or_failed = step
            case {"event": "StepFinished", "failed": False}:
                open_or_failed = ""
    return open_or_failed
