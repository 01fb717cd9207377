"""The host's one lock: who holds it, and which command of a former holder is still at work."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import TextIO

from .ledger import Record
from .trouble import Trouble


class Lock:
    """The host's one lock, held. Its file names the holder and the command at work, which may outlive the agent."""

    def __init__(self, file: TextIO, holder: Record) -> None:
        self._file = file
        self._holder = holder
        self._write(holder)

    def note_command(self, pid: int, name: str) -> None:
        self._write({**self._holder, "command": {"pid": pid, "name": name, "began": beginning_of(pid)}})

    def _write(self, record: Record) -> None:
        """A full disk may leave it without words; it holds all the same."""
        with contextlib.suppress(OSError):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(json.dumps(record))
            self._file.flush()


@contextlib.contextmanager
def lock(home: str, holder: Record) -> Iterator[Lock]:
    """Holds the host's one lock; the kernel frees it when the agent ends, however it ends."""
    os.makedirs(home, mode=0o700, exist_ok=True)
    with open(os.path.join(home, "lock"), "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _busy(_read_holder(file)) from error
        if is_at_work(former := _read_holder(file)):
            raise _busy(former)
        if not os.fstat(file.fileno()).st_nlink:
            raise Trouble("is just being left by fedikit", code="busy")
        yield Lock(file, holder)


def _busy(holder: Record) -> Trouble:
    return Trouble(f"is being changed by {describe(holder)}", code="busy")


def lock_holder(home: str) -> Record | None:
    """Who holds the lock just now, or left a command at work; changes nothing."""
    try:
        with open(os.path.join(home, "lock"), encoding="utf-8") as file:
            holder = _read_holder(file)
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return holder
    return holder if is_at_work(holder) else None


def _read_holder(file: TextIO) -> Record:
    file.seek(0)
    try:
        holder: Record = json.load(file)
    except ValueError:
        return {}
    return holder


def beginning_of(pid: int) -> str:
    """When a process began, in the kernel's ticks: a number is used again, but not with the same beginning."""
    from .kernel import stat_of  # seldom needed

    fields = stat_of(pid)
    return fields[19] if fields and fields[0] != "Z" else ""


def is_at_work(holder: Record) -> bool:
    """Whether the last command that the holder noted has not ended."""
    command = holder.get("command")
    return bool(command and command["began"] and beginning_of(command["pid"]) == command["began"])


def describe(holder: Record) -> str:
    who, since = holder.get("who", "somebody"), holder.get("since", "just now")
    text = f"{who} since {since} (run {holder.get('run', 'unknown')})"
    command = holder["command"] if is_at_work(holder) else None
    return f"{text}; {command['name']} is at work as process {command['pid']}" if command else text
