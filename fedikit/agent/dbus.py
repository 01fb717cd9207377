"""D-Bus with systemd, over the socket where it speaks with root itself: there need not be a message bus.

By hand: to start a program that does it takes longer than the call, and minimal systems have none that does it so.
"""

import _socket  # without `socket`: what it has besides takes time to import
import os
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

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
TEXTS = ("s", "o", "g")
SIZES = {"y": 1, "n": 2, "q": 2, "i": 4, "u": 4, "h": 4, "b": 4, "x": 8, "t": 8, "d": 8}
"""What numbers take, in bytes."""
CHUNK = 65536


class Strange(OSError):
    """It said what is not understood here."""


class Writer:
    """Writes values as D-Bus has them: each at a multiple of its own size."""

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        self.data += bytes(-len(self.data) % size)

    def number(self, number: int) -> None:
        self.align(4)
        self.data += struct.pack("<I", number)

    def text(self, text: str) -> None:
        self.number(len(text.encode()))
        self.data += text.encode() + b"\0"

    def signature(self, text: str) -> None:
        self.data += bytes([len(text)]) + text.encode() + b"\0"

    def variant(self, signature: str, write: Callable[[], None]) -> None:
        self.signature(signature)
        write()

    def array(self, element: int, write: Callable[[], None]) -> None:
        """An array; `element` is what its elements are aligned to."""
        self.number(0)
        at = len(self.data)
        self.align(element)
        start = len(self.data)
        write()
        self.data[at - 4 : at] = struct.pack("<I", len(self.data) - start)


class Reader:
    """Reads values in the same way; raises Strange where there are none such."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def align(self, size: int) -> None:
        self.at += -self.at % size

    def number(self, size: int = 4) -> int:
        self.align(size)
        return int.from_bytes(self._piece(size), "little")

    def text(self) -> str:
        return self._words(self.number())

    def signature(self) -> str:
        return self._words(self.number(1))

    def value(self) -> str:
        """A variant, in systemd's own words; of a list only whether it is there."""
        return self._of(self.signature())

    def _of(self, shape: str) -> str:
        if shape in TEXTS:
            return self.text() if shape != "g" else self.signature()
        if shape == "b":
            return "yes" if self.number() else "no"
        if shape in SIZES:
            return str(self.number(SIZES[shape]))
        if shape.startswith("a"):
            return self._list(shape[1])
        if shape.startswith("("):
            return self._row(shape[1:-1])
        raise Strange(f"a value of the kind {shape}")

    def _list(self, element: str) -> str:
        size = self.number()
        self.align(SIZES.get(element) or (8 if element in "({" else 1 if element in "gv" else 4))
        self._piece(size)
        return "there" if size else ""

    def _row(self, kinds: str) -> str:
        self.align(8)
        parts = []
        while kinds:
            first, kinds = _first_of(kinds)
            parts.append(self._of(first))
        return " ".join([parts[0], *(f'"{part}"' for part in parts[1:])]) if any(parts) else ""

    def _words(self, size: int) -> str:
        return self._piece(size + 1)[:size].decode(errors="replace")

    def _piece(self, size: int) -> bytes:
        piece = self._data[self.at : self.at + size]
        if len(piece) < size:
            raise Strange("a message that ends too early")
        self.at += size
        return piece


def _first_of(kinds: str) -> tuple[str, str]:
    """The first of some kinds of values, and the others."""
    if kinds[0] == "a":
        element, others = _first_of(kinds[1:])
        return f"a{element}", others
    depth = 0
    for end, sign in enumerate(kinds, 1):
        depth += (sign in "({") - (sign in ")}")
        if depth == 0:
            return kinds[:end], kinds[end:]
    raise Strange(f"values of the kinds {kinds}")


class Message(NamedTuple):
    """What systemd says: an answer or a refusal, by the number of the call, or a signal, by its name."""

    form: int
    serial: int
    member: str
    body: bytes


class Line:
    """A connection to systemd, for so many seconds in all: a context manager. Raises OSError if there is no answer."""

    def __init__(self, seconds: float = ANSWERING_SECONDS) -> None:
        self._deadline = time.monotonic() + seconds
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._received = bytearray()
        self._serial = 0
        self._outgoing = b""

    def __enter__(self) -> "Line":
        try:
            self._wait_no_longer()
            self._socket.connect(PRIVATE)
            self._introduce_us()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
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
        _, form, _, _, body, _, fields = HEAD.unpack(self._take(HEAD.size))
        size = fields + -fields % 8
        if size + body > MOST_BYTES:
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
