"""Disks that become full in a certain phase: a host's, as its agent and its program find it, or the deployer's."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedikit.data.migration import journal
from fedikit.events import Event, StepStarted, Tell
from fedikit.remote import bootstrap
from tests.data.migration.scene import Side
from tests.data.onhost.conftest import STANDINS

_WATCH = f"exec(open({str(STANDINS / 'full.py')!r}).read());watch(os.environ['PATH'].split(':')[0][:-8])\n"
_START = "os._exit(main("


@contextmanager
def agents_that_look() -> Iterator[None]:
    """Agents that are started meanwhile find their disks full where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "BOOT", bootstrap.BOOT.replace(_START, _WATCH + _START))
        yield


def fills(side: Side, phase: str, *folders: str) -> Tell:
    """The disk of a side is full from that phase on; or only these folders are, which are disks of their own."""

    def tell(event: Event) -> None:
        if event == StepStarted(step=phase):
            side.machine.path("/run/full").write_text("\n".join(folders))

    return tell


def frees(side: Side) -> None:
    """Somebody makes room."""
    side.machine.path("/run/full").unlink()


class SmallDisk:
    """The deployer's, on which there is room for as much as there was when it became full."""

    def __init__(self, place: Path, patch: pytest.MonkeyPatch) -> None:
        self.place, self.is_full = place, False
        self._sync = os.fsync
        patch.setattr(journal.os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        """What is written last finds no room, unless something else was removed since."""
        if self.is_full and list(self.place.glob(".*.room")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._sync(descriptor)

    def fills(self, phase: str) -> Tell:
        def tell(event: Event) -> None:
            if event == StepStarted(step=phase):
                self.is_full = True

        return tell
