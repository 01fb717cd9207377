"""What a runbook's cells show of the run itself: its heading, what a dry run left out, its summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedikit.display.markup import shown, styled, table
from fedikit.display.timeline import timeline_svg
from fedikit.runbook.guidance import ASIDE
from fedikit.runbook.parameters import RunbookParameters
from fedikit.runbook.past import PastRun


@dataclass(frozen=True)
class StepTaken:
    """A step of a run and how it ended."""

    name: str
    seconds: float
    outcome: str


@dataclass(frozen=True)
class Heading:
    """What will be done, to read before the rest is run."""

    parameters: RunbookParameters
    record: Path | None
    last: PastRun | None = None
    """The run before this one, if it is known."""

    def __repr__(self) -> str:
        lines = [f"  {name} = {value}" for name, value in self._rows()]
        return "\n".join([f"{self.parameters.runbook}: {_mode(self.parameters)}", *lines])

    def _repr_html_(self) -> str:
        return shown(
            styled(self.parameters.runbook, "bold"), f": {styled(_mode(self.parameters))}", _table(self._rows())
        )

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(name, str(value)) for name, value in self.parameters.model_dump(mode="json").items()]
        rows += [("record", self.record.name)] if self.record else []
        call = f"runbook.last_run({self.parameters.runbook!r})"
        return [*rows, ("the last run", f"{self.last.sentence}; {call} shows it")] if self.last else rows


@dataclass(frozen=True)
class NothingDone:
    """Stands for the report or the verdict of a step that a dry run leaves out."""

    step: str

    def __repr__(self) -> str:
        return f"dry run: {self.step} was left out, nothing was changed"

    def _repr_html_(self) -> str:
        return shown(styled(repr(self)))


@dataclass(frozen=True)
class Summary:
    """The steps of a run, and what to do now."""

    parameters: RunbookParameters
    steps: tuple[StepTaken, ...]
    planned: str = ""
    """The digest of the plan, if one was made."""
    events: tuple[dict[str, Any], ...] = ()
    """What was told, as the record has it."""

    def __repr__(self) -> str:
        lines = [f"  {name:<12} {outcome}" for name, outcome in self._rows()]
        return "\n".join([self._sentence(), *lines])

    def _repr_html_(self) -> str:
        return shown(styled(self._sentence(), "bold"), _table(self._rows())) + timeline_svg(self.events)

    def _sentence(self) -> str:
        runbook = self.parameters.runbook
        if self.parameters.is_dry_run:
            return f"{runbook}: dry run, nothing was changed. To apply: dry_run = False, and run from the top."
        failed = [step.name for step in self.steps if step.outcome == "failed"]
        return f"{runbook}: {', '.join(failed)} failed." if failed else f"{runbook}: done."

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            (step.name, f"{step.outcome}, {step.seconds:.1f} s" if step.seconds else step.outcome)
            for step in self.steps
        ]
        return (
            [*rows, ("exactly this", f"agreed={self.planned}")] if self.parameters.is_dry_run and self.planned else rows
        )


def show_timeline(events: Sequence[dict[str, Any]]) -> None:
    """Shows in the notebook what was done when, where a host was at work; a terminal has shown it while it went on."""
    from IPython.display import display

    if any("host" in event for event in events):
        bundle = {"text/plain": "what was done when: a picture", "text/html": timeline_svg(events)}
        display(bundle, raw=True, metadata=ASIDE)  # type: ignore[no-untyped-call]


def _mode(parameters: RunbookParameters) -> str:
    match parameters.is_dry_run:
        case None:
            return "looks only, changes nothing"
        case True:
            return "dry run, nothing will be changed"
        case _:
            return "will change hosts"


def _table(rows: list[tuple[str, str]]) -> str:
    return table([styled(name), styled(value)] for name, value in rows)
