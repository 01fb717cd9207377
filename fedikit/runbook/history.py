"""How long a run will take, from earlier runs of the same runbook.

Guesses are by step: the median of the last five runs of the same kind that ended well. A run that is
known to change much is guessed by those that changed as much, by the number of items, within a factor of three.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from fedikit.runbook.record import Record, RunStatus

LATEST = 5
LOOKED_AT = 25
"""How many runs of a kind are looked at, for five of them that changed as much."""
SIMILAR = 3.0
STEPS = ("pre-checks", "plan", "apply", "verify")
"""The steps of runbooks, in their order."""
NAMES = {"act": "apply"}
"""What steps were called in earlier records."""


@dataclass(frozen=True)
class _Past:
    """What is worth knowing of a run that ended."""

    kind: tuple[Any, ...]
    steps: tuple[tuple[str, float], ...]
    changes: int | None


def expected_seconds(
    records: Sequence[Record], runbook: str, parameters: Mapping[str, Any], *, changes: int | None = None
) -> float | None:
    """How long a run is expected to take from its first step to its last; None if nobody knows.

    `records`: oldest first. `changes`: how many items it would change, if that is known from its plan.
    """
    usual = expected_steps(records, runbook, parameters, changes=changes)
    return sum(usual.values()) if usual else None


def expected_steps(
    records: Sequence[Record], runbook: str, parameters: Mapping[str, Any], *, changes: int | None = None
) -> dict[str, float]:
    """How long each step of a run is expected to take; empty if nobody knows."""
    return _usual(_alike(records, runbook, parameters), changes)


def remaining_seconds(record: Record, earlier: Sequence[Record], now: datetime) -> float | None:
    """How long a run will still go on; None if nobody knows, never below zero.

    A step that takes longer than usual is thought to end at any moment: it adds nothing to what comes after it.
    """
    events = record.events
    done, begun = {name for name, _ in _ended(events)}, _begun(events)
    changes = _changes_in(events) if "plan" in done else None
    usual = expected_steps(earlier, record.runbook, record.parameters, changes=changes)
    if not usual:
        return None
    ahead = {name: seconds for name, seconds in usual.items() if name not in done and not _is_past(name, begun)}
    passed = {name: (now - began).total_seconds() for name, began in begun.items()}
    return sum(max(0.0, min(seconds, seconds - passed.get(name, 0.0))) for name, seconds in ahead.items())


def durations(records: Sequence[Record], runbook: str) -> tuple[tuple[datetime, float], ...]:
    """When runs of a runbook began that ended well and were not dry, and how many seconds each took; oldest first."""
    results = [record.result for record in records if record.runbook == runbook]
    return tuple(
        (result.started, result.seconds) for result in results if result and result.has_succeeded and not result.dry_run
    )


def _alike(records: Sequence[Record], runbook: str, parameters: Mapping[str, Any]) -> list[_Past]:
    """Earlier runs of the same runbook and environment that ended well, as dry as this one; the latest first."""
    ended = (one for one in reversed(records) if one.runbook == runbook and one.status is RunStatus.SUCCEEDED)
    past = (_past(record.folder) for record in ended)
    return list(islice((one for one in past if one.kind == _kind(parameters)), LOOKED_AT))


@lru_cache(maxsize=256)
def _past(folder: Path) -> _Past:
    """Of a run that ended: its record does not change any more."""
    record = Record(folder, RunStatus.UNFINISHED)
    events = record.events
    return _Past(_kind(record.parameters), tuple(_ended(events)), _changes_in(events))


def _kind(parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes one run as long as another."""
    ways = (parameters.get(name) for name in ("environment", "old", "new", "rehearse", "back"))
    return (bool(parameters.get("dry_run", False)), *ways, tuple(parameters.get("limit") or ()))


def _usual(earlier: Sequence[_Past], changes: int | None) -> dict[str, float]:
    """By step, how long it usually takes."""
    alike = [run for run in earlier if changes is None or _is_similar(run.changes, changes)]
    known: dict[str, list[float]] = {}
    for run in alike or earlier:
        for name, seconds in run.steps:
            known.setdefault(name, []).append(seconds)
    return {name: median(seconds[:LATEST]) for name, seconds in known.items()}


def _ended(events: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """The steps that ended well, but for those within another: each with how long it took."""
    within: list[str] = []
    for event in events:
        if event["event"] == "StepStarted":
            within.append(event["step"])
        elif event["event"] == "StepFinished" and event["step"] in within:
            within.remove(event["step"])
            if not within and not event["failed"]:
                yield NAMES.get(event["step"], event["step"]), float(event["seconds"])


def _begun(events: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """When each step began, but for those within another."""
    begun: dict[str, datetime] = {}
    within: list[str] = []
    for event in events:
        if event["event"] == "StepStarted":
            if not within:
                begun[NAMES.get(event["step"], event["step"])] = datetime.fromisoformat(event["time"])
            within.append(event["step"])
        elif event["event"] == "StepFinished" and event["step"] in within:
            within.remove(event["step"])
    return begun


def _is_past(name: str, begun: Mapping[str, datetime]) -> bool:
    """Whether a step that never began is over, since a later one has begun."""
    later = STEPS[STEPS.index(name) + 1 :] if name in STEPS else ()
    return any(step in begun for step in later)


def _changes_in(events: Iterable[Mapping[str, Any]]) -> int | None:
    """How many items the first plan of a run says that it changes; None if it has none yet."""
    counts = {event["host"]: event["changes"] for event in reversed([*events]) if event["event"] == "HostPlanned"}
    return sum(counts.values()) if counts else None


def _is_similar(one: int | None, other: int) -> bool:
    return one is not None and (one + 1) / SIMILAR <= other + 1 <= (one + 1) * SIMILAR
