"""Streams from a host: the program is sent and run there, and its frames come back until it says that all is told."""

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from fedikit.data.export.messages import TroubleTold, understood
from fedikit.errors import AgentFailed, ConnectionFailed, HostError, visible
from fedikit.model.host import Connection
from fedikit.remote.messages import MISTRUST
from fedikit.remote.program import Running, run_program

PROGRAM = b"""\
import json,os,sys
z=r.read(int(r.readline()));f=os.memfd_create("fedikit");os.write(f,z)
sys.path.insert(0,"/proc/self/fd/%d"%f)
from fedikit.data.export.onhost.main import main
os._exit(main(json.loads(r.read(int(r.readline())))))
"""
BROUGHT = ("asking", "disks", "mariadb_dump", "s3", "signature", "trouble")
"""What it has of the program that backs up."""
MARK = b"\nfedikit export\n"
MOST_BEFORE = 64 * 1024
MOST_BYTES = 1 << 20
"""The longest frame."""
LEAST_SECONDS = 30
_HEAD = struct.Struct(">cI")
Frame = tuple[str, bytes]
"""A frame's letter, and what is in it."""


@cache
def archive() -> bytes:
    """The program as a zip archive: its modules and those brought along, in packages with nothing else in them."""
    own = (path for path in files("fedikit.data.export.onhost").iterdir() if path.name.endswith(".py"))
    sources = {f"fedikit/data/export/onhost/{path.name}": path.read_bytes() for path in own}
    shared = files("fedikit.data.onhost")
    sources |= {f"fedikit/data/onhost/{name}.py": shared.joinpath(f"{name}.py").read_bytes() for name in BROUGHT}
    for path in list(sources):
        for parent in list(PurePosixPath(path).parents)[:-1]:
            sources.setdefault(f"{parent}/__init__.py", b"")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as contents:
        for name, source in sorted(sources.items()):
            contents.writestr(zipfile.ZipInfo(name), source, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@contextmanager
def frames_from(host: str, connection: Connection, request: dict[str, Any]) -> Iterator[Iterator[Frame]]:
    """The frames of an answer, as they come; the last one is ".".

    Raises HostError for trouble there, and for an answer that has no end.
    """
    told = json.dumps(request).encode()
    given = b"%d\n%s%d\n%s" % (len(archive()), archive(), len(told), told)
    with run_program(host, connection, PROGRAM, given) as running:
        yield _frames(host, running, _patience(connection))


def _patience(connection: Connection) -> float:
    """How many seconds a host may be silent; it says every five that it is at work."""
    return max(LEAST_SECONDS, connection.patience)


def _frames(host: str, running: Running, seconds: float) -> Iterator[Frame]:
    source = _Source(host, running, seconds)
    source.find_mark()
    while True:
        letter, size = _HEAD.unpack(source.take(_HEAD.size))
        if size > MOST_BYTES or letter not in b"doem.!a":
            raise AgentFailed(host, "sent what is no frame of an export", hint=MISTRUST)
        payload = source.take(size)
        match letter:
            case b"a":
                continue
            case b"!":
                raise _as_error(host, understood(host, payload, TroubleTold))
            case _:
                yield letter.decode(), payload
        if letter == b".":
            return


class _Source:
    """Bytes from a host, as many as are wanted."""

    def __init__(self, host: str, running: Running, seconds: float) -> None:
        self._host, self._running, self._seconds = host, running, seconds
        self._waiting = bytearray()

    def find_mark(self) -> None:
        """Drops what a login printed before."""
        while MARK not in self._waiting:
            if len(self._waiting) > MOST_BEFORE:
                raise AgentFailed(self._host, "printed much, but nothing of an export", hint=MISTRUST)
            self._more()
        del self._waiting[: self._waiting.index(MARK) + len(MARK)]

    def take(self, size: int) -> bytes:
        while len(self._waiting) < size:
            self._more()
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        return piece

    def _more(self) -> None:
        piece = self._running.read(self._seconds)
        if not piece:
            words = self._running.last_words().splitlines()[-1]
            raise ConnectionFailed(
                self._host, f"the stream broke off: {words}", hint="do the same again: it goes on where it was"
            )
        self._waiting += piece


def _as_error(host: str, trouble: TroubleTold) -> HostError:
    tail = "".join(f"\n  | {line}" for line in trouble.tail.splitlines()[-10:])
    return HostError(host, f"{visible(trouble.message)}{tail}", hint=trouble.hint)
