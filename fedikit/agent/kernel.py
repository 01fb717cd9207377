"""What the kernel tells, of itself and of processes: files below /proc and /sys, where nobody else makes links.

`root` is what they lie below: nothing on a host, a directory where that stands for one.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

MOST = 8 << 20
"""So much is read of what the kernel tells of a process, which may have made it long."""
SOCKET = "socket:["


def text(path: str, root: str = "") -> str:
    """A file of the kernel's, whose size nobody tells beforehand; nothing of a process that has ended meanwhile."""
    with suppress(OSError), open(root + path, encoding="utf-8", errors="replace") as file:
        return file.read(MOST)
    return ""


def processes(root: str = "") -> list[str]:
    """The number of each, in their order."""
    with suppress(OSError):
        return sorted(filter(str.isdecimal, os.listdir(f"{root}/proc")), key=int)
    return []


def name_of(process: str, root: str = "") -> str:
    return text(f"/proc/{process}/comm", root).strip()


def described(process: int) -> str:
    """What people know a process by."""
    name = name_of(str(process))
    return f"{name} (process {process})" if name else f"process {process}"


def unit_of(process: str, root: str = "") -> str:
    """The service that a process runs for, as its control group says; a container's is inside of its unit's."""
    parts = text(f"/proc/{process}/cgroup", root).replace("\n", "/").split("/")
    return next((part for part in parts if part.endswith(".service")), "")


def stat_of(process: int | str) -> list[str]:
    """What /proc/PID/stat has behind the process's name, its state first; nothing of one that is not there."""
    return text(f"/proc/{process}/stat").rpartition(") ")[2].split()


def sockets_of(process: str, root: str = "") -> Iterator[str]:
    """The number of each socket that a process has open."""
    folder = f"{root}/proc/{process}/fd"
    with suppress(OSError):
        for name in os.listdir(folder):
            with suppress(OSError):
                target = os.readlink(f"{folder}/{name}")
                if target.startswith(SOCKET):
                    yield target[len(SOCKET) : -1]
