"""A PostgreSQL database, as pg_dump writes it; its rows are counted in the very state that is dumped."""

import subprocess
from typing import Any

from fedikit.data.onhost.trouble import Trouble

from .commands import printed, running
from .wire import PIECE, Wire

BEGIN = b"PGDMP"
"""How a dump in pg_dump's own format begins."""
END = "fedikit counted all"
HOLD = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n"
# Each table's rows, by a statement for each; those of extensions come with them.
COUNT = f"""\
SELECT format('SELECT %L || count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname || ' ', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 1 \\gexec
\\echo '{END}'
"""  # noqa: S608


class Part:
    """One database, reached as its application does."""

    def __init__(self, spec: dict[str, Any], secrets: dict[str, str], _after: str) -> None:
        self._name = spec["name"]
        self._environment = {
            "PGHOST": spec["host"],
            "PGPORT": str(spec["port"]),
            "PGUSER": spec["user"],
            "PGDATABASE": spec["name"],
            "PGPASSWORD": secrets["database-password"],
            "PGSSLMODE": "require" if spec["encrypted"] else "disable",
            "PGCONNECT_TIMEOUT": "20",
        }
        self._psql = ["psql", "-XAtq", "--no-password", "--set=ON_ERROR_STOP=1"]

    def measure(self) -> int:
        """Its bytes on the disk; a dump is smaller."""
        asked = [*self._psql, "--command=SELECT pg_database_size(current_database())"]
        return int(printed(asked, self._environment))

    def stream(self, wire: Wire) -> dict[str, Any]:
        version = printed([*self._psql, "--command=SHOW server_version"], self._environment)
        with running(self._psql, self._environment, talks=True) as session:
            self._dump(_answer(session, HOLD), wire)
            assert session.stdin
            session.stdin.write(COUNT.encode())
            session.stdin.flush()
            counts = _counts(session)
        return {"counts": counts, "version": f"PostgreSQL {version}"}

    def _dump(self, snapshot: str, wire: Wire) -> None:
        command = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        with running([*command, "--no-password"], self._environment) as process:
            assert process.stdout
            first = process.stdout.read(PIECE)
            wire.data(first)
            while piece := process.stdout.read(PIECE):
                wire.data(piece)
        if not first.startswith(BEGIN):
            raise Trouble(f"pg_dump ended well, but what it wrote of {self._name} is no dump")


def _answer(session: "subprocess.Popen[bytes]", question: str) -> str:
    """The one line that a session says to a question; nothing where it ended instead, which is told at its end."""
    assert session.stdin
    assert session.stdout
    session.stdin.write(question.encode())
    session.stdin.flush()
    line = session.stdout.readline().decode().strip()
    if not line:
        raise BrokenPipeError
    return line


def _counts(session: "subprocess.Popen[bytes]") -> dict[str, int]:
    """The rows of each table."""
    assert session.stdout
    counts: dict[str, int] = {}
    for line in session.stdout:
        said = line.decode(errors="replace").rstrip("\n")
        if said == END:
            return counts
        table, _, count = said.rpartition(" ")
        counts[table] = int(count)
    raise BrokenPipeError
