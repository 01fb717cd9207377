"""What a host has: memory, disks, a clock, who listens at ports, how systemd and dpkg are. Only looks.

What cannot be seen here, such as in a directory that stands for a host, is left out, never guessed.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from .disk_space import disk_at
from .distribution import release
from .eyes import Eyes
from .trouble import Trouble

Facts = dict[str, Any]
LISTENS, UNCONNECTED = "0A", "07"
"""How the kernel writes that a TCP socket listens, and that a UDP socket speaks with nobody in particular."""
SOCKETS = (("tcp", LISTENS), ("tcp6", LISTENS), ("udp", UNCONNECTED), ("udp6", UNCONNECTED))
ADDRESS, STATE, INODE = 1, 3, 9
"""Columns of /proc/net/tcp and its like."""
MOST_UNITS, MOST_PACKAGES, MOST_PORTS = 20, 20, 200
RESOLVE_SECONDS = 3.0


def facts_of(eyes: Eyes, request: Facts) -> Facts:
    """Everything; `request` names the paths whose disks matter, the ports, and a name to look up."""
    return {
        "event": "facts",
        **release(eyes),
        "python": "{}.{}.{}".format(*sys.version_info),
        "is_root": os.geteuid() == 0,
        "clock": time.time(),
        "is_clock_synchronized": _synchronized(eyes),
        "memory": _memory(eyes),
        "disks": {path: disk_at(eyes.root, path) for path in request["paths"]},
        "listeners": list(_listeners(eyes, set(request["ports"])))[:MOST_PORTS],
        "systemd": _ask(eyes, ["systemctl", "is-system-running"]).strip(),
        "failed_units": _failed_units(eyes)[:MOST_UNITS],
        "kernel": os.uname().release,
        "has_cgroup2": eyes.exists("/sys/fs/cgroup/cgroup.controllers"),
        "has_overlayfs": _has_overlayfs(eyes),
        "unfinished_packages": _unfinished_packages(eyes)[:MOST_PACKAGES],
        "dpkg_journal": len(eyes.dpkg_updates()),
        "resolves": _resolves(request.get("resolve", "")),
    }


def _ask(eyes: Eyes, command: list[str]) -> str:
    """What a command prints; nothing where there is no such command."""
    with suppress(Trouble):
        return eyes.ask(command)
    return ""


def _text(eyes: Eyes, path: str) -> str:
    with suppress(OSError, Trouble):
        return eyes.read(path).decode(errors="replace")
    return ""


def _synchronized(eyes: Eyes) -> bool | None:
    said = _ask(eyes, ["timedatectl", "show", "--property", "NTPSynchronized", "--value"]).strip()
    return {"yes": True, "no": False}.get(said)


def _memory(eyes: Eyes) -> dict[str, int]:
    """Bytes in all, those that can be had now, and of swap; nothing where the kernel does not tell."""
    lines = (line.split() for line in _text(eyes, "/proc/meminfo").splitlines())
    sizes = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3 and words[1].isdigit()}
    names = {"total": "MemTotal", "available": "MemAvailable", "swap": "SwapTotal"}
    return {name: sizes[key] for name, key in names.items() if key in sizes}


# Ports


def _listeners(eyes: Eyes, ports: set[int]) -> Iterator[Facts]:
    """Who listens at these ports; program and unit are empty where they cannot be seen."""
    found = [(kind, *socket) for kind, state in SOCKETS for socket in _sockets(eyes, kind, state) if socket[1] in ports]
    programs = _programs(eyes, {inode for *_, inode in found}) if found else {}
    for kind, address, port, inode in found:
        program, unit = programs.get(inode, ("", ""))
        where = {"protocol": kind[:3], "port": port, "is_local": _is_local(address)}
        yield {**where, "program": program, "unit": unit}


def _sockets(eyes: Eyes, kind: str, state: str) -> Iterator[tuple[str, int, str]]:
    """The address, port and inode of each socket in that state, as the kernel writes them."""
    for line in _text(eyes, f"/proc/1/net/{kind}").splitlines()[1:]:
        words = line.split()
        if len(words) > INODE and words[STATE] == state:
            address, _, port = words[ADDRESS].rpartition(":")
            yield address, int(port, 16), words[INODE]


def _is_local(address: str) -> bool:
    """Whether it is one that nobody else reaches: 127.x.x.x, or ::1; each word is written the other way round."""
    v4 = address[-8:] if len(address) == 8 or address.startswith("0000000000000000FFFF0000") else ""
    return v4.endswith("7F") or address == "00000000000000000000000001000000"


def _programs(eyes: Eyes, inodes: set[str]) -> dict[str, tuple[str, str]]:
    """By the inode of a socket, what the process that holds it is called, and the unit that it belongs to."""
    wanted, programs = {f"socket:[{inode}]": inode for inode in inodes}, {}
    for process in filter(str.isdigit, eyes.names("/proc")):
        with suppress(OSError, Trouble):
            held = set(_held(eyes, f"/proc/{process}/fd")) & wanted.keys()
            for name in held:
                programs[wanted[name]] = _text(eyes, f"/proc/{process}/comm").strip(), _unit_of(eyes, process)
    return programs


def _unit_of(eyes: Eyes, process: str) -> str:
    """The service that a process runs for, as its control group says; a container's is inside of its unit's."""
    parts = _text(eyes, f"/proc/{process}/cgroup").strip().split("/")
    return next((part for part in parts if part.endswith(".service")), "")


def _held(eyes: Eyes, folder: str) -> Iterable[str]:
    with eyes.files.folder(folder) as held:
        for name in held.names():
            with suppress(OSError):
                yield held.target(name)


# systemd, the kernel, dpkg


def _failed_units(eyes: Eyes) -> list[str]:
    said = _ask(eyes, ["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"])
    return [line.split()[0] for line in said.splitlines() if line.strip()]


def _has_overlayfs(eyes: Eyes) -> bool:
    """Whether the kernel has it, or a module that it loads when it is asked to."""
    if "overlay" in _text(eyes, "/proc/filesystems").split():
        return True
    folder = f"/lib/modules/{os.uname().release}/kernel/fs/overlayfs"
    return any(name.startswith("overlay.ko") for name in eyes.names(folder))


def _unfinished_packages(eyes: Eyes) -> list[str]:
    """Packages with which dpkg has begun, and not ended."""
    names, name = [], ""
    for line in eyes.dpkg_status.decode(errors="replace").splitlines():
        if line.startswith("Package: "):
            name = line.removeprefix("Package: ")
        elif line.startswith("Status: ") and line.split()[-1] not in ("installed", "not-installed", "config-files"):
            names.append(name)
    return names


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
