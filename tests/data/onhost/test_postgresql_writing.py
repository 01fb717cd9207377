"""Who may write to a database: refused to all sessions of its application's role, and given back; in a real server."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedikit.data.onhost import postgresql_writing
from fedikit.data.onhost.postgresql import PostgresPart
from fedikit.data.onhost.trouble import Trouble
from tests.data.onhost.shelf import PASSWORD, Shelf, secrets_in
from tests.data.onhost.test_postgresql import USER, Database, environment_of, place, psql  # noqa: F401

READ_ONLY = "cannot execute INSERT in a read-only transaction"
WRITE = "INSERT INTO statuses VALUES (1)"


def with_statuses(place: dict[str, str], folder: Path, name: str) -> Database:  # noqa: F811
    psql(place, "postgres", f'CREATE DATABASE "{name}" OWNER "{USER}"')
    spec = {"host": place["host"], "port": int(place["port"]), "user": USER, "name": name, "encrypted": False}
    database = Database(place, name, PostgresPart(spec, secrets_in(folder)), Shelf(folder / "shelf"))
    database.as_owner("CREATE TABLE statuses (id int)")
    return database


@pytest.fixture(scope="module")
def made(place: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Database:  # noqa: F811
    folder = tmp_path_factory.mktemp("database")
    (folder / "shelf").mkdir()
    return with_statuses(place, folder, "one")


@pytest.fixture
def database(made: Database) -> Database:
    """Empty, and whoever comes may write."""
    role = USER.replace('"', '""')
    made.as_administrator(f'ALTER ROLE "{role}" IN DATABASE one RESET ALL; TRUNCATE statuses')
    return made


def write(database: Database) -> str:
    """What the server says to an application that connects and writes; nothing if it takes that."""
    try:
        database.as_owner(WRITE)
    except AssertionError as refused:
        return str(refused)
    return ""


@contextmanager
def open_session(database: Database) -> Iterator["subprocess.Popen[str]"]:
    """An application's session that has been open for a while."""
    environment = environment_of({**database.place, "user": USER, "password": PASSWORD})
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(["psql", "-XAtq", "-d", database.name], env=environment, text=True, **pipes) as session:
        assert session.stdin
        assert session.stdout
        print("SELECT 'is open';", file=session.stdin, flush=True)
        assert session.stdout.readline() == "is open\n"
        yield session


def test_every_session_of_the_role_is_refused_what_it_would_change(database: Database) -> None:
    database.part.refuse_writes()
    assert READ_ONLY in write(database)
    assert database.as_owner("SELECT count(*) FROM statuses") == "0"
    database.part.refuse_writes()
    assert READ_ONLY in write(database)


def test_a_session_that_was_open_before_writes_no_more(database: Database) -> None:
    with open_session(database) as session:
        database.part.refuse_writes()
        _, said = session.communicate(f"{WRITE};", timeout=60)
    assert "terminating connection" in said
    assert database.as_administrator("SELECT count(*) FROM statuses") == "0"


def test_what_a_session_has_not_committed_is_not_there(database: Database) -> None:
    with open_session(database) as session:
        assert session.stdin
        assert session.stdout
        print(f"BEGIN; {WRITE} RETURNING id;", file=session.stdin, flush=True)
        assert session.stdout.readline() == "1\n"
        database.part.refuse_writes()
        session.communicate("COMMIT;", timeout=60)
    assert database.as_administrator("SELECT count(*) FROM statuses") == "0"


def test_no_session_that_begins_meanwhile_writes_afterwards(database: Database) -> None:
    """Whoever connects all the time has no row there that came after it was refused."""
    ended = threading.Event()

    def come_and_write() -> None:
        while not ended.is_set():
            write(database)

    people = [threading.Thread(target=come_and_write) for _ in range(3)]
    for one in people:
        one.start()
    try:
        database.part.refuse_writes()
        rows = database.as_administrator("SELECT count(*) FROM statuses")
        refused = [write(database) for _ in range(3)]
    finally:
        ended.set()
        for one in people:
            one.join()
    assert all(READ_ONLY in words for words in refused)
    assert database.as_administrator("SELECT count(*) FROM statuses") == rows


def test_writes_are_taken_again_by_new_sessions_and_by_those_that_only_read(database: Database) -> None:
    database.part.refuse_writes()
    with open_session(database) as session:
        database.part.take_writes()
        session.communicate(timeout=60)
    assert write(database) == ""
    settings = "SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%read_only%'"
    assert database.as_administrator(settings) == "0"
    database.part.take_writes()


def test_it_is_the_roles_own_matter_in_this_database_only(database: Database, tmp_path: Path) -> None:
    other = with_statuses(database.place, tmp_path, "other")
    database.part.refuse_writes()
    assert write(other) == ""
    database.as_administrator(WRITE)


def test_it_is_backed_up_while_it_refuses_writes(database: Database) -> None:
    database.as_owner(WRITE)
    database.part.refuse_writes()
    assert database.back_up()["counts"]["table public.statuses"] == 1


def test_a_database_that_takes_writes_all_the_same_is_trouble(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_writing, "_REFUSE", postgresql_writing._TAKE)
    with pytest.raises(Trouble, match="the database one takes writes although it must not now"):
        database.part.refuse_writes()
    assert database.as_owner("SELECT count(*) FROM pg_class WHERE relname ~ 'fedikit'") == "0"
