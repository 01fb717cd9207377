"""Waiting until units that were just started have settled: most that cannot run end soon, but not before they tried.

A unit has settled when its processes wait for others and take no time of the processor: a server that listens, say. One
that is still loading its program is given longer. What a unit's processes do is the kernel's to tell, by their control
group.
"""

import os
import time

from .eyes import Eyes
from .kernel import stat_of, text

LOOK_SECONDS = 0.05
QUIET_SECONDS = 0.2
"""How long nothing must be at work."""
MOST_SECONDS = 3.0
UNSEEN_SECONDS = 0.5
"""How long is waited where control groups are of the old kind, or have vanished already."""
BUSY_MICROSECONDS = 20_000
"""The time of the processor, for each second that passes, from where on a unit is at work: one in fifty."""
GROUPS = "/sys/fs/cgroup"
AT_WORK = (["R"], ["D"])
"""The states of a process that runs, or would if it were its turn, and of one that waits for a disk."""


class Settling:
    """How units that were just started are, from the first look on: much else may be done until it is waited for."""

    def __init__(self, eyes: Eyes, names: list[str]) -> None:
        self.names = names
        self._folders = [GROUPS + group for group in _groups(eyes, names)]
        self._look()

    def wait(self) -> None:
        """Returns when all of the units have settled, or at the latest after three seconds; at once where none runs."""
        if not all(os.path.exists(f"{folder}/cpu.stat") for folder in self._folders):
            time.sleep(UNSEEN_SECONDS)
            return
        deadline = time.monotonic() + MOST_SECONDS
        quiet = self._quiet_seconds()
        while self._folders and quiet < QUIET_SECONDS and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            seconds = self._quiet_seconds()
            quiet = quiet + seconds if seconds else 0.0

    def _look(self) -> None:
        self._at, self._used = time.monotonic(), {folder: _used(folder) for folder in self._folders}

    def _quiet_seconds(self) -> float:
        """How long ago the last look was, if nothing has been at work since."""
        at, before = self._at, self._used
        self._look()
        seconds = self._at - at
        most = BUSY_MICROSECONDS * seconds
        is_busy = any(used - before[folder] > most or _is_at_work(folder) for folder, used in self._used.items())
        return 0.0 if is_busy else seconds


def _groups(eyes: Eyes, names: list[str]) -> list[str]:
    """The control groups of those that have processes."""
    groups = [shown.get("ControlGroup", "") for shown in eyes.shown(names, ("ControlGroup",))] if names else []
    return [group for group in groups if group.startswith("/")]


def _used(folder: str) -> int:
    """Microseconds of the processor that the group's processes have taken so far."""
    lines = text(f"{folder}/cpu.stat").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("usage_usec")), 0)


def _is_at_work(folder: str) -> bool:
    return any(stat_of(process)[:1] in AT_WORK for process in text(f"{folder}/cgroup.procs").split())
