"""Messages: what is told, as a value; as a mail that reads well on a phone, and as JSON for programs."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from fedikit.model.value import Value
from fedikit.watch.finding import Finding, Kind

MOST_SHOWN = 30
FORMAT = 1
"""Raised when programs that read the JSON would misread it."""


class State(StrEnum):
    """How a finding is, in comparison with what was told before."""

    BROKEN = "broken"
    STILL = "still"
    WELL = "well"


_HEADINGS = {State.BROKEN: "NOT WELL", State.STILL: "STILL NOT WELL", State.WELL: "WELL AGAIN"}


class Change(Value):
    """What is told of one finding."""

    state: State
    finding: Finding
    since: datetime
    """Since when it was not well, as far as anybody looked."""


class Message(Value):
    """All that one look has to tell."""

    id: str
    environment: str
    time: datetime
    changes: tuple[Change, ...]
    remaining: tuple[str, ...] = ()
    """What was told before, and is not well either."""

    @property
    def subject(self) -> str:
        """What matters most."""
        return f"fedikit {self.environment}: {self._headline}"

    @property
    def _headline(self) -> str:
        for state, words in ((State.BROKEN, ""), (State.STILL, "still: ")):
            if alike := self._of(state):
                return f"{words}{alike[0].finding.what}{_and_more(len({one.finding.what for one in alike}) - 1)}"
        if not self.remaining:
            return "all is well again"
        again = self._of(State.WELL)
        return f"{len(again)} well again, {len(self.remaining)} not yet"

    def _of(self, state: State) -> list[Change]:
        """The worst first."""
        order = list(Kind)
        return sorted(
            (change for change in self.changes if change.state is state),
            key=lambda change: order.index(change.finding.kind),
        )

    @property
    def text(self) -> str:
        """The body of a mail."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for state, heading in _HEADINGS.items():
            if alike := self._of(state):
                yield from (heading, "")
                for change in alike[:MOST_SHOWN]:
                    yield from _told(change, self.time)
                if len(alike) > MOST_SHOWN:
                    yield from (f"and {len(alike) - MOST_SHOWN} more", "")
        if self.remaining:
            yield from ("Not well either, and told before:", *(f"- {what}" for what in self.remaining[:MOST_SHOWN]), "")
        yield f"Seen {_at(self.time)}."

    @property
    def payload(self) -> dict[str, Any]:
        """What programs are told; `format` says how to read it."""
        return {
            "format": FORMAT,
            "id": self.id,
            "environment": self.environment,
            "time": self.time.isoformat(),
            "subject": self.subject,
            "changes": [_as_data(change) for change in self.changes],
            "remaining": list(self.remaining),
        }


def _told(change: Change, now: datetime) -> Iterator[str]:
    finding, since = change.finding, change.since
    yield finding.what
    if change.state is State.WELL:
        yield f"It was not well from {_at(since)} on ({_span((now - since).total_seconds())})."
    else:
        yield finding.seen
        yield f"Since: {_at(since)}"
        yield f"What to do: {finding.todo}"
    yield ""


def _as_data(change: Change) -> dict[str, str]:
    return {"state": str(change.state), "since": change.since.isoformat(), **change.finding.model_dump(mode="json")}


def _and_more(count: int) -> str:
    return f", and {count} more" if count > 0 else ""


def _at(time: datetime) -> str:
    return f"{time:%d %b %Y, %H:%M} UTC"


def _span(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes / 60:.0f} hours" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
