"""A database of PostgreSQL: dumped from one snapshot of it together with its counts, restored in one transaction.

The application's own role does it, which owns the database and is no superuser. What that role could not restore is
refused when it is backed up. Grants to others are in no backup, only their number; what is set for the database or the
role as a whole stays as it is.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from typing import Any

from . import postgresql_sql as sql
from .counting import differences_between, rows_of
from .part import Record
from .postgresql_dump import FILE, Dump
from .postgresql_owning import OBSTACLES
from .postgresql_writing import refuse_writes, take_writes
from .psql import Server, Session, reached
from .repository import Repository
from .settings import Secrets
from .trouble import Trouble

MINIMUM_BYTES = 1000
"""The dump of an empty database has more."""
OPTIONS = ("--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--lock-wait-timeout=600000")
"""Not compressed: restic does that, and recognises what it has already only if nobody did it before."""


class PostgresPart:
    """A part of kind "postgresql"."""

    def __init__(self, spec: dict[str, Any], secrets: Secrets) -> None:
        self._spec, self._secrets = spec, secrets

    def back_up(self, repository: Repository, tags: list[str]) -> Record:
        """Dumps what one transaction sees, and counts the same; raises Trouble if not all of it could be restored."""
        with self._reached() as server, server.session("back up") as session:
            seen = session.ask(sql.SNAPSHOT)[0]
            self._require_own(session)
            counts, version = _counts(session), session.ask(sql.VERSION)[0]
            dump = server.command("pg_dump", *OPTIONS, f"--snapshot={seen}")
            taken = repository.snapshot_command(dump, FILE, tags, MINIMUM_BYTES)
            _require_tables(Dump(repository, taken.id, server), counts)
        return {"snapshots": {"data": taken.id}, "bytes": taken.bytes, "added": taken.added,
                "counts": counts, "version": version}  # fmt: skip

    def measure(self) -> Record:
        """The bytes that it takes on its server's disk, which are more than those of a dump; and its counts."""
        with self._reached() as server, server.session("measure") as session:
            return {"bytes": int(session.ask(sql.SIZE)[0]), "counts": _counts(session)}

    def restore(self, repository: Repository, record: Record) -> None:
        """Makes it as it was, down to the last row; whatever goes wrong before it is whole leaves it as it is."""
        with self._reached() as server, server.session("restore") as session:
            staying = [json.loads(line)[0] for line in session.ask(sql.SCHEMAS_THAT_STAY)]
            session.ask(f"{sql.BEGIN}\n{sql.EMPTY}\n\\o /dev/null")
            with closing(Dump(repository, record["snapshots"]["data"], server).script(staying)) as blocks:
                for block in blocks:
                    session.tell(block)
            session.ask("\\o")
            _require_rows(_counts(session), record["counts"])
            session.ask("COMMIT; ANALYZE;")

    def differences(self, record: Record) -> list[str]:
        """In words, what differs now from the record's counts."""
        return differences_between(self.measure()["counts"], record["counts"])

    def refuse_writes(self) -> None:
        """From now on nobody can write there as the application does, also after a reboot; tried."""
        with self._reached() as server:
            refuse_writes(server)

    def take_writes(self) -> None:
        """The application can write again."""
        with self._reached() as server:
            take_writes(server)

    def _reached(self) -> AbstractContextManager[Server]:
        return reached(self._spec, self._secrets.read("database-password"))

    def _require_own(self, session: Session) -> None:
        for obstacle in OBSTACLES:
            found = ", ".join(json.loads(line)[0] for line in session.ask(obstacle.question))
            if found:
                told = {"name": self._spec["name"], "user": self._spec["user"], "found": found}
                raise Trouble(obstacle.words.format(**told), hint=obstacle.hint.format(**told))


def _counts(session: Session) -> dict[str, int]:
    return dict(json.loads(line) for line in session.ask(sql.ROWS + sql.THINGS))


def _require_tables(dump: Dump, counts: Mapping[str, int]) -> None:
    """The dump can be read from the repository, and has the data of each table that was counted."""
    found, expected = sum(" TABLE DATA " in entry for entry in dump.entries()), len(rows_of(counts))
    if found < expected:
        raise Trouble(f"the dump has the data of {found} tables, and the database has {expected}")


def _require_rows(now: Mapping[str, int], then: Mapping[str, int]) -> None:
    found = differences_between(rows_of(now), rows_of(then))
    if found:
        words = f"the backup does not hold what it held when it was made: {'; '.join(found[:5])}"
        raise Trouble(f"{words}; nothing was changed", hint="check the repository, and restore another backup")
