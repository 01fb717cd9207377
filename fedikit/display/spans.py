"""What a run was at, and when: spans of time, of the run's events as its record has them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

Kind = Literal["step", "plan", "sending", "item", "check", "end"]


@dataclass(frozen=True)
class Span:
    """Something that went on, in seconds since the run's first event."""

    lane: str
    """The host; empty for the run itself."""
    kind: Kind
    what: str
    began: float
    ended: float
    failed: bool = False
    is_open: bool = False
    """It has not ended yet, or nobody knows how."""
    count: int = 1
    """How many things it stands for."""
    detail: str = ""

    @property
    def seconds(self) -> float:
        return max(0.0, self.ended - self.began)


def spans_of(events: Sequence[Mapping[str, Any]], now: datetime | None = None) -> list[Span]:
    """The spans in the order in which they ended; what is open lasts until `now`, or until the last event.

    `events`: each with its `time` in ISO 8601, as in a record.
    """
    reader = _Reader(events)
    return [*reader.ended(), *reader.open(now)]


class _Reader:
    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._events = events
        self._first = datetime.fromisoformat(events[0]["time"]) if events else None
        self._last = 0.0
        self._open: dict[tuple[str, str, str], float] = {}

    def ended(self) -> Iterator[Span]:
        for event in self._events:
            self._last = max(self._last, self._seconds(datetime.fromisoformat(event["time"])))
            yield from self._read(event, self._last)

    def open(self, now: datetime | None) -> Iterator[Span]:
        end = max(self._last, self._seconds(now)) if now else self._last
        for (lane, kind, what), began in self._open.items():
            yield Span(lane, kind, what, began, end, is_open=True)  # type: ignore[arg-type]

    def _seconds(self, time: datetime) -> float:
        return (time - self._first).total_seconds() if self._first else 0.0

    def _read(self, event: Mapping[str, Any], at: float) -> Iterator[Span]:
        match event:
            case {"event": "StepStarted", "step": step}:
                self._open["", "step", step] = at
            case {"event": "StepFinished", "step": step, "failed": failed}:
                yield self._closed(("", "step", step), at, float(event["seconds"]), failed=failed)
            case {"event": "HostPlanned", "host": host, "seconds": seconds}:
                yield Span(host, "plan", "plan", max(0.0, at - seconds), at)
            case {"event": "Progress", "host": host, "what": what, "done": done, "total": total} if host:
                self._open.setdefault((host, "sending", what), at)
                if done >= total:
                    yield self._closed((host, "sending", what), at, 0.0)
            case {"event": "ItemStarted", "host": host, "item": item}:
                yield from (self._closed(key, at, 0.0) for key in list(self._open) if key[:2] == (host, "sending"))
                self._open[host, "item", item] = at
            case {"event": "ItemFinished", "host": host, "item": item, "seconds": seconds, "failed": failed}:
                yield self._closed((host, "item", item), at, seconds, failed=failed)
            case {"event": "HostFinished", "host": host, "outcome": outcome}:
                failed = outcome in ("failed", "skipped")
                yield Span(host, "end", outcome, at, at, failed=failed, detail=event.get("detail", ""))
                for key in [key for key in self._open if key[0] == host]:
                    yield replace(self._closed(key, at, 0.0), is_open=True)
            case {"event": "CheckFinished", "check": check, "passed": passed, "seconds": seconds}:
                detail = event.get("detail", "")
                yield Span("", "check", check, max(0.0, at - seconds), at, failed=not passed, detail=detail)

    def _closed(self, key: tuple[str, str, str], at: float, seconds: float, *, failed: bool = False) -> Span:
        began = self._open.pop(key, max(0.0, at - seconds))
        lane, kind, what = key
        return Span(lane, kind, what, began, at, failed=failed)  # type: ignore[arg-type]


def merged(spans: Iterable[Span], shortest: float) -> list[Span]:
    """What one sees of them where nothing shorter than `shortest` seconds can be told apart."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.began, span.ended)):
        if found and _are_one(found[-1], span, shortest):
            found[-1] = _joined(found[-1], span)
        else:
            found.append(span)
    return found


def _are_one(one: Span, other: Span, shortest: float) -> bool:
    is_like = (one.kind, one.failed, one.is_open) == (other.kind, other.failed, other.is_open)
    is_near = other.began - one.ended < shortest and other.seconds < shortest
    is_same = other.began - one.began < shortest and abs(other.ended - one.ended) < shortest
    return is_like and (is_same or (is_near and (one.seconds < shortest or one.count > 1)))


def _joined(one: Span, other: Span) -> Span:
    what = one.what if one.count >= 4 else f"{one.what}, {other.what}"
    return replace(one, what=what, ended=max(one.ended, other.ended), count=one.count + other.count)
