"""A database of PostgreSQL, backed up and restored by a role that owns it and is no superuser; in a real server."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost.part import Record
from fedikit.data.onhost.postgresql import PostgresPart
from fedikit.data.onhost.postgresql_dump import Dump
from fedikit.data.onhost.psql import Server
from fedikit.data.onhost.trouble import Absent, Trouble
from tests.data.onhost.shelf import PASSWORD, Shelf, secrets_in
from tests.lab.contract.conftest import postgresql_cluster, wait_until

USER = "App'Role"
"""A name that breaks whatever does not quote it."""
EVERYTHING = """
CREATE TABLE "Odd "" name|" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "MixedCase" text, twice int
  GENERATED ALWAYS AS (length("MixedCase") * 2) STORED);
INSERT INTO "Odd "" name|" ("MixedCase") VALUES ('a'), (E'b\\n\\\\.\\nc'), ('\\! touch /tmp/never');
CREATE TABLE statuses (id bigserial PRIMARY KEY, parent bigint REFERENCES statuses, text text CHECK (text <> ''));
INSERT INTO statuses (text) SELECT 'status ' || n FROM generate_series(1, 100) n;
COMMENT ON TABLE statuses IS 'what people say';
CREATE INDEX ON statuses USING gin (text public.gin_trgm_ops);
CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('glad', 'sad');
CREATE TYPE other.span AS RANGE (subtype = int);
CREATE DOMAIN other.handle AS text CHECK (VALUE ~ '^@');
CREATE TABLE other.people (id int, mood other.mood, handle other.handle, span other.span);
INSERT INTO other.people VALUES (1, 'glad', '@a', '[1,3)'), (2, 'sad', '@b', NULL);
CREATE VIEW other.glad AS SELECT id FROM other.people WHERE mood = 'glad';
CREATE FUNCTION number_of_statuses() RETURNS bigint LANGUAGE plpgsql STABLE AS
  $$ BEGIN RETURN (SELECT count(*) FROM public.statuses); END $$;
