"""D-Bus with systemd, over the socket where it speaks with root itself: there need not be a message bus.

By hand: to start a program that does it takes longer than the call, and minimal systems have none that does it so.
"""

import _socket  # without `socket`: what it has besides takes time to import
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .wire import Reader, Strange, Writer

PRIVATE = "/run/systemd/private"
DESTINATION, PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
INTERFACE = "org.freedesktop.systemd1.Manager"
CALL, ANSWER, REFUSAL, SIGNAL = 1, 2, 3, 4
HEAD = struct.Struct("<cBBBIII")
HEEDED = (b"JobRemoved",)
"""The signals that are not passed over unread: when it reads its units anew, it tells hundreds of others."""
MOST_BYTES = 16 * 1024 * 1024
"""The longest message that is read."""
PATH_FIELD, INTERFACE_FIELD, MEMBER_FIELD, SERIAL_FIELD, DESTINATION_FIELD, SIGNATURE_FIELD = 1, 2, 3, 5, 6, 8
ANSWERING_SECONDS = 5.0
LAST_MOMENT = 0.001
CHUNK = 65536


class Message(NamedTuple):
    """What systemd says: an answer or a refusal, by the number of the call, or a signal, by its name."""

    form: int
    serial: int
    member: str
    body: bytes


class Line:
    """A connection to systemd, which is there when something is asked. Raises OSError if there is no answer."""

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._received = bytearray()
        self._serial = 0
        self._outgoing = b""
        self._is_connected = False
        self.give(0)

    def give(self, seconds: float) -> None:
        """From now on systemd may take so long, in all."""
        self._deadline = time.monotonic() + seconds

    def connect(self) -> None:
        if not self._is_connected:
            self._wait_no_longer()
            self._socket.connect(PRIVATE)
            self._introduce_us()
            self._is_connected = True

    def close(self) -> None:
        self._socket.close()

    def call(self, member: str, signature: str, body: bytes, *, interface: str = INTERFACE, path: str = PATH) -> int:
        """Writes down a call, which is sent when somebody waits for an answer; returns its number."""
        self._serial += 1
        self._outgoing += _head(self._serial, len(body), (path, interface, member, signature)) + body
        return self._serial

    def ask(self, member: str, signature: str, body: bytes) -> Message:
        """The answer to one call of the manager's."""
        return self.answer_to(self.call(member, signature, body))

    def answer_to(self, serial: int) -> Message:
        """The answer to a call, or its refusal; signals before it are passed over."""
        while (message := self.next()).form not in (ANSWER, REFUSAL) or message.serial != serial:
            pass
        return message

    def next(self) -> Message:
        """What comes next."""
        self._send()
        end, form, _, _, body, _, fields = HEAD.unpack(self._take(HEAD.size))
        size = fields + -fields % 8
        if end != b"l" or size + body > MOST_BYTES:
            raise Strange("a message without an end")
        head = self._take(size)
        is_news = form == SIGNAL and not any(name in head for name in HEEDED)
        found = {} if is_news else _fields_in(head, fields)
        return Message(form, int(found.get(SERIAL_FIELD, 0)), found.get(MEMBER_FIELD, ""), self._take(body))

    def _introduce_us(self) -> None:
        """Calls that come before the answer to this may lie there unread."""
        user = str(os.geteuid()).encode().hex().encode()
        self._socket.sendall(b"\0AUTH EXTERNAL " + user + b"\r\nBEGIN\r\n")
        while b"\n" not in self._received:
            self._receive()
        greeting, _, self._received = self._received.partition(b"\n")
        if not greeting.startswith(b"OK "):
            raise Strange("it does not let us in")

    def _send(self) -> None:
        if self._outgoing:
            self._wait_no_longer()
            self._socket.sendall(self._outgoing)
            self._outgoing = b""

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        piece = bytes(self._received[:size])
        del self._received[:size]
        return piece

    def _receive(self) -> None:
        self._wait_no_longer()
        piece = self._socket.recv(CHUNK)
        if not piece:
            raise Strange("it hung up")
        self._received += piece

    def _wait_no_longer(self) -> None:
        self._socket.settimeout(max(self._deadline - time.monotonic(), LAST_MOMENT))


_kept: list[Line] = []
"""The line that was used last: to be let in takes systemd as long as an answer."""


@contextmanager
def line_to_systemd(seconds: float = 0) -> Iterator[Line]:
    """The line to systemd, for so many seconds, or as many as answers take: that which was used before, or a new one.

    It is kept until `hang_up`. Raises OSError if there is none.
    """
    one = _kept.pop() if _kept else Line()
    one.give(seconds or ANSWERING_SECONDS)
    try:
        one.connect()
        yield one
    except BaseException:
        one.close()
        raise
    _kept.append(one)


def hang_up() -> None:
    """Before anything that may take long: what systemd tells meanwhile, it would have to keep for us."""
    while _kept:
        _kept.pop().close()


def _head(serial: int, size: int, words: tuple[str, str, str, str]) -> bytes:
    path, interface, member, signature = words
    head = Writer()
    head.data += b"l" + bytes([CALL, 0, 1])
    head.number(size)
    head.number(serial)
    texts = (
        (PATH_FIELD, "o", path), (INTERFACE_FIELD, "s", interface), (MEMBER_FIELD, "s", member),
        (DESTINATION_FIELD, "s", DESTINATION),
    )  # fmt: skip
    head.array(8, lambda: _write_fields(head, texts, signature))
    head.align(8)
    return bytes(head.data)


def _write_fields(head: Writer, texts: tuple[tuple[int, str, str], ...], signature: str) -> None:
    for number, shape, text in texts:
        head.align(8)
        head.data.append(number)
        head.variant(shape, lambda text=text: head.text(text))  # type: ignore[misc]
    if signature:
        head.align(8)
        head.data.append(SIGNATURE_FIELD)
        head.variant("g", lambda: head.signature(signature))


def _fields_in(data: bytes, size: int) -> dict[int, str]:
    """The fields of a message's head, by their numbers."""
    reader, fields = Reader(data), dict[int, str]()
    while reader.at < size:
        reader.align(8)
        number = reader.number(1)
        fields[number] = reader.value()
    return fields
