"""Watches the way to another repository: who reads by it ends with it.

restic would ask for what it lacks for a quarter of an hour, and nobody else could work on the host meanwhile.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator

from .other import Other
from .trouble import Trouble

LOOK_SECONDS = 2.0
TIMES = 2
"""How often in a row nobody listens there until the way is gone."""
_ANSWER_SECONDS = 10
_GONE = signal.SIGUSR1


@contextlib.contextmanager
def way_watched(other: Other | None) -> Iterator[None]:
    """Raises Trouble in what is done within, as soon as the way is not there, or no more; in the main thread."""
    if other is None:
        yield
        return
    over = threading.Event()
    signal.signal(_GONE, _raise)
    threading.Thread(target=_watch, args=(other.port, over), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(_GONE, signal.SIG_IGN)
        over.set()


def _watch(port: int, over: threading.Event) -> None:
    missed = 0
    while missed < TIMES:
        missed = 0 if _is_there(port) else missed + 1
        if over.wait(LOOK_SECONDS):
            return
    os.kill(os.getpid(), _GONE)


def _is_there(port: int) -> bool:
    with socket.socket() as asking:
        asking.settimeout(_ANSWER_SECONDS)
        return asking.connect_ex(("127.0.0.1", port)) == 0


def _raise(*_: object) -> None:
    words = "the other repository can be read no more: the connection of the deployer, which leads there, has ended"
    raise Trouble(words, hint="do the same again")
