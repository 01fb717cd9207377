"""Who listens at which ports of this host, as the kernel tells it: for a firewall, a doctor, and a unit that fell."""

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

from . import kernel

TABLES = (("tcp", "tcp", "0A"), ("tcp", "tcp6", "0A"), ("udp", "udp", "07"), ("udp", "udp6", "07"))
"""Protocol, table of the kernel's, and how it calls a socket that takes what comes."""
ADDRESS, STATE, NUMBER = 1, 3, 9
"""Columns of these tables."""
LOOPBACK = re.compile("[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F")
"""Addresses of IPv4, IPv6, and IPv4 in IPv6, as the kernel writes them: each word of 32 bits backwards."""
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
EVERY_PORT = range(1 << 16)


class Holder(NamedTuple):
    """Who has a socket open; all is empty where that cannot be seen."""

    process: str = ""
    program: str = ""
    unit: str = ""


NOBODY = Holder()


class Listener(NamedTuple):
    """`is_local`: at an address that no other host reaches."""

    protocol: str
    port: int
    is_local: bool
    holder: Holder

    @property
    def door(self) -> str:
        return f"{self.protocol}/{self.port}"


def listeners(root: str, ports: Container[int] = EVERY_PORT) -> list[Listener]:
    """Those at such ports, in the order of the ports."""
    sockets = [(number, one) for table in TABLES for number, one in _sockets(root, *table) if one.port in ports]
    holders = _holders(root, {number for number, _ in sockets}) if sockets else {}
    found = {one._replace(holder=holders.get(number, NOBODY)) for number, one in sockets}
    return sorted(found, key=lambda listener: (listener.port, listener))


def reached_from_elsewhere(root: str) -> list[Listener]:
    """The same, less those at local addresses, and sockets of UDP that only wait for an answer."""
    passing = _passing_ports(root)
    found = [listener for listener in listeners(root) if not listener.is_local]
    return [listener for listener in found if listener.protocol != "udp" or listener.port not in passing]


def _sockets(root: str, protocol: str, table: str, listening: str) -> Iterator[tuple[str, Listener]]:
    """Each with its socket's number; who holds that is not known yet."""
    for line in kernel.text(f"/proc/net/{table}", root).splitlines()[1:]:
        words = line.split()
        if len(words) > NUMBER and words[STATE] == listening:
            address, _, port = words[ADDRESS].rpartition(":")
            yield words[NUMBER], Listener(protocol, int(port, 16), bool(LOOPBACK.fullmatch(address)), NOBODY)


def _holders(root: str, wanted: set[str]) -> dict[str, Holder]:
    """By a socket's number. Where systemd listens for a service that runs, the service is named."""
    found: dict[str, Holder] = {}
    for process in kernel.processes(root):
        if held := wanted & {*kernel.sockets_of(process, root)}:
            holder = Holder(process, kernel.name_of(process, root), kernel.unit_of(process, root))
            found |= dict.fromkeys(held, holder)
    return found


def _passing_ports(root: str) -> range:
    first, last = kernel.text(RANGE, root).split() or ("32768", "60999")
    return range(int(first), int(last) + 1)
