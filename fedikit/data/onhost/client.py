"""A database's client, psql or mariadb, that runs beside us and is told statements as they come."""

import contextlib
import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, NoReturn

from .command import end, start
from .trouble import TAIL_CHARACTERS, Trouble

SECONDS = 24 * 3600
"""How long one statement may take: millions of rows are counted in minutes, but their indexes are made in hours."""
_BLOCK = 1 << 18


class Client:
    """A running client, which ends at the first statement that fails; `doing` follows "could not" in its trouble."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes], doing: str) -> None:
        assert process.stdin
        assert process.stdout
        self._process, self._said, self._doing = process, said, doing
        self._in, self._out = process.stdin, process.stdout
        self._rest = b""

    def tell(self, statements: bytes) -> None:
        """Hands it statements; raises Trouble if it has ended."""
        try:
            self._in.write(statements)
            self._in.flush()
        except BrokenPipeError:
            self._fail()

    def line(self) -> str:
        """The next line of its answers; raises Trouble if it ends instead."""
        while b"\n" not in self._rest:
            block = next(blocks_of(self._out, SECONDS), b"")
            if not block:
                self._fail()
            self._rest += block
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace")

    def finish(self) -> list[str]:
        """Tells it that this was all, and returns the rest of its answers; raises Trouble if a statement failed."""
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        answers = self._rest + b"".join(blocks_of(self._out, SECONDS))
        if self._process.wait(SECONDS):
            self._fail()
        return answers.decode(errors="replace").splitlines()

    def _fail(self) -> NoReturn:
        end(self._process)
        raise Trouble(f"could not {self._doing}", tail=last_of(self._said))


@contextmanager
def running(words: Sequence[str], environment: Mapping[str, str], doing: str) -> Iterator[Client]:
    """A client that is ended with the block, whatever it does then: its server undoes what was not committed."""
    with tempfile.TemporaryFile() as said:
        process = start(words, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        try:
            yield Client(process, said, doing)
        finally:
            end(process)
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if pipe:
                        pipe.close()


@contextmanager
def hidden(text: str) -> Iterator[str]:
    """A file in memory, for us and what we start alone; gives its path. It is gone with us, however we end."""
    descriptor = os.memfd_create("fedikit-data")
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, text.encode())
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def blocks_of(stream: IO[bytes], seconds: float) -> Iterator[bytes]:
    """What comes out of a pipe, as it comes; raises Trouble if nothing came for that long."""
    while True:
        if not select.select([stream], [], [], seconds)[0]:
            raise Trouble(f"nothing came for {round(seconds / 60)} minutes")
        block = os.read(stream.fileno(), _BLOCK)
        if not block:
            return
        yield block


def last_of(file: IO[bytes]) -> str:
    """The last lines of what a command wrote into a file."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - TAIL_CHARACTERS))
    return file.read().decode(errors="replace").strip()
