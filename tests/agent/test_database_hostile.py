"""The agent asks PostgreSQL as its administrator, also in databases whose owners would have it run what is theirs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedikit.agent.hands import Hands
from fedikit.agent.kinds import database
from fedikit.data.onhost.psql import newest_programs
from tests.agent.test_database import wanted, work_on
from tests.lab.contract.conftest import postgresql_cluster

KIND = database.DatabaseKind()
OWNERS = """
CREATE SCHEMA hers;
CREATE FUNCTION hers.run() RETURNS name LANGUAGE plpgsql AS $$
BEGIN EXECUTE 'ALTER ROLE app SUPERUSER'; RETURN 'ran'; END $$;
CREATE VIEW hers.pg_extension AS SELECT hers.run() AS extname;
CREATE VIEW hers.pg_authid AS SELECT hers.run() AS rolname;
"""


class Administrator(Hands):
    """Hands whose psql asks a real server as its administrator."""

    def __init__(self, root: Path, place: dict[str, str]) -> None:
        super().__init__(str(root), b"key")
        self.place = place

    def ask(self, command: list[str]) -> str:
        assert command[:4] == ["runuser", "--user", "postgres", "--"]
        return self._asked(command[4:], b"")

    def run(self, command: list[str], *, stdin: bytes = b"", user: str = "root", seconds: int = 120) -> str:
        return self._asked(command, stdin)

    def tell(self, script: str, *, database: str) -> str:
        words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database]
        return self._asked(words, script.encode())

    def _asked(self, command: list[str], stdin: bytes) -> str:
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        environment = {"PATH": "/usr/bin:/bin", **{names[name]: value for name, value in self.place.items()}}
        return subprocess.run(command, env=environment, input=stdin, capture_output=True, timeout=60).stdout.decode()


@pytest.fixture(scope="module")
def place() -> Iterator[dict[str, str]]:
    with postgresql_cluster() as place:
        yield place


@pytest.fixture
def server(place: dict[str, str], tmp_path: Path) -> Administrator:
    programs = tmp_path / "usr/lib/postgresql/17/bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch()
    (programs / "psql").symlink_to(newest_programs() / "psql")
    return Administrator(tmp_path, place)


@pytest.mark.parametrize(
    "setting", ["search_path = hers, pg_catalog", "default_transaction_read_only = on", "role = 'app'"]
)
def test_an_owner_of_a_database_has_its_administrator_run_nothing(server: Administrator, setting: str) -> None:
    server.tell("DROP DATABASE IF EXISTS app;", database="postgres")
    item = wanted("postgresql", extensions=["pg_trgm"])
    KIND.converge(server, item, work_on(item))
    server.tell(f"SET ROLE app; {OWNERS} ALTER DATABASE app SET {setting};", database="app")
    seen = KIND.observe(server, item)
    assert superusers(server) == ["owner"]
    assert seen["extensions"] == ["pg_trgm", "plpgsql"]
    more = wanted("postgresql", extensions=["pg_trgm", "unaccent"])
    KIND.converge(server, more, work_on(more))
    other = wanted("postgresql", extensions=["pg_trgm", "unaccent"], user="other")
    KIND.converge(server, other, work_on(other))
    assert KIND.observe(server, other)["owner"] == "other"
    assert superusers(server) == ["owner"]


def superusers(server: Administrator) -> list[str]:
    script = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper AND rolname !~ '^pg_';"
    return server.tell(script, database="postgres").splitlines()
