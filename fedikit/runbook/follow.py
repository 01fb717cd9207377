"""Follows the events file that a kernel writes, and tells each event here."""

import dataclasses
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from fedikit.events import Event, Tell

_EVENTS: dict[str, type[Any]] = {event.__name__: event for event in get_args(Event)}
_INTERVAL = 0.1


def event_of(record: dict[str, Any]) -> Event:
    """The event that a line of events.ndjson holds."""
    kind = _EVENTS[record["event"]]
    names = {field.name for field in dataclasses.fields(kind)}
    event: Event = kind(**{name: value for name, value in record.items() if name in names})
    return event


def events_in(lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
    """The events in lines of events.ndjson; what another version told, or a full disk cut short, is left out."""
    for line in lines:
        try:
            record = json.loads(line)
            event_of(record)
            datetime.fromisoformat(record["time"])
        except (ValueError, KeyError, TypeError):
            continue
        yield record


class Follower:
    """Tells the events of a file, each once."""

    def __init__(self, file: Path, tell: Tell) -> None:
        self._file = file
        self._tell = tell
        self._offset = 0
        self._lock = threading.Lock()

    def catch_up(self) -> None:
        """Tells what was written since the last time."""
        with self._lock:
            for line in self._new_lines():
                self._offset += len(line)
                for record in events_in([line]):
                    self._tell(event_of(record))

    def _new_lines(self) -> list[bytes]:
        if not self._file.exists() or self._file.stat().st_size == self._offset:
            return []
        with self._file.open("rb") as stream:
            stream.seek(self._offset)
            return [line for line in stream.read().splitlines(keepends=True) if line.endswith(b"\n")]


@contextmanager
def following(file: Path, tell: Tell) -> Iterator[Follower]:
    """Tells the file's events as they are written, until the block ends and all are told."""
    follower, ended = Follower(file, tell), threading.Event()
    thread = threading.Thread(target=_follow, args=(follower, ended), name=f"follow {file.name}", daemon=True)
    thread.start()
    try:
        yield follower
    finally:
        ended.set()
        thread.join()


def _follow(follower: Follower, ended: threading.Event) -> None:
    while not ended.wait(_INTERVAL):
        follower.catch_up()
    follower.catch_up()
