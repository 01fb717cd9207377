"""What listens on this host at addresses that others reach, and which program it is."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from .eyes import Eyes

TABLES = (("tcp", "tcp", "0A"), ("tcp", "tcp6", "0A"), ("udp", "udp", "07"), ("udp", "udp6", "07"))
"""Protocol, table of the kernel's, and how it calls a socket that takes what comes."""
LOOPBACK = re.compile("[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F")
"""Addresses of IPv4, IPv6, and IPv4 in IPv6, as the kernel writes them: each word of 32 bits backwards."""
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"


class Listener(NamedTuple):
    protocol: str
    port: int
    program: str

    @property
    def door(self) -> str:
        return f"{self.protocol}/{self.port}"


def listeners(eyes: Eyes) -> list[Listener]:
    """In the order of their ports; a program that the kernel does not tell is "something"."""
    sockets = dict.fromkeys(found for table in TABLES for found in _sockets(eyes, *table))
    programs = _programs(eyes) if sockets else {}
    found = {Listener(protocol, port, programs.get(inode, "something")) for protocol, port, inode in sockets}
    return sorted(found, key=lambda listener: (listener.port, listener))


def _sockets(eyes: Eyes, protocol: str, table: str, listening: str) -> Iterator[tuple[str, int, str]]:
    first, last = _passing_ports(eyes) if protocol == "udp" else (1, 0)
    for line in _lines(eyes, f"/proc/net/{table}")[1:]:
        _, local, _, state, *rest = line.split()
        address, _, port = local.partition(":")
        is_passing = first <= int(port, 16) <= last  # a question that waits for its answer
        if state == listening and not LOOPBACK.fullmatch(address) and not is_passing:
            yield protocol, int(port, 16), rest[5]


def _passing_ports(eyes: Eyes) -> tuple[int, int]:
    lines = _lines(eyes, RANGE)
    first, last = lines[0].split() if lines else ("32768", "60999")
    return int(first), int(last)


def _programs(eyes: Eyes) -> dict[str, str]:
    """By a socket's number, the program that has it open."""
    found: dict[str, str] = {}
    processes = eyes.real("/proc")
    for process in filter(str.isdigit, os.listdir(processes)):
        folder = os.path.join(processes, process, "fd")
        with contextlib.suppress(OSError):  # processes end meanwhile
            links = [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]
            name = "".join(_lines(eyes, f"/proc/{process}/comm")).strip()
            found |= {link[len("socket:[") : -1]: name for link in links if link.startswith("socket:[")}
    return found


def _lines(eyes: Eyes, path: str) -> list[str]:
    """A file of the kernel's, whose size is told by nobody beforehand."""
    try:
        with open(eyes.real(path), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
