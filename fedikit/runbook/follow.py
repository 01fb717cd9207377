"""Follows the events file that a kernel writes, and tells each event here."""

import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def following(file: Path, tell: Tell) -> Iterator[None]:
    """Tells the file's events as they are written, until the block ends and all are told."""
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(file, tell, ended), name=f"follow {file.name}", daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _follow(file: Path, tell: Tell, ended: threading.Event) -> None:
    offset = 0
    while True:
        is_last_look = ended.wait(_INTERVAL)
        for line in _complete_lines(file, offset):
            offset += len(line)
            tell(event_of(json.loads(line)))
        if is_last_look:
            return


def _complete_lines(file: Path, offset: int) -> list[bytes]:
    if not file.exists() or file.stat().st_size == offset:
        return []
    with file.open("rb") as stream:
        stream.seek(offset)
        return [line for line in stream.read().splitlines(keepends=True) if line.endswith(b"\n")]
