"""A dump of PostgreSQL's that lies in a repository: what is in it, and the statements that make it anew."""

import re
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from .client import blocks_of, last_of
from .command import end, start
from .psql import ENVIRONMENT, Server
from .repository import Repository
from .trouble import Trouble

FILE = "postgresql.dump"
SILENCE_SECONDS = 1800
END_SECONDS = 120
_NO_PATH = b"SELECT pg_catalog.set_config('search_path', '', false);\n"
_HEAD = 1 << 16
_NUMBERS = re.compile(r"^[0-9]+; [0-9]+ [0-9]+ ")


@dataclass(frozen=True)
class Dump:
    """The dump that a snapshot holds; `server` brings the programs that read it."""

    repository: Repository
    snapshot: str
    server: Server

    def entries(self) -> list[str]:
        """Its table of contents, a line for each thing; only the dump's beginning is read."""
        with closing(self._read("--list")) as blocks:
            return b"".join(blocks).decode(errors="surrogateescape").splitlines()

    def script(self, staying: Sequence[str]) -> Generator[bytes, None, None]:
        """The statements that make it anew, but for the schemas that stay; raises Trouble unless it is read whole.

        As dumped they look for names in no schema, at which functions fail that name their tables as the application
        does, in indexes and materialised views. Here they look where the role does.
        """
        with tempfile.NamedTemporaryFile() as wanted:
            wanted.write("\n".join(_without(staying, self.entries())).encode(errors="surrogateescape"))
            wanted.flush()
            with closing(self._read("--file=-", f"--use-list={wanted.name}", to_the_end=True)) as blocks:
                head = b""
                while len(head) < _HEAD and (block := next(blocks, b"")):
                    head += block
                yield head.replace(_NO_PATH, b"RESET search_path;\n", 1)
                yield from blocks

    def _read(self, *options: str, to_the_end: bool = False) -> Generator[bytes, None, None]:
        words = [str(self.server.programs / "pg_restore"), "--no-owner", "--no-privileges", *options]
        source = self.repository.dump(self.snapshot, f"/{FILE}")
        with tempfile.TemporaryFile() as said:
            reader = start(words, ENVIRONMENT, stdin=source.stdout, stdout=subprocess.PIPE, stderr=said)
            assert source.stdout
            assert reader.stdout
            source.stdout.close()
            try:
                yield from blocks_of(reader.stdout, SILENCE_SECONDS)
                if reader.wait(END_SECONDS) or (to_the_end and source.wait(END_SECONDS)):
                    words_of_it = f"the dump in snapshot {self.snapshot[:8]} could not be read to its end"
                    raise Trouble(words_of_it, hint="check the repository", tail=last_of(said))
            finally:
                reader.stdout.close()
                end(reader)
                end(source)


def _without(schemas: Sequence[str], entries: list[str]) -> list[str]:
    """What is wanted of a table of contents: not the schemas, and no comments that only another owner may make."""
    unwanted = (
        "COMMENT - EXTENSION ",
        *(f"SCHEMA - {name} " for name in schemas),
        *(f"COMMENT - SCHEMA {name} " for name in schemas),
    )
    return [entry for entry in entries if not _NUMBERS.sub("", entry).startswith(unwanted)]
