"""A MariaDB database, as mariadb-dump writes it, compressed by gzip; its rows are counted as they go by."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fedikit.data.onhost.mariadb_dump import Counter, owned
from fedikit.data.onhost.trouble import Trouble

from .commands import printed, running
from .wire import Wire

GZIP = 31
SIZE = (
    "SELECT coalesce(sum(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = database()"
)
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
        rows, gzip = Counter(), zlib.compressobj(6, wbits=GZIP)
        with self._access() as (options, file):
            dump = ["mariadb-dump", *options, *_OPTIONS, self._spec["name"]]
            with running(dump, {}, files=(file,)) as process:
                assert process.stdout
                for line in owned(rows.passing(process.stdout)):
                    wire.data(gzip.compress(line))
        if not rows.is_whole:
            raise Trouble(f"mariadb-dump ended well, but its dump of {self._spec['name']} has no end")
        wire.data(gzip.flush())
        return {"counts": rows.tables, "version": f"MariaDB {version}"}

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
