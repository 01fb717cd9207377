"""Locks between processes: the kernel's own, so that a dead process leaves none behind."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedikit.errors import DeadlineExceeded


@contextmanager
def held_lock(path: Path, *, seconds: float) -> Iterator[None]:
    """Holds the lock of that file while the block runs; raises DeadlineExceeded when another keeps it."""
    deadline = time.monotonic() + seconds
    with path.open("a") as lock:
        while not _is_taken(lock.fileno()):
            if time.monotonic() > deadline:
                raise DeadlineExceeded(
                    f"the lock {path}", seconds, hint="another process works on this lab: let it end first"
                )
            time.sleep(0.1)
        yield


def _is_taken(descriptor: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
