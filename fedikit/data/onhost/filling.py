"""Watches the disks while another's data is put back: it may be more than was told, and what else lies there goes on.

A server of databases whose disk is full ends for every application on the host.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from .disks import NO_ROOM, free_at
from .trouble import Trouble, hint_of_room

LOOK_SECONDS = 0.1
"""A disk takes some ten megabytes meanwhile."""
_FULL = signal.SIGUSR2


@contextlib.contextmanager
def room_watched(places: Sequence[Path]) -> Iterator[None]:
    """Raises Trouble in what is done within, before a disk on which one of these lies is full; in the main thread.

    One that was full before is nobody's fault here.
    """
    watched = [place for place in places if free_at(place) > NO_ROOM]
    over = threading.Event()
    signal.signal(_FULL, _raise)
    threading.Thread(target=_watch, args=(watched, over), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(_FULL, signal.SIG_IGN)
        over.set()


def _watch(places: Sequence[Path], over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        if any(free_at(place) < NO_ROOM for place in places):
            os.kill(os.getpid(), _FULL)
            return


def _raise(*_: object) -> None:
    raise Trouble(
        "what comes is more than its backup says, and a disk was nearly full: it was ended", hint=hint_of_room()
    )
