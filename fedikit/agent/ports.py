"""Who listens at a port of this host, as the kernel tells it."""

import os
import re
from collections.abc import Iterator

from .dpkg import name_of_process

LISTENING = "0A"
PORTS = re.compile(r"(?<![\d.])(\d{2,5})(?![\d.])")
ABOUT_PORTS = re.compile(r"in use|EADDRINUSE|\bbind|\blisten", re.IGNORECASE)


def taken_ports(journal: str, unit: str) -> str:
    """Which of the ports that a unit's journal complains of others listen at, and who; empty if none is."""
    lines = [line for line in journal.splitlines() if ABOUT_PORTS.search(line)]
    named = {int(number) for line in lines for number in PORTS.findall(line)}
    found = []
    for port, socket in sorted(_listening(named)):
        owner = next((process for process in _processes() if _has_socket(process, socket)), 0)
        if owner and not _is_of_unit(owner, unit):
            found.append(f"port {port} is taken by {name_of_process(owner)}")
    return "; ".join(dict.fromkeys(found))


def _listening(ports: set[int]) -> set[tuple[int, str]]:
    """The sockets at which somebody listens, by port and number."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in _lines_of(f"/proc/net/{table}")[1:]] if ports else []
    listening = [(int(row[1].rpartition(":")[2], 16), row[9]) for row in rows if row[3] == LISTENING]
    return {(port, socket) for port, socket in listening if port in ports}


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _has_socket(process: int, socket: str) -> bool:
    folder = f"/proc/{process}/fd"
    try:
        return any(os.readlink(f"{folder}/{name}") == f"socket:[{socket}]" for name in os.listdir(folder))
    except OSError:  # it has ended meanwhile
        return False


def _is_of_unit(process: int, unit: str) -> bool:
    groups = (line.rstrip("\n") + "/" for line in _lines_of(f"/proc/{process}/cgroup"))
    return any(f"/{unit}/" in group for group in groups)


def _lines_of(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []
