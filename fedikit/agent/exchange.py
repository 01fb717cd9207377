"""One HTTP request and its answer.

By hand, and in HTTP/1.0, whose answers simply end: to import `http.client` takes longer than the exchange itself.
"""

import time
from typing import NamedTuple

HTTPS_PORT, HTTP_PORT = 443, 80
MOST_BYTES = 64 * 1024 * 1024
LAST_MOMENT = 0.001
"""The least that there is to wait, in seconds: none at all would mean not to wait, which is another thing."""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes


class Place(NamedTuple):
    """A server, as its address `http://NAME:PORT` says it."""

    is_secure: bool
    host: str
    port: int
    written: str

    @classmethod
    def of(cls, address: str) -> "Place":
        scheme, written = address.split("://", 1)
        is_secure = scheme == "https"
        host, _, port = written.rpartition(":")
        if not port.isdigit():
            host, port = written, str(HTTPS_PORT if is_secure else HTTP_PORT)
        return cls(is_secure, host.strip("[]"), int(port), written)


def ask(
    address: str, request: str, *, headers: dict[str, str] | None = None, body: bytes = b"", seconds: float
) -> Answer:
    """Sends a request such as `GET /health` with headers and body; raises OSError if no whole answer comes in time."""
    place = Place.of(address)
    lines = {"host": place.written, "content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return _answer_in(_send(place, f"{request} HTTP/1.0\r\n{head}\r\n".encode() + body, seconds))


def _send(place: Place, message: bytes, seconds: float) -> bytes:
    """All that the server says until it hangs up."""
    import socket  # slow, and few hosts need it

    end = time.monotonic() + seconds
    with socket.create_connection((place.host, place.port), timeout=seconds) as plain:
        connection = plain
        if place.is_secure:
            import ssl  # slow, and seldom needed

            connection = ssl.create_default_context().wrap_socket(plain, server_hostname=place.host)
        connection.sendall(message)
        pieces, size = [], 0
        while (piece := connection.recv(65536)) and size < MOST_BYTES:
            pieces.append(piece)
            size += len(piece)
            connection.settimeout(max(end - time.monotonic(), LAST_MOMENT))
        return b"".join(pieces)


def _answer_in(received: bytes) -> Answer:
    head, gap, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if not gap or not first.startswith("HTTP/1.") or not words[1].isdigit():
        raise OSError("it hung up before its answer was whole")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if len(body) < int(fields.get("content-length", len(body))):
        raise OSError("it hung up before its answer was whole")
    return Answer(int(words[1]), body)
