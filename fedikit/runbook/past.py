"""What a run left, shown again: after a lost tab, a restarted kernel, or a weekend."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedikit.display.markup import line, shown, styled
from fedikit.display.timeline import timeline_svg
from fedikit.errors import FedikitError
from fedikit.results.plan import Plan
from fedikit.results.report import Report
from fedikit.results.verdict import Verdict
from fedikit.runbook.own_record import records_here
from fedikit.runbook.record import Record, RunStatus, list_records

_SIGNS = {RunStatus.SUCCEEDED: ("✔", "bold green"), RunStatus.RUNNING: ("…", "bold")}


@dataclass(frozen=True)
class PastRun:
    """A run as its record tells it; draws itself in a notebook."""

    record: Record

    @property
    def sentence(self) -> str:
        """Which run it was, and how it ended."""
        result = self.record.result
        mode = " (dry run)" if result and result.dry_run else ""
        step = f" in {result.failed_step}" if result and result.failed_step else ""
        return f"{self.record.folder.name}{mode}: {self.record.status}{step}"

    @property
    def reason(self) -> str:
        return self.record.result.reason if self.record.result else ""

    def __repr__(self) -> str:
        texts = [bundle["text/plain"] for bundle in self._bundles()]
        return "\n".join(filter(None, [self.sentence, self.reason, *texts]))

    def _repr_html_(self) -> str:
        sign, style = _SIGNS.get(self.record.status, ("✘", "bold red"))
        head = shown(line(styled(f"{sign} {self.sentence}", style)), line(styled(self.reason)))
        parts = [bundle["text/html"] for bundle in self._bundles()]
        return "".join([head, *parts, timeline_svg(self.record.events)])

    def _bundles(self) -> Iterator[dict[str, str]]:
        """What was done and what was seen then; the plan, if it did not come to that."""
        from fedikit.display.drawing import mimebundle  # slow to import, and needed only where somebody looks

        kinds: dict[str, type[Report | Verdict]] = {"report.json": Report, "verdict.json": Verdict}
        found = [kind.model_validate_json(text) for name, kind in kinds.items() if (text := self._file(name))]
        if not found and (text := self._file("plan.json")):
            yield mimebundle(Plan.model_validate_json(text))
        yield from map(mimebundle, found)

    def _file(self, name: str) -> bytes:
        file = self.record.folder / name
        return file.read_bytes() if file.exists() else b""


def last_run(runbook: str = "", *, records: Path | None = None) -> PastRun:
    """The last run of a runbook, or of any; raises FedikitError if there is none."""
    folder = records or records_here()
    last = last_of(list_records(folder), runbook)
    if last is None:
        raise FedikitError(f"{folder} holds no run of {runbook or 'any runbook'}")
    return last


def last_of(records: Sequence[Record], runbook: str = "") -> PastRun | None:
    """The newest of them that ended, goes on, or was cut off while hosts were changed; not one that only began."""
    alike = (record for record in reversed(records) if runbook in ("", record.runbook))
    return next((PastRun(record) for record in alike if _has_come_to_something(record)), None)


def _has_come_to_something(record: Record) -> bool:
    begun = ({"event": "StepStarted", "step": "apply"}.items() <= event.items() for event in record.events)
    return record.status is not RunStatus.UNFINISHED or any(begun)
