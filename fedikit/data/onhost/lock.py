"""One at a time for each application: a kernel lock, which goes with its holder, however that ends."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from .moments import now
from .trouble import Busy


@contextlib.contextmanager
def held(state: Path, verb: str) -> Iterator[None]:
    """Holds the application's lock; raises Busy, which says who has it since when."""
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(_holder(descriptor, state.name), hint="wait until it has ended, and run it again") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "verb": verb, "since": now()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int, application: str) -> str:
    try:
        who = json.loads(os.pread(descriptor, 1000, 0))
        return f"a {who['verb']} of {application} is at work since {who['since']} (process {who['pid']})"
    except (ValueError, KeyError, TypeError):
        return f"somebody else is at work on the data of {application}"
