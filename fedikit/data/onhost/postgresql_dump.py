"""A dump of PostgreSQL's that lies in a repository: what is in it, and the statements that make it anew."""

import re
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from .client import END_SECONDS, SILENCE_SECONDS, blocks_of, last_of
from .command import end, start
from .psql import ENVIRONMENT, Server
from .repository import Repository
from .trouble import Trouble

FILE = "postgresql.dump"
_AS_ITS_OWN = ("--no-owner", "--no-privileges", "--no-tablespaces")
"""A restore needs no role and no tablespace that the server might not have."""
_NO_PATH = b"SELECT pg_catalog.set_config('search_path', '', false);\n"
_HEAD = 1 << 16
_MOST_LISTED = 32 << 20
"""A hundred bytes for each thing: what tells more would fill the memory."""
_RESTRICTED = re.compile(rb"(--[^\n]*\n|\n)*\\restrict [A-Za-z0-9]+\n")
"""How a script begins in which psql takes nothing but statements, as pg_restore writes it before what it is told."""
_NUMBERS = re.compile(r"^[0-9]+; [0-9]+ [0-9]+ ")


@dataclass(frozen=True)
class Dump:
    """The dump that a snapshot holds; `server` brings the programs that read it."""

    repository: Repository
    snapshot: str
    server: Server

    def entries(self) -> list[str]:
        """Its table of contents, a line for each thing; only the dump's beginning is read."""
        listed = b""
        with closing(self._read("--list")) as blocks:
            for block in blocks:
                listed += block
                if len(listed) > _MOST_LISTED:
                    raise Trouble(f"the dump in snapshot {self.snapshot[:8]} lists more than any database has")
        return listed.decode(errors="surrogateescape").splitlines()

    def script(self, staying: Sequence[str]) -> Generator[bytes, None, None]:
        """The statements that make it anew, but for the schemas that stay; raises Trouble unless it is read whole.

        As dumped they look for names in no schema, at which the functions in checks and generated columns fail that
        name things as the application does. Here they look where the role does.
        """
        with tempfile.NamedTemporaryFile() as wanted:
            wanted.write("\n".join(_without(staying, self.entries())).encode(errors="surrogateescape"))
            wanted.flush()
            with closing(self._read("--file=-", f"--use-list={wanted.name}", to_the_end=True)) as blocks:
                head = b""
                while len(head) < _HEAD and (block := next(blocks, b"")):
                    head += block
                _require_restricted(head)
                yield head.replace(_NO_PATH, b"RESET search_path;\n", 1)
                yield from blocks

    def _read(self, *options: str, to_the_end: bool = False) -> Generator[bytes, None, None]:
        words = [str(self.server.programs / "pg_restore"), *_AS_ITS_OWN, *options]
        source = self.repository.dump(self.snapshot, f"/{FILE}")
        with tempfile.TemporaryFile() as said:
            reader = start(words, ENVIRONMENT, stdin=source.stdout, stdout=subprocess.PIPE, stderr=said)
            assert source.stdout
            assert reader.stdout
            source.stdout.close()
            try:
                yield from blocks_of(reader.stdout, SILENCE_SECONDS, "the repository")
                if reader.wait(END_SECONDS) or (to_the_end and source.wait(END_SECONDS)):
                    words_of_it = f"the dump in snapshot {self.snapshot[:8]} could not be read to its end"
                    raise Trouble(words_of_it, hint="check the repository", tail=last_of(said))
            finally:
                reader.stdout.close()
                end(reader)
                end(source)


def _require_restricted(head: bytes) -> None:
    """A dump may come from another's host, and hold commands that psql would run as root."""
    if not _RESTRICTED.match(head):
        words = "PostgreSQL's client on this host would run what a dump says; that was mended in August 2025"
        raise Trouble(words, hint="upgrade its package there: fedikit upgrade; then run it again")


def _without(schemas: Sequence[str], entries: list[str]) -> list[str]:
    """What is wanted of a table of contents: not the schemas, and no comments that only another owner may make."""
    unwanted = (
        "COMMENT - EXTENSION ",
        *(f"SCHEMA - {name} " for name in schemas),
        *(f"COMMENT - SCHEMA {name} " for name in schemas),
    )
    return [entry for entry in entries if not _NUMBERS.sub("", entry).startswith(unwanted)]
