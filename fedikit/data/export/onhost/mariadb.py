"""A MariaDB database, as mariadb-dump writes it, compressed by gzip; its rows are counted as they go by."""

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .commands import printed, running
from .trouble import Trouble
from .wire import Wire

TRAILER = b"-- Dump completed"
GZIP = 31
SIZE = (
    "SELECT coalesce(sum(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = database()"
)
_INSERT = re.compile(rb"INSERT INTO `((?:[^`]|``)+)` VALUES")
_OPTIONS = ("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob")


class Part:
    """One database, reached as its application does."""

    def __init__(self, spec: dict[str, Any], secrets: dict[str, str], _after: str) -> None:
        self._spec, self._password = spec, secrets["database-password"]

    def measure(self) -> int:
        """Its bytes on the disk, as the server knows them."""
        return int(self._ask(SIZE))

    def stream(self, wire: Wire) -> dict[str, Any]:
        version = self._ask("SELECT version()")
        rows, gzip = Rows(), zlib.compressobj(6, wbits=GZIP)
        with self._access() as (options, file):
            dump = ["mariadb-dump", *options, *_OPTIONS, self._spec["name"]]
            with running(dump, {}, files=(file,)) as process:
                assert process.stdout
                for line in process.stdout:
                    rows.see(line)
                    wire.data(gzip.compress(line))
        if not rows.last.startswith(TRAILER):
            raise Trouble(f"mariadb-dump ended well, but its dump of {self._spec['name']} has no end")
        wire.data(gzip.flush())
        return {"counts": rows.counts, "version": f"MariaDB {version}"}

    def _ask(self, question: str) -> str:
        with self._access() as (options, file):
            command = ["mariadb", *options, "--batch", "--skip-column-names", f"--execute={question}"]
            return printed([*command, self._spec["name"]], {}, files=(file,))

    @contextmanager
    def _access(self) -> Iterator[tuple[list[str], int]]:
        """Options that say where, and in a file that is in memory alone, by which password."""
        secret = self._password.replace("\\", "\\\\").replace('"', '\\"')
        file = os.memfd_create("access")
        os.fchmod(file, 0o600)  # else it is ignored
        try:
            os.write(file, f'[client]\npassword="{secret}"\n'.encode())
            where = [f"--host={self._spec['host']}", f"--port={self._spec['port']}", f"--user={self._spec['user']}"]
            yield [f"--defaults-extra-file=/proc/self/fd/{file}", "--protocol=tcp", *where], file
        finally:
            os.close(file)


class Rows:
    """Counts rows in what mariadb-dump writes: a row is a line of its own."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.last = b""
        self._table = ""

    def see(self, line: bytes) -> None:
        """The next line of the dump."""
        if line.strip():
            self.last = line
        if line.startswith(b"CREATE TABLE `"):
            self.counts.setdefault(_name(line.split(b"`", 1)[1].rpartition(b"`")[0]), 0)
        elif begin := _INSERT.match(line):
            self._table = _name(begin[1])
        elif self._table and line.startswith(b"("):
            self.counts[self._table] = self.counts.get(self._table, 0) + 1
            if line.endswith(b");\n"):
                self._table = ""


def _name(written: bytes) -> str:
    return written.replace(b"``", b"`").decode(errors="replace")
