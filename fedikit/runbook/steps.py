"""A run as it goes: one step after the other, each with its progress line, its advice if it fails, and its record."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError
from fedikit.events import Event, StepFinished, StepStarted
from fedikit.runbook.arguments import find_file
from fedikit.runbook.guidance import (
    InvalidInput,
    RunbookError,
    StepFailed,
    StepStopped,
    advice_for,
    show_advice,
)
from fedikit.runbook.history import expected_steps
from fedikit.runbook.notes import Notes
from fedikit.runbook.own_record import OwnRecord
from fedikit.runbook.parameters import RunbookParameters
from fedikit.runbook.past import last_of
from fedikit.runbook.progress import ProgressLine
from fedikit.runbook.record import RUNBOOK
from fedikit.runbook.summary import Heading, NothingDone, StepTaken, Summary, show_timeline


class Steps:
    """The steps of one run, from its heading to its summary."""

    def __init__(
        self, parameters: RunbookParameters, *, record: Path | None = None, own: OwnRecord | None = None
    ) -> None:
        self.parameters = parameters
        self.record = own.folder if own else record
        self._own = own
        self._earlier = own.earlier() if own else []
        self._notes = Notes(self.record)
        self._line: ProgressLine | None = None
        self._inside = ""
        self._steps: list[StepTaken] = []
        self._planned = ""

    @property
    def is_dry_run(self) -> bool:
        """Whether this run stops before it changes anything."""
        return bool(self.parameters.is_dry_run)

    def path_of(self, parameter: str) -> Path:
        """The file that a parameter names."""
        return find_file(getattr(self.parameters, parameter))

    def hide(self, secrets: Iterable[str]) -> None:
        """Keeps these out of what the run itself writes and shows, should anything ever let one slip."""
        self._notes.hide(secrets)

    def tell(self, event: Event) -> None:
        """Takes an event: into the record, and onto the cell's progress line."""
        if isinstance(event, StepStarted | StepFinished) and event.step == self._inside:
            return  # the library's part of the step has the same name as the step
        event = self._notes.take(event)
        if self._line:
            self._line(event)

    @contextmanager
    def step(self, name: str, *, total: int = 0) -> Iterator[None]:
        """Runs a block as a step; if it fails, the error says which runbook helps next.

        `total`: how many items or checks it is about, for its progress line.
        """
        with self._own.at_work() if self._own else nullcontext():
            started = self._start(name, total)
            try:
                yield
            except FedikitError as error:
                self._end(name, started, error)
                kind = InvalidInput if error.exit_status == 2 else StepFailed
                message, hint = self._notes.scrubbed(error.headline), self._notes.scrubbed(error.hint)
                raise kind(self.parameters.runbook, name, message, hint=hint) from error
            except KeyboardInterrupt as error:
                self._end(name, started, error)
                raise StepStopped(self.parameters.runbook, name) from error
            except BaseException as error:
                self._end(name, started, error)
                raise
            self._end(name, started, None)

    def summary(self) -> Summary:
        """Sums up the steps taken; refuses to if a secret has slipped into the record."""
        self._refuse_leaks()
        if self._own and all(step.outcome != "failed" for step in self._last_steps()):
            self._own.succeed()
        told = tuple(self._notes.told)
        return Summary(self.parameters, tuple(self._steps), planned=self._planned, events=told)

    def _repr_html_(self) -> str:
        return self._heading()._repr_html_()

    def __repr__(self) -> str:
        return repr(self._heading())

    def _heading(self) -> Heading:
        return Heading(self.parameters, self.record, last=last_of(self._earlier, self.parameters.runbook))

    def _start(self, name: str, total: int) -> float:
        self.tell(StepStarted(step=name))
        self._inside, self._line = name, ProgressLine(name, total=total, usual=self._usual(name, total))
        return time.monotonic()

    def _usual(self, name: str, total: int) -> float | None:
        """How long the step takes as a rule; applying takes as long as there is much to change."""
        parameters = self.parameters.model_dump(mode="json")
        changes = total if name == "apply" else None
        return expected_steps(self._earlier, self.parameters.runbook, parameters, changes=changes).get(name)

    def _end(self, name: str, started: float, error: BaseException | None) -> None:
        seconds = round(time.monotonic() - started, 3)
        self._steps.append(StepTaken(name, seconds, "failed" if error else "done"))
        line, self._inside, self._line = self._line, "", None
        self.tell(StepFinished(step=name, seconds=seconds, failed=error is not None))
        if line:
            line.end(seconds, self._notes.scrubbed(_first_line(error)) if error else "")
        if error and self._own:
            self._own.fail(error, self._notes.scrubbed(_words(error)), name)
        if error:
            show_timeline(self._notes.told)
            show_advice(advice_for(self.parameters.runbook, name), base=self._base())

    def _base(self) -> str:
        """Where runbooks are, as seen from the notebook that is being saved."""
        source = os.environ.get(RUNBOOK)
        if self.record is None or source is None:
            return ""
        return os.path.relpath(Path(source).parent, self.record) + "/"

    def _refuse_leaks(self) -> None:
        if leaks := self._notes.leaks():
            names = ", ".join(sorted({leak.path.name for leak in leaks}))
            hint = "delete the record, raise the secret's version, and deploy again; this should never happen"
            error = RunbookError(f"a secret stands in the record: {names}", hint=hint)
            if self._own:
                self._own.fail(error, error.headline)
            raise error

    def _last_steps(self) -> Iterable[StepTaken]:
        """Each step as it went the last time: a person may run a cell again."""
        return {step.name: step for step in self._steps}.values()

    def _pass_over(self, name: str) -> NothingDone:
        self._steps.append(StepTaken(name, 0.0, "not done: dry run"))
        return NothingDone(name)

    def _require(self, holds: bool, seen: Any, message: str, *, hint: str = "") -> None:
        if not holds:
            self._show(seen)
            raise FedikitError(message, hint=hint)

    @staticmethod
    def _show(value: Any) -> None:
        from IPython.display import display

        display(value)  # type: ignore[no-untyped-call]


def _first_line(error: BaseException) -> str:
    return _words(error).partition("\n")[0]


def _words(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    return error.headline if isinstance(error, FedikitError) else f"{type(error).__name__}: {error}"