CREATE MATERIALIZED VIEW summary AS SELECT number_of_statuses() AS number;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.text := NEW.text || '!'; RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE INSERT ON statuses FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION next_of(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 + one(); END';
CREATE TABLE counted (a int CHECK (next_of(a) > 1), b int GENERATED ALWAYS AS (next_of(a)) STORED);
INSERT INTO counted VALUES (1);
CREATE AGGREGATE longest(text) (SFUNC = textcat, STYPE = text);
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
CREATE TABLE events (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX ON events (id);
INSERT INTO events VALUES (1, '2025-05-05');
CREATE TABLE parent (a int); CREATE TABLE heir (b int) INHERITS (parent); INSERT INTO heir VALUES (1, 2);
CREATE UNLOGGED TABLE fleeting (a int); INSERT INTO fleeting VALUES (1);
SELECT lo_from_bytea(0, 'a large object');
CREATE STATISTICS pairs ON id, parent FROM statuses;
CREATE PUBLICATION told FOR TABLE statuses;
CREATE COLLATION other.letters FROM "C";
CREATE TEXT SEARCH CONFIGURATION other.words (COPY = simple);
CREATE FUNCTION other.more(other.mood, other.mood) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1::text > $2::text';
CREATE OPERATOR other.>> (FUNCTION = other.more, LEFTARG = other.mood, RIGHTARG = other.mood);
CREATE CAST (text AS other.mood) WITH INOUT;
CREATE RULE quiet AS ON DELETE TO other.glad DO INSTEAD NOTHING;
CREATE POLICY own ON statuses USING (id > 0);
GRANT SELECT ON statuses TO reader;
"""


@dataclass(frozen=True)
class Database:
    """A database of the server, its part, and where its backups go."""

    place: dict[str, str]
    name: str
    part: PostgresPart
    shelf: Shelf

    def as_owner(self, script: str) -> str:
        return psql({**self.place, "user": USER, "password": PASSWORD}, self.name, script)

    def as_administrator(self, script: str) -> str:
        return psql(self.place, self.name, script)

    def back_up(self) -> Record:
        return json.loads(json.dumps(self.part.back_up(self.shelf, ["run=1"])))

    def restore(self, record: Record, **changes: Any) -> None:
        self.part.restore(replace(self.shelf, **changes), record)

    def content(self) -> str:
        """All that pg_dump tells of it, in plain statements."""
        return pg_dump(self.place, self.name)


def environment_of(place: dict[str, str]) -> dict[str, str]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return {"PATH": "/usr/bin:/bin", **{names[name]: place[name] for name in names}}


def psql(place: dict[str, str], database: str, script: str) -> str:
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database]
    done = subprocess.run(command, env=environment_of(place), input=script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def pg_dump(place: dict[str, str], database: str) -> str:
    command = ["pg_dump", "--no-privileges", "-d", database]
    done = subprocess.run(command, env=environment_of(place), capture_output=True, text=True, timeout=60, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("--", "\\")))


@pytest.fixture(scope="module")
def place() -> Iterator[dict[str, str]]:
    """A server with the application's role, made as the agent makes it, and somebody who may read."""
    with postgresql_cluster() as place:
        role, password = USER.replace('"', '""'), PASSWORD.replace("'", "''")
        psql(place, "postgres", f"""CREATE ROLE "{role}" LOGIN PASSWORD '{password}'; CREATE ROLE reader;""")
        yield place


@pytest.fixture
def make(place: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    made: list[str] = []

    def make_database(name: str) -> Database:
        psql(place, "postgres", f'CREATE DATABASE "{name}" OWNER "{USER}" TEMPLATE template0')
        psql(
            place,
            name,
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC; CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent',
        )
        made.append(name)
        (tmp_path / name).mkdir()
        spec = {
            "id": f"postgresql:{name}", "kind": "postgresql", "host": place["host"], "port": int(place["port"]),
            "user": USER, "name": name, "encrypted": False, "extensions": ["pg_trgm"],
        }  # fmt: skip
        return Database(place, name, PostgresPart(spec, secrets_in(tmp_path)), Shelf(tmp_path / name))

    yield make_database
    for name in made:
        psql(place, "postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def test_all_kinds_of_things_come_back_as_they_were(make: Callable[[str], Database]) -> None:
    database = make("one")
    database.as_owner(EVERYTHING)
    before = database.content()
    record = database.back_up()
    assert record["counts"]["table public.statuses"] == 100
    assert record["version"].startswith("PostgreSQL 1")
    database.as_owner(
        "DELETE FROM statuses WHERE id > 50; DROP TABLE other.people CASCADE; ALTER TABLE events ADD COLUMN new text;"
        "CREATE TABLE later (a int); CREATE SCHEMA later; CREATE TABLE later.later (a int); SELECT lo_create(0);"
        "CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    assert database.content() != before

    database.restore(record)

    assert database.content() == before
    assert database.as_owner("SELECT number FROM summary") == "100"
    assert database.part.differences(record) == ["there are 0 grants to others, in the backup 1"]
    database.restore(record)
    assert database.content() == before


def test_counts_and_dump_see_the_same_moment(make: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch) -> None:
    database = make("moment")
    database.as_owner("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    dump = Shelf.snapshot_command

    def write_meanwhile(*words: Any) -> Any:
        database.as_owner("INSERT INTO t VALUES (2)")
        return dump(*words)

    monkeypatch.setattr(Shelf, "snapshot_command", write_meanwhile)
    record = database.back_up()
    assert record["counts"] == {"table public.t": 1}
    assert database.part.differences(record) == ["public.t has 2 rows, the backup 1"]

    database.restore(record)

    assert database.part.measure()["counts"] == {"table public.t": 1}


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.7, 0.999])
def test_a_dump_cut_short_changes_nothing(make: Callable[[str], Database], share: float) -> None:
    database = make("cut")
    database.as_owner(EVERYTHING)
    record = database.back_up()
    database.as_owner("DELETE FROM statuses WHERE id > 50")
    before = database.content()

    with pytest.raises(Trouble) as caught:
        database.restore(record, cut=max(1, int(record["bytes"] * share)))

    assert caught.value.message == "the dump in snapshot snapshot could not be read to its end"
    assert database.content() == before


def test_rows_that_the_dump_lacks_are_missed_before_anything_is_changed(make: Callable[[str], Database]) -> None:
    database = make("fewer")
    database.as_owner("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    record = database.back_up()
    record["counts"]["table public.t"] = 1_000
    record["counts"]["table public.gone"] = 1
    database.as_owner("INSERT INTO t VALUES (2)")

    with pytest.raises(Trouble, match=r"does not hold .* there is no table public.gone; the backup has it, with 1 row; "
                                      r"public.t has 1 row, the backup 1,000; nothing was changed"):  # fmt: skip
        database.restore(record)

    assert database.as_owner("SELECT count(*) FROM t") == "2"


def test_a_failed_dump_is_no_backup(make: Callable[[str], Database]) -> None:
    database = make("broken")
    database.as_owner("CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    with pytest.raises(Trouble) as caught:
        database.back_up()
    assert "row-level security" in caught.value.tail
    assert list(database.shelf.folder.iterdir()) == []


def test_a_dump_without_the_tables_that_were_counted_is_no_backup(
    make: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make("partial")
    database.as_owner("CREATE TABLE t (a int); CREATE TABLE u (a int)")
    monkeypatch.setattr("fedikit.data.onhost.postgresql.OPTIONS", ("--format=custom", "--exclude-table=u"))
    with pytest.raises(Trouble, match="the dump has the data of 1 tables, and the database has 2"):
        database.back_up()


def test_a_restore_that_is_killed_leaves_the_database_as_it_was(make: Callable[[str], Database]) -> None:
    database = make("killed")
    database.as_owner("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 50000)")
    record = database.back_up()
    database.as_owner("DELETE FROM t WHERE a > 5")
    shelf = replace(database.shelf, cut=250_000, stops=True)
    work = get_context("spawn").Process(target=database.part.restore, args=(shelf, record))
    work.start()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'killed' AND query LIKE 'COPY %'"
    wait_until(lambda: database.as_administrator(sessions) == "1", "the restore to be midway")

    work.kill()
    work.join()

    wait_until(lambda: database.as_administrator(sessions) == "0", "its session to end")
    assert database.as_owner("SELECT count(*) FROM t") == "5"
    database.restore(record)
    assert database.as_owner("SELECT count(*) FROM t") == "50000"


def test_who_still_uses_the_database_as_the_application_is_sent_away(make: Callable[[str], Database]) -> None:
    database = make("used")
    database.as_owner("CREATE TABLE t (a int)")
    record = database.back_up()
    environment = environment_of({**database.place, "user": USER, "password": PASSWORD})
    words = ["psql", "-XAtq", "-d", "used", "-c", "BEGIN", "-c", "SELECT FROM t", "-c", "SELECT pg_sleep(100)"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE) as other:
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100)'"
        wait_until(lambda: database.as_administrator(asleep) == "1", "another session to hold the table")
        database.restore(record)
        assert other.wait(20) != 0


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("CREATE TABLE foreign_table (a int)", "table public.foreign_table (owner)"),
        ("CREATE VIEW v AS SELECT 1 AS one", "view public.v (owner)"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f() (owner)"),
        ("CREATE TYPE kind AS ENUM ('a')", "type public.kind (owner)"),
        ("CREATE PUBLICATION p FOR ALL TABLES", "publication p (owner)"),
        (
            "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
            "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e()",
            "event trigger e (owner), function public.e() (owner)",
        ),
    ],
)
def test_what_the_role_could_not_restore_is_refused_when_it_is_backed_up(
    make: Callable[[str], Database], script: str, told: str
) -> None:
    database = make("others")
    database.as_administrator(script)
    with pytest.raises(Trouble) as caught:
        database.back_up()
    assert caught.value.message == f"the database others holds what is not {USER}'s, who could not restore it: {told}"
    assert list(database.shelf.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("SELECT lo_create(77001); GRANT SELECT ON LARGE OBJECT 77001 TO PUBLIC", "large object 77001 (owner)"),
        ("CREATE COLLATION c (provider = icu, locale = 'de')", "collation public.c (owner)"),
        ("CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)", "text search configuration public.c (owner)"),
        ("CREATE OPERATOR FAMILY f USING btree", "what only a superuser can make, so {user} could not restore it: "
                                                 "operator family public.f USING btree"),
        ("CREATE FUNCTION f(text) RETURNS text LANGUAGE internal AS 'upper'; ALTER FUNCTION f(text) OWNER TO {role}",
         "what only a superuser can make, so {user} could not restore it: function public.f(pg_catalog.text)"),
        ("CREATE SCHEMA s; CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO {role}",
         "{user} could not restore what is in these schemas of the database beyond, for they are others': s"),
    ],
)  # fmt: skip
def test_what_a_restore_would_stumble_over_is_refused_when_it_is_backed_up(
    make: Callable[[str], Database], script: str, words: str
) -> None:
    database = make("beyond")
    database.as_administrator(script.format(role=f'"{USER}"'))
    with pytest.raises(Trouble) as caught:
        database.back_up()
    assert caught.value.message.endswith(words.format(user=USER))
    assert list(database.shelf.folder.iterdir()) == []


def test_rows_that_lie_by_the_hash_of_an_enum_come_back_in_another_partition(make: Callable[[str], Database]) -> None:
    database = make("hashed")
    database.as_owner(
        "CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f'); CREATE TABLE t (m mood) PARTITION BY HASH (m);"
        "CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        "INSERT INTO t SELECT unnest(enum_range(NULL::mood)); CREATE TABLE u (a int)"
    )
    record = database.back_up()
    assert record["counts"] == {"table public.t": 6, "table public.u": 0, "partitioned tables": 1, "types": 1}
    for _ in range(3):
        database.restore(record)
        assert database.part.differences(record) == []


def test_what_no_dump_holds_is_told_after_a_restore_elsewhere(make: Callable[[str], Database]) -> None:
    database, other = make("settled"), make("elsewhere")
    database.as_owner("CREATE TABLE t (a int)")
    database.as_administrator(
        "ALTER DATABASE settled SET work_mem = '8MB'; CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p "
        "WITH (connect = false, slot_name = NONE)"
    )
    record = database.back_up()
    other.part.restore(database.shelf, record)
    database.as_administrator("DROP SUBSCRIPTION s")
    assert other.part.differences(record) == [
        "there are 0 settings of the database, in the backup 1",
        "there are 0 subscriptions, in the backup 1",
    ]


def test_a_server_of_anothers_tables_comes_back_with_how_it_is_reached(make: Callable[[str], Database]) -> None:
    database = make("reaching")
    database.as_administrator(
        f'CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO "{USER}"'
    )
    database.as_owner(
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'x'); CREATE FOREIGN TABLE f (a int) SERVER s;"
        "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'a', password 'b')"
    )
    before, record = database.content(), database.back_up()
    database.restore(record)
    assert database.content() == before


@pytest.mark.parametrize(
    "script",
    [
        "CREATE SCHEMA extensions; CREATE EXTENSION pageinspect SCHEMA extensions",
        f"""CREATE SCHEMA extensions AUTHORIZATION "{USER}"; CREATE EXTENSION pageinspect SCHEMA extensions;
            CREATE TABLE extensions.t (a int); ALTER TABLE extensions.t OWNER TO "{USER}" """,
        "CREATE EXTENSION pageinspect; CREATE EXTENSION pg_stat_statements; COMMENT ON SCHEMA public IS 'mine'",
        "ALTER SCHEMA public OWNER TO owner; GRANT ALL ON SCHEMA public TO PUBLIC; COMMENT ON SCHEMA public IS 'other'",
        f'ALTER SCHEMA public OWNER TO "{USER}"',
    ],
)
def test_extensions_that_the_role_may_not_make_stay(make: Callable[[str], Database], script: str) -> None:
    database = make("extended")
    database.as_administrator(script)
    database.as_owner("CREATE TABLE t (a int); CREATE INDEX ON t (a)")
    before, record = database.content(), database.back_up()
    database.as_owner("DROP TABLE t")

    database.restore(record)

    assert database.content() == before


def test_an_empty_database_is_backed_up_and_comes_back(make: Callable[[str], Database]) -> None:
    database = make("empty")
    before, record = database.content(), database.back_up()
    database.as_owner("CREATE TABLE t (a int)")
    database.restore(record)
    assert (record["counts"], database.content()) == ({}, before)


def test_a_database_that_is_not_there_is_absent(make: Callable[[str], Database]) -> None:
    database = make("absent")
    database.as_owner("CREATE TABLE t (a int)")
    record = database.back_up()
    psql(database.place, "postgres", "DROP DATABASE absent")
    for act in (database.part.measure, database.back_up, lambda: database.restore(record)):
        with pytest.raises(Absent, match="there is no database absent"):
            act()


def test_a_wrong_password_is_said_and_no_password_is_told(make: Callable[[str], Database], tmp_path: Path) -> None:
    database = make("password")
    (tmp_path / "database-password").write_text("not the right one")
    with pytest.raises(Trouble) as caught:
        database.part.measure()
    assert caught.value.message == "could not measure the database password"
    assert "password authentication failed" in caught.value.tail
    assert "not the right one" not in caught.value.tail


def test_200000_rows_take_seconds(make: Callable[[str], Database]) -> None:
    database = make("many")
    database.as_owner(
        "CREATE TABLE t (id bigserial PRIMARY KEY, text text);"
        "INSERT INTO t (text) SELECT repeat(md5(n::text), 4) FROM generate_series(1, 200000) n;"
        "CREATE INDEX ON t (text)"
    )
    begun = time.monotonic()
    record = database.back_up()
    database.restore(record)
    assert time.monotonic() - begun < 30
    assert database.part.differences(record) == []


@pytest.mark.parametrize("head", ["", "-- PostgreSQL database dump\n\\! true\n\\restrict a1\n", "SELECT 1;\n"])
def test_a_client_that_would_run_what_a_dump_says_is_given_none(tmp_path: Path, head: str) -> None:
    """Its own programs write first that psql shall take nothing but statements."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf/one").touch()
    (tmp_path / "script").write_text(head)
    (tmp_path / "pg_restore").write_text(f"#!/bin/sh\ncat {tmp_path}/script\n")
    (tmp_path / "pg_restore").chmod(0o755)
    dump = Dump(Shelf(tmp_path / "shelf"), "one", Server("", "one", tmp_path))
    with pytest.raises(Trouble, match="would run what a dump says") as caught:
        list(dump.script([]))
    assert "fedikit upgrade" in caught.value.hint
    (tmp_path / "script").write_text(f"--\n-- PostgreSQL database dump\n--\n\n\\restrict k3Y\n\n{head}")
    assert b"".join(dump.script([])).endswith(head.encode())
