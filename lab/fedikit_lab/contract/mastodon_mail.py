"""Whether a domain takes mail, by DNS alone: MX records, then the addresses of the domain and its exchanges.

The hosts file is not consulted, as upstream does not either.
"""

import contextlib
import secrets
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

_SECONDS = 5
_TYPES = {"A": 1, "MX": 15, "AAAA": 28}
_NULL_MX = [""]
Server = tuple[str, int]


def name_servers(path: Path = Path("/etc/resolv.conf")) -> list[Server]:
    """The name servers that this machine asks."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line.split()[1], 53) for line in lines if line.startswith("nameserver") and len(line.split()) > 1]


def takes_mail(domain: str, servers: Sequence[Server] | None = None) -> bool:
    """Whether the domain or one of its exchanges has an address; a null MX says that it wants no mail."""
    servers = name_servers() if servers is None else servers
    exchanges = look_up(domain, "MX", servers)
    if exchanges == _NULL_MX:
        return False
    hosts = dict.fromkeys([domain, *exchanges])
    return any(look_up(host, kind, servers) for host in hosts for kind in ("A", "AAAA"))


def look_up(name: str, kind: str, servers: Sequence[Server]) -> list[str]:
    """The records of a name: exchanges for MX, one item an address for A and AAAA; nothing when no server knows."""
    for server in servers:
        with contextlib.suppress(OSError, struct.error, IndexError, UnicodeError):
            return _ask(name, _TYPES[kind], server)
    return []


def _ask(name: str, kind: int, server: Server) -> list[str]:
    number = secrets.randbelow(65536)
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    question = b"".join(bytes([len(label)]) + label for label in labels) + struct.pack(">BHH", 0, kind, 1)
    with socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(_SECONDS)
        udp.connect(server)
        udp.send(struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + question)
        answer = udp.recv(4096)
    if answer[:2] != struct.pack(">H", number):
        raise OSError("the answer belongs to another question")
    return _records(answer, 12 + len(question), kind)


def _records(answer: bytes, position: int, kind: int) -> list[str]:
    found = []
    for _ in range(struct.unpack_from(">H", answer, 6)[0]):
        _, position = _name(answer, position)
        found_kind, _, _, length = struct.unpack_from(">HHIH", answer, position)
        position += 10
        if found_kind == kind:
            is_mx = kind == _TYPES["MX"]
            found.append(_name(answer, position + 2)[0] if is_mx else answer[position : position + length].hex())
        position += length
    return found


def _name(answer: bytes, position: int) -> tuple[str, int]:
    """A name and where it ends; a pointer ends it, and points only backwards."""
    labels: list[str] = []
    while length := answer[position]:
        if length >= 0xC0:
            target = struct.unpack_from(">H", answer, position)[0] & 0x3FFF
            if target >= position:
                raise OSError("a name that points forwards")
            return ".".join([*labels, *filter(None, [_name(answer, target)[0]])]), position + 2
        labels.append(answer[position + 1 : position + 1 + length].decode())
        position += 1 + length
    return ".".join(labels), position + 1
