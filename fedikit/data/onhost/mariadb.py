"""A database of MariaDB: dumped in one transaction, its rows counted in the dump; a restore empties and loads it.

The application's own user does it, by TCP. A restore is not one transaction, for MariaDB has none that holds tables'
definitions: one that was cut off leaves a part of the data, and is made good by another one.
"""

import json
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from itertools import chain
from pathlib import Path
from typing import Any

from . import mariadb_dump
from . import mariadb_sql as sql
from .client import END_SECONDS, SILENCE_SECONDS, hidden, lines_of
from .command import end
from .counting import TABLE, differences_between, rows_of
from .mariadb_client import Server, reached
from .mariadb_dump import Counter, owned
from .part import Record
from .repository import Repository
from .settings import Secrets
from .trouble import Trouble

FILE = "mariadb.sql"
MINIMUM_BYTES = 500
"""The dump of an empty database has more."""
OPTIONS = ("--single-transaction", "--quick", "--skip-lock-tables", "--skip-add-locks", "--routines", "--triggers",
           "--events", "--hex-blob", "--skip-dump-date", "--no-tablespaces", "--max-allowed-packet=1G")  # fmt: skip
"""Without the date, so that what did not change is the same in each dump, and restic has it already. Without
locks, under which a restore could not fill a table whose default is a sequence's next value."""
_AT_ONCE = 200
CHECK = "check the repository"
_STATEMENT_BYTES = 10_000
"""What there may be of a statement besides one row: the names of its table and columns."""


class MariadbPart:
    """A part of kind "mariadb"."""

    def __init__(self, spec: dict[str, Any], secrets: Secrets) -> None:
        self._spec, self._secrets = spec, secrets

    def back_up(self, repository: Repository, tags: list[str]) -> Record:
        """Dumps what one transaction sees, and counts it; raises Trouble if not all of it could be restored."""
        with self._reached() as server, hidden("") as counted:
            self._require_sound(server)
            dump = server.command("mariadb-dump", *OPTIONS, self._spec["name"])
            counting = [sys.executable, "-I", mariadb_dump.__file__, counted]
            taken = repository.snapshot_command([*counting, *dump], FILE, tags, MINIMUM_BYTES)
            found = json.loads(Path(counted).read_text(encoding="utf-8"))
            self._require_that_it_takes(server, found["longest"])
            rows = {f"{TABLE}{name}": number for name, number in sorted(found["tables"].items())}
            counts, version = rows | _numbers(server.ask(sql.THINGS)), server.ask(sql.VERSION)[0]
        return {"snapshots": {"data": taken.id}, "bytes": taken.bytes, "added": taken.added,
                "counts": counts, "version": version}  # fmt: skip

    def measure(self) -> Record:
        """The bytes of its tables and indexes, as its server reckons them; its counts."""
        with self._reached() as server:
            questions = [sql.rows_of_table(name) for name in _words(server.ask(sql.TABLES))]
            rows = [line for some in _few_at_a_time(questions) for line in server.ask("".join(some))]
            return {"bytes": int(server.ask(sql.SIZE)[0]), "counts": _numbers(rows + server.ask(sql.THINGS))}

    def restore(self, repository: Repository, record: Record) -> None:
        """Makes it as it was, down to the last row; what was cut off is made good by doing it again."""
        with self._reached() as server, closing(_script(repository, record)) as blocks:
            first = next(blocks)  # nothing goes before there is something that can be read
            server.ask(sql.SEND_AWAY)
            server.ask(sql.DROPPING + "".join(_words(server.ask(sql.DROPS))))
            with server.client("restore") as client:
                client.tell(sql.AS_IT_WAS)
                for block in chain([first], blocks):
                    client.tell(block)
                client.finish()
        found = differences_between(rows_of(self.measure()["counts"]), rows_of(record["counts"]))
        if found:
            words = f"the backup does not hold what it held when it was made: {'; '.join(found[:5])}"
            raise Trouble(words, hint=f"{CHECK}, and restore another backup")

    def differences(self, record: Record) -> list[str]:
        """In words, what differs now from the record's counts."""
        return differences_between(self.measure()["counts"], record["counts"])

    def _reached(self) -> AbstractContextManager[Server]:
        return reached(self._spec, self._secrets.read("database-password"))

    def _require_sound(self, server: Server) -> None:
        found = _words(server.ask(sql.UNSOUND))
        if found:
            raise Trouble(
                f"no dump holds these tables of {self._spec['name']} as they were at one moment: {', '.join(found)}",
                hint="ALTER TABLE … ENGINE=InnoDB, or for one with a history: ALTER TABLE … DROP SYSTEM VERSIONING",
            )

    def _require_that_it_takes(self, server: Server, longest: int) -> None:
        """A row is longer in a dump than it was on its way in; one that is too long could not be loaded again."""
        limit = int(server.ask(sql.PACKET)[0])
        if longest + _STATEMENT_BYTES > limit:
            raise Trouble(
                f"a row of {self._spec['name']} has {longest:,} bytes in a dump, and its server takes {limit:,}",
                hint="set max_allowed_packet in the server's configuration to twice as much, and restart it",
            )


def _script(repository: Repository, record: Record) -> Generator[bytes, None, None]:
    """The statements of a dump, for whoever loads it; raises Trouble unless it was read whole."""
    snapshot, counter = record["snapshots"]["data"], Counter()
    source = repository.dump(snapshot, f"/{FILE}")
    assert source.stdout
    try:
        for lines in lines_of(source.stdout, SILENCE_SECONDS, "the repository"):
            if block := b"".join(owned(counter.passing(lines))):
                yield block
        if source.wait(END_SECONDS) or not counter.is_whole:
            raise Trouble(f"the dump in snapshot {snapshot[:8]} could not be read to its end", hint=CHECK)
    finally:
        source.stdout.close()
        end(source)


def _few_at_a_time(questions: list[str]) -> Iterator[list[str]]:
    """Nobody reads the answers before all questions are put, and a pipe does not hold those of thousands."""
    for start in range(0, len(questions), _AT_ONCE):
        yield questions[start : start + _AT_ONCE]


def _words(lines: Sequence[str]) -> list[str]:
    return [json.loads(line)[0] for line in lines]


def _numbers(lines: Sequence[str]) -> dict[str, int]:
    return dict(json.loads(line) for line in lines)
