"""What is told while it happens: a closed set of events, plain values, nothing printed here.

A function that takes time takes `tell`, called with each event from whichever thread it happens in.
`show` draws events for people; a runbook writes them to its record as NDJSON.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """A part of the work began: "plan", "fetch", "apply", "verify"."""

    step: str


@dataclass(frozen=True, kw_only=True)
class StepFinished:
    """A part of the work ended."""

    step: str
    seconds: float
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class HostPlanned:
    """A host answered what would change there; `changes` counts the items that would."""

    host: str
    changes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Bytes on their way: to the deployer's store (`host` empty) or to a host."""

    what: str
    done: int
    total: int
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class ItemStarted:
    """The agent began to change an item; `action` as in the plan."""

    host: str
    item: str
    action: str


@dataclass(frozen=True, kw_only=True)
class ItemFinished:
    """The agent changed an item, or failed to."""

    host: str
    item: str
    action: str
    seconds: float
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class HostFinished:
    """A host is done: "changed", "same", "failed" or "skipped"; `detail` in words where it helps."""

    host: str
    outcome: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckFinished:
    """A check of the running services ended."""

    check: str
    passed: bool
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Something takes its time; `what` says what is waited for."""

    what: str


Event = (
    StepStarted
    | StepFinished
    | HostPlanned
    | Progress
    | ItemStarted
    | ItemFinished
    | HostFinished
    | CheckFinished
    | Waiting
)
Tell = Callable[[Event], None]


def tell_nobody(event: Event) -> None:
    """The listener that does not listen."""


def as_record(event: Event) -> dict[str, Any]:
    """An event as one JSON object; `event` names its type."""
    return {"event": type(event).__name__, **asdict(event)}
