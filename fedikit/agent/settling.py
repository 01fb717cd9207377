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
QUIET_LOOKS = 4
"""How many looks in a row must find nothing at work."""
MOST_SECONDS = 3.0
UNSEEN_SECONDS = 0.5
"""How long is waited where control groups are of the old kind, or have vanished already."""
BUSY_MICROSECONDS = 1000
"""The time of the processor between two looks from where on a unit is at work: one in fifty."""
GROUPS = "/sys/fs/cgroup"
AT_WORK = (["R"], ["D"])
"""The states of a process that runs, or would if it were its turn, and of one that waits for a disk."""


def wait_until_settled(eyes: Eyes, names: list[str]) -> None:
    """Returns when all of the units have, or at the latest after three seconds; at once where nothing runs."""
    folders = [GROUPS + group for group in _groups(eyes, names)]
    if all(os.path.exists(f"{folder}/cpu.stat") for folder in folders):
        _wait_until_quiet(folders)
    else:
        time.sleep(UNSEEN_SECONDS)


def _groups(eyes: Eyes, names: list[str]) -> list[str]:
    """The control groups of those that have processes."""
    groups = [shown.get("ControlGroup", "") for shown in eyes.shown(names, ("ControlGroup",))] if names else []
    return [group for group in groups if group.startswith("/")]


def _wait_until_quiet(folders: list[str]) -> None:
    deadline, quiet, before = time.monotonic() + MOST_SECONDS, 0, {folder: _used(folder) for folder in folders}
    while folders and quiet < QUIET_LOOKS and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        now = {folder: _used(folder) for folder in folders}
        is_busy = any(now[folder] - before[folder] > BUSY_MICROSECONDS or _is_at_work(folder) for folder in folders)
        quiet, before = 0 if is_busy else quiet + 1, now


def _used(folder: str) -> int:
    """Microseconds of the processor that the group's processes have taken so far."""
    lines = text(f"{folder}/cpu.stat").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("usage_usec")), 0)


def _is_at_work(folder: str) -> bool:
    return any(stat_of(process)[:1] in AT_WORK for process in text(f"{folder}/cgroup.procs").split())
