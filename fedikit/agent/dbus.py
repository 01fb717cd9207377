"""One call of systemd's by D-Bus, over the socket where it speaks with root itself: there need not be a message bus.

By hand: to start a program that does it takes longer than the call, and minimal systems have none that does it so.
"""

import os
import socket
import struct
from collections.abc import Callable
from typing import BinaryIO

PRIVATE = "/run/systemd/private"
DESTINATION, PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
INTERFACE = "org.freedesktop.systemd1.Manager"
CALL, ANSWER, REFUSAL = 1, 2, 3
HEAD = struct.Struct("<cBBBIII")
MOST_SIGNALS = 1000
PATH_FIELD, INTERFACE_FIELD, MEMBER_FIELD, DESTINATION_FIELD, SIGNATURE_FIELD = 1, 2, 3, 6, 8
ANSWERING_SECONDS = 5.0


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


def call(member: str, signature: str, body: bytes) -> bool:
    """Whether systemd did as it was told; raises OSError if it cannot be asked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ANSWERING_SECONDS)
        line.connect(PRIVATE)
        line.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\nBEGIN\r\n")
        line.sendall(_message(member, signature, body))
        said = line.makefile("rb")
        return said.readline().startswith(b"OK ") and _answer_in(said) == ANSWER


def _answer_in(said: BinaryIO) -> int:
    """The kind of the answer; signals come before it, of which each message says how long it is."""
    for _ in range(MOST_SIGNALS):
        head = said.read(HEAD.size)
        if len(head) < HEAD.size:
            break
        _, form, _, _, body, _, fields = HEAD.unpack(head)
        if form in (ANSWER, REFUSAL):
            return int(form)
        said.read(fields + -fields % 8 + body)
    return REFUSAL


def _message(member: str, signature: str, body: bytes) -> bytes:
    head = Writer()
    head.data += b"l" + bytes([CALL, 0, 1])
    head.number(len(body))
    head.number(1)
    head.array(8, lambda: _write_fields(head, member, signature))
    head.align(8)
    return bytes(head.data) + body


def _write_fields(head: Writer, member: str, signature: str) -> None:
    texts = (
        (PATH_FIELD, "o", PATH), (INTERFACE_FIELD, "s", INTERFACE), (MEMBER_FIELD, "s", member),
        (DESTINATION_FIELD, "s", DESTINATION),
    )  # fmt: skip
    for number, kind, text in texts:
        head.align(8)
        head.data.append(number)
        head.variant(kind, lambda text=text: head.text(text))  # type: ignore[misc]
    head.align(8)
    head.data.append(SIGNATURE_FIELD)
    head.variant("g", lambda: head.signature(signature))
