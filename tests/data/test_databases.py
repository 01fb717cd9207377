"""Databases on a real machine: the servers and clients of Debian 13, restic, and the program that uses them."""

import random
from typing import Any

import pytest

from tests.data.conftest import Place
from tests.data.onhost import test_mariadb, test_postgresql

pytestmark = pytest.mark.lab

PASSWORD = r"owner:pass\word 'x' #"
PSQL = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d"
POSTGRES = """\
CREATE ROLE "Elk" LOGIN PASSWORD '{password}'; CREATE ROLE reader;
CREATE DATABASE elk OWNER "Elk" TEMPLATE template0;
\\connect elk
CREATE EXTENSION pg_trgm; CREATE EXTENSION pageinspect; SET ROLE "Elk";
"""
MARIA = """\
CREATE DATABASE moose CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci;
CREATE USER moose@127.0.0.1 IDENTIFIED BY '{password}'; GRANT ALL PRIVILEGES ON moose.* TO moose@127.0.0.1;
"""
DUMP_POSTGRES = (
    "set -o pipefail; runuser -u postgres -- pg_dump --no-privileges elk"
    " | grep -v -e '^--' -e '^.restrict' -e '^.unrestrict'"
)
NOBODY_IN_ELK = "SELECT 1 / (count(*) = 0)::int FROM pg_stat_activity WHERE datname = 'elk'"
DUMP_MARIA = "mariadb-dump --routines --events --hex-blob --skip-dump-date --skip-comments moose"
MANY = 200_000


def part(kind: str, name: str, user: str, **fields: Any) -> dict[str, Any]:
    port = {"postgresql": 5432, "mariadb": 3306}[kind]
    where = {"host": "127.0.0.1", "port": port, "user": user, "name": name}
    return {"id": f"{kind}:{name}", "kind": kind, **where, **fields}


def tell(place: Place, client: str, script: str) -> str:
    result = place.machine.run(client, stdin=script, seconds=60)
    assert result.exit_status == 0, result
    return result.stdout


def test_postgresql_comes_back_as_it_was_though_the_restore_is_killed(place: Place) -> None:
    place.machine.succeed("systemctl start postgresql@17-main")
    script = POSTGRES.format(password=PASSWORD.replace("'", "''")) + test_postgresql.EVERYTHING
    many = f"CREATE TABLE many AS SELECT n, repeat(md5(n::text), 4) AS text FROM generate_series(1, {MANY}) n;"
    tell(place, f"{PSQL} postgres", f"{script}{many}CREATE INDEX ON many (text);")
    place.set_up("elk", [part("postgresql", "elk", "Elk", encrypted=False, extensions=["pg_trgm"])])
    place.secret("elk", "database-password", PASSWORD)
    before = place.machine.succeed(DUMP_POSTGRES)
    newest = place.done("backup", "elk")["result"]["newest"]
    assert newest["parts"][0]["counts"]["rows"] == MANY + 100 + 3 + 2 + 4
    tell(
        place,
        f"{PSQL} elk",
        'SET ROLE "Elk"; DELETE FROM many WHERE n > 10; DROP TABLE other.people CASCADE; CREATE TABLE new (a int);',
    )
    changed = place.machine.succeed(DUMP_POSTGRES)
    for _ in range(2):
        place.run_and_kill(f"restore elk --backup {newest['id']}", after=random.uniform(4, 8))
        place.machine.wait_until_succeeds(f'{PSQL} postgres -c "{NOBODY_IN_ELK}"')  # the server ends what it was told
        assert place.machine.succeed(DUMP_POSTGRES) in (changed, before)

    restored = place.done("restore", "elk", "--backup", newest["id"])["restored"]

    assert place.machine.succeed(DUMP_POSTGRES) == before
    assert restored["differences"] == ["there are 0 grants to others, in the backup 1"]


def test_mariadb_comes_back_as_it_was_though_the_restore_is_killed(place: Place) -> None:
    place.machine.succeed("systemctl start mariadb")
    tell(place, "mariadb", MARIA.format(password=PASSWORD.replace("\\", "\\\\").replace("'", "''")))
    login = "mariadb --default-character-set=utf8mb4 --host=127.0.0.1 --user=moose --database=moose"
    many = f"CREATE TABLE many SELECT seq AS n, REPEAT(MD5(seq), 4) AS text FROM seq_1_to_{MANY};"
    place.write("/root/login.cnf", f'[client]\npassword="{PASSWORD.replace(chr(92), chr(92) * 2)}"\n')
    login = login.replace("mariadb ", "mariadb --defaults-extra-file=/root/login.cnf ", 1)
    tell(place, login, test_mariadb.EVERYTHING + many)
    place.set_up("moose", [part("mariadb", "moose", "moose")])
    place.secret("moose", "database-password", PASSWORD)
    before = place.machine.succeed(DUMP_MARIA)
    newest = place.done("backup", "moose")["result"]["newest"]
    assert newest["parts"][0]["counts"]["rows"] == MANY + 100 + 4 + 1
    tell(place, login, "DELETE FROM many WHERE n > 10; DROP TABLE notes; CREATE TABLE new (a int)")
    for _ in range(2):
        place.run_and_kill(f"restore moose --backup {newest['id']}", after=random.uniform(4, 8))

    restored = place.done("restore", "moose", "--backup", newest["id"])["restored"]

    assert place.machine.succeed(DUMP_MARIA) == before
    assert restored["differences"] == []
