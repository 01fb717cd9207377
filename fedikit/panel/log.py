"""What a run told so far, read on from where it was read last; and its lines for people."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from fedikit.display.progress import lasting_line, live_line
from fedikit.runbook.follow import event_of
from fedikit.runbook.record import read_events

MOST_LINES = 400
"""So many of the newest lines are shown; the record has them all."""


class Log:
    """The events of one record."""

    def __init__(self, record: Path) -> None:
        self.record = record
        self.events: list[dict[str, Any]] = []
        self._offset = 0

    def read_on(self) -> bool:
        """Reads what has come since, and says whether anything has."""
        new, self._offset = read_events(self.record, self._offset)
        self.events += new
        return bool(new)

    @property
    def at(self) -> str:
        """The step that goes on, or went on last."""
        steps = [event["step"] for event in self.events if event["event"] == "StepStarted"]
        return str(steps[-1]) if steps else ""

    def lines(self) -> list[str]:
        """The log: what began and what ended, each with its time here."""
        lines = [f"{_clock(event)}  {line}" for event in self.events if (line := _line(event))]
        return lines[-MOST_LINES:]


def _line(event: Mapping[str, Any]) -> str:
    told = event_of(dict(event))
    line = Text.from_markup(lasting_line(told)).plain.strip()
    if line or event["event"] in ("Progress", "CheckFinished"):
        return line
    return live_line(told) if event["event"] in ("StepStarted", "ItemStarted", "Waiting") else ""


def _clock(event: Mapping[str, Any]) -> str:
    return f"{datetime.fromisoformat(event['time']).astimezone():%H:%M:%S}"
