"""What a host has: memory, disks, a clock, who listens at ports, how systemd and dpkg are. Only looks.

What cannot be seen here, such as in a directory that stands for a host, is left out, never guessed.
"""

import os
import sys
import time
from contextlib import suppress
from typing import Any

from . import manager
from .disk_space import disk_at
from .distribution import OS_RELEASE, release, strange_system
from .dpkg_status import BEGUN, in_condition
from .eyes import Eyes
from .kernel import text
from .listeners import listeners
from .trouble import Trouble

Facts = dict[str, Any]
MOST_UNITS, MOST_PACKAGES, MOST_PORTS = 20, 20, 200
TIMEX_BYTES, MAXERROR_AT = 512, 24
"""More than the kernel's `struct timex` takes, and where it has how far off the clock may be (64 bits)."""
UNSYNCHRONIZED = 16_000_000
"""So many microseconds the kernel says where nobody keeps the clock right."""
RESOLVE_SECONDS = 3.0


def facts_of(eyes: Eyes, request: Facts) -> Facts:
    """Everything; `request` names the paths whose disks matter, the ports, and a name to look up.

    If it is to be `brief`, what takes long is left out that stands in nobody's way.
    """
    condition = (not eyes.root and manager.state()) or _ask(eyes, ["systemctl", "is-system-running"]).strip()
    return {
        "event": "facts",
        **release(eyes),
        "strange_system": strange_system(eyes.read(OS_RELEASE)),
        "python": "{}.{}.{}".format(*sys.version_info),
        "is_root": os.geteuid() == 0,
        "clock": time.time(),
        "is_clock_synchronized": None if request.get("brief") else _synchronized(eyes),
        "memory": _memory(eyes),
        "disks": {path: disk_at(eyes.root, path) for path in request["paths"]},
        "listeners": _listening(eyes, set(request["ports"]))[:MOST_PORTS],
        "systemd": condition,
        "failed_units": _failed_units(eyes)[:MOST_UNITS] if condition == "degraded" else [],
        "kernel": os.uname().release,
        "has_cgroup2": eyes.exists("/sys/fs/cgroup/cgroup.controllers"),
        "has_overlayfs": _has_overlayfs(eyes),
        "unfinished_packages": in_condition(eyes.dpkg_status, *BEGUN)[:MOST_PACKAGES],
        "dpkg_journal": len(eyes.dpkg_updates()),
        "resolves": _resolves(request.get("resolve", "")),
    }


def _ask(eyes: Eyes, command: list[str]) -> str:
    """What a command prints; nothing where there is no such command."""
    with suppress(Trouble):
        return eyes.ask(command)
    return ""


def _synchronized(eyes: Eyes) -> bool | None:
    """As the kernel keeps the clock; `timedatectl` would tell too, but starts a service for it, which stays."""
    if eyes.root or sys.maxsize < 1 << 32:
        return None
    import ctypes  # slow to import

    report = ctypes.create_string_buffer(TIMEX_BYTES)
    if ctypes.CDLL(None, use_errno=True).adjtimex(report) < 0:
        return None
    return int.from_bytes(report.raw[MAXERROR_AT : MAXERROR_AT + 8], sys.byteorder) < UNSYNCHRONIZED


def _memory(eyes: Eyes) -> dict[str, int]:
    """Bytes in all, those that can be had now, and of swap; nothing where the kernel does not tell."""
    lines = (line.split() for line in text("/proc/meminfo", eyes.root).splitlines())
    sizes = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3 and words[1].isdigit()}
    names = {"total": "MemTotal", "available": "MemAvailable", "swap": "SwapTotal"}
    return {name: sizes[key] for name, key in names.items() if key in sizes}


def _listening(eyes: Eyes, ports: set[int]) -> list[Facts]:
    """Who listens at these ports; program and unit are empty where they cannot be seen."""
    if not ports:
        return []  # for the kernel it is a long list, whoever is looked for
    return [
        {
            "protocol": one.protocol, "port": one.port, "is_local": one.is_local,
            "program": one.holder.program, "unit": one.holder.unit,
        }
        for one in listeners(eyes.root, ports)
    ]  # fmt: skip


# systemd, the kernel, dpkg


def _failed_units(eyes: Eyes) -> list[str]:
    said = _ask(eyes, ["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"])
    return [line.split()[0] for line in said.splitlines() if line.strip()]


def _has_overlayfs(eyes: Eyes) -> bool:
    """Whether the kernel has it, or a module that it loads when it is asked to."""
    if "overlay" in text("/proc/filesystems", eyes.root).split():
        return True
    folder = f"/lib/modules/{os.uname().release}/kernel/fs/overlayfs"
    return any(name.startswith("overlay.ko") for name in eyes.names(folder))


def _resolves(name: str) -> bool | None:
    """Whether the host finds an address for a name, in time; None if it was not asked for one."""
    if not name:
        return None
    import socket
    import threading

    found: list[object] = []

    def look() -> None:
        with suppress(OSError):
            found.extend(socket.getaddrinfo(name, 443))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(RESOLVE_SECONDS)
    return bool(found)
