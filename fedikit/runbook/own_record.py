"""The record of a run whose cells a person runs, one after the other: nobody stands outside who could keep it.

It has a result when the run failed, or came to its summary; while a step goes on, the record says that the run does.
"""

import hashlib
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from fedikit.errors import FedikitError
from fedikit.runbook.arguments import project
from fedikit.runbook.front_end import open_notebook
from fedikit.runbook.guidance import RunbookError, show_note
from fedikit.runbook.parameters import RunbookParameters
from fedikit.runbook.record import (
    Record,
    RunResult,
    RunStatus,
    circumstances,
    close_record,
    held,
    list_records,
    open_record,
)


class OwnRecord:
    """A record that its own run keeps."""

    def __init__(self, folder: Path, parameters: RunbookParameters) -> None:
        self.folder = folder
        self._parameters = parameters
        self._started = datetime.now(UTC)

    @classmethod
    def open(cls, parameters: RunbookParameters) -> "OwnRecord":
        """Begins one in the project's `runs`."""
        try:
            return cls(open_record(records_here(), parameters.runbook, parameters).absolute(), parameters)
        except FedikitError as error:
            hint = "start JupyterLab in a folder where you may write"
            raise RunbookError(f"no record can be kept: {error.message}", hint=hint) from None

    def earlier(self) -> list[Record]:
        """The records of other runs, oldest first; none if their folder cannot be looked into."""
        try:
            return [record for record in list_records(self.folder.parent) if record.folder != self.folder]
        except FedikitError:
            return []

    def at_work(self) -> AbstractContextManager[None]:
        """Marks the run as going on."""
        return held(self.folder)

    def succeed(self) -> None:
        self._close(RunStatus.SUCCEEDED)

    def fail(self, error: BaseException, reason: str, step: str = "") -> None:
        """Says how it ended; if the person mends it and goes on, what comes then is said instead."""
        match error:
            case KeyboardInterrupt():
                self._close(RunStatus.INTERRUPTED, 130, reason, step)
            case FedikitError(exit_status=2):
                self._close(RunStatus.INVALID, 2, reason, step)
            case _:
                self._close(RunStatus.FAILED, 1, reason, step)

    def _close(self, status: RunStatus, exit_status: int = 0, reason: str = "", step: str = "") -> None:
        source = open_notebook()
        content = source.read_bytes() if source and source.is_file() else b""
        result = RunResult(
            runbook=self._parameters.runbook,
            status=status,
            exit_status=exit_status,
            reason=reason,
            failed_step=step,
            dry_run=self._parameters.is_dry_run,
            started=self._started,
            runbook_sha256=hashlib.sha256(content).hexdigest() if content else "",
            source=str(source or ""),
            **circumstances(),
        )
        try:
            close_record(self.folder, result)
        except FedikitError as error:
            show_note(f"{error.message}; the run ended as {status}")


def records_here() -> Path:
    """Where runs from here leave their records."""
    return project() / "runs"
