"""Something that listens at a socket and speaks D-Bus as systemd does with root."""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from fedikit.agent.dbus import (
    ANSWER,
    HEAD,
    MEMBER_FIELD,
    REFUSAL,
    SERIAL_FIELD,
    SIGNAL,
    SIGNATURE_FIELD,
    _fields_in,
)
from fedikit.agent.wire import Reader, Writer


class Call(NamedTuple):
    """What was asked: the method's name, its texts, and its number."""

    member: str
    texts: tuple[str, ...]
    serial: int


Says = Callable[[Call], bytes]


def message(form: int, *, serial: int = 0, member: str = "", body: bytes = b"") -> bytes:
    """A message as it comes from systemd."""
    fields = Writer()
    if serial:
        fields.align(8)
        fields.data.append(SERIAL_FIELD)
        fields.variant("u", lambda: fields.number(serial))
    if member:
        fields.align(8)
        fields.data.append(MEMBER_FIELD)
        fields.variant("s", lambda: fields.text(member))
    size = len(fields.data)
    fields.align(8)
    return HEAD.pack(b"l", form, 0, 1, len(body), 1, size) + bytes(fields.data) + body


def answer(body: bytes = b"") -> Says:
    return lambda call: message(ANSWER, serial=call.serial, body=body)


def refuse(call: Call) -> bytes:
    return message(REFUSAL, serial=call.serial)


def texts(*words: str) -> bytes:
    writer = Writer()
    for word in words:
        writer.text(word)
    return bytes(writer.data)


def job_removed(job: str, result: str) -> bytes:
    writer = Writer()
    writer.number(7)
    for word in (job, "app.service", result):
        writer.text(word)
    return message(SIGNAL, member="JobRemoved", body=bytes(writer.data))


class SystemdSocket:
    """Answers each call by its method's name; refuses all others. `heard` is what was asked, over how many `lines`."""

    def __init__(self, path: Path, says: Mapping[str, Says]) -> None:
        self.heard: list[Call] = []
        self.lines = 0
        self._says = says
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def close(self) -> None:
        """Nobody waits at it any more: else the next one, whose number may be the same, would be served by this."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._serving.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.lines += 1
            threading.Thread(target=self._speak, args=(line,), daemon=True).start()

    def _speak(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as coming, contextlib.suppress(ConnectionError):  # whoever asked may hang up
            coming.readline(), coming.readline()
            line.sendall(b"OK 0123\r\n")
            while head := coming.read(HEAD.size):
                call = _call(head, coming.read)
                self.heard.append(call)
                said = self._says.get(call.member, refuse)(call)
                line.sendall(said)
                if not said:
                    return


def _call(head: bytes, read: Callable[[int], bytes]) -> Call:
    _, _, _, _, body, serial, size = HEAD.unpack(head)
    fields = _fields_in(read(size + -size % 8), size)
    reader = Reader(read(body))
    kinds = fields.get(SIGNATURE_FIELD, "")
    if kinds == "asbb":
        end = reader.number() + 4
        return Call(fields[MEMBER_FIELD], tuple(_texts_until(reader, end)), serial)
    count = len(kinds) - len(kinds.lstrip("s"))
    return Call(fields[MEMBER_FIELD], tuple(reader.text() for _ in range(count)), serial)


def _texts_until(reader: Reader, end: int) -> list[str]:
    found = []
    while reader.at < end:
        found.append(reader.text())
    return found
