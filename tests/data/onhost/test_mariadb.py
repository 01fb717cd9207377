"""A database of MariaDB, backed up and restored by its user in a real server."""

import json
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost import mariadb, mariadb_dump
from fedikit.data.onhost.mariadb import MariadbPart
from fedikit.data.onhost.part import Record
from fedikit.data.onhost.trouble import Absent, Trouble
from tests.data.onhost.shelf import PASSWORD, Shelf, secrets_in
from tests.lab.contract.conftest import free_port, wait_until

USER = "app"
EVERYTHING = r"""
CREATE TABLE `odd ``name| é` (id int PRIMARY KEY AUTO_INCREMENT, `MixedCase` text, raw longblob, flag bit(3),
  twice int AS (char_length(`MixedCase`) * 2) STORED, at timestamp NULL) COMMENT 'a
INSERT INTO `other` VALUES
(1);';
INSERT INTO `odd ``name| é` (`MixedCase`, raw, flag) VALUES ('a', x'00ff0a0d1a27', b'101'),
  ('b\n(1),\n(2);', NULL, NULL), ('DELIMITER ;;\n-- Dump completed', '', 0), ('🐘 DEFINER=`x`@`y`', NULL, NULL);
CREATE TABLE statuses (id bigint unsigned PRIMARY KEY AUTO_INCREMENT, parent bigint unsigned, text varchar(500),
  FULLTEXT KEY (text), CONSTRAINT replies FOREIGN KEY (parent) REFERENCES statuses (id), CHECK (text <> ''));
INSERT INTO statuses (text) SELECT CONCAT('status ', seq) FROM seq_1_to_100;
UPDATE statuses SET parent = 101 - id;
CREATE TABLE empty (a int);
CREATE TABLE notes (id int PRIMARY KEY, status bigint unsigned, FOREIGN KEY (status) REFERENCES statuses (id));
INSERT INTO notes VALUES (1, 100);
CREATE VIEW glad AS SELECT id, text FROM statuses WHERE id < 10;
CREATE VIEW gladder AS SELECT id FROM glad;
CREATE TRIGGER noted BEFORE INSERT ON statuses FOR EACH ROW SET NEW.text = CONCAT(NEW.text, '!');
CREATE FUNCTION number_of_statuses() RETURNS int READS SQL DATA RETURN (SELECT COUNT(*) FROM statuses);
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM notes WHERE id > 1000;
CREATE SEQUENCE numbers START WITH 7;
SELECT NEXT VALUE FOR numbers;
DELIMITER //
CREATE PROCEDURE tidy() BEGIN
INSERT INTO `empty` VALUES
(1),
(2);
DELETE FROM empty; END//
DELIMITER ;
"""


@dataclass(frozen=True)
class Database:
    """A database of the server, its part, and where its backups go."""

    socket: Path
    name: str
    part: MariadbPart
    shelf: Shelf
    port: int

    def as_user(self, script: str) -> str:
        words = [
            "--protocol=tcp",
            "--host=127.0.0.1",
            f"--port={self.port}",
            f"--user={USER}",
            f"--password={PASSWORD}",
        ]
        return ask(words, self.name, script)

    def as_administrator(self, script: str) -> str:
        return ask([f"--socket={self.socket}"], self.name, script)

    def back_up(self) -> Record:
        record: Record = json.loads(json.dumps(self.part.back_up(self.shelf, ["run=1"])))
        return record

    def restore(self, record: Record, **changes: Any) -> None:
        self.part.restore(replace(self.shelf, **changes), record)

    def content(self) -> str:
        """All that mariadb-dump tells of it."""
        options = "--no-defaults --routines --events --hex-blob --skip-dump-date --skip-comments".split()
        words = ["mariadb-dump", *options, f"--socket={self.socket}", self.name]
        return subprocess.run(words, capture_output=True, check=True, timeout=60).stdout.decode()


def ask(options: list[str], database: str, script: str) -> str:
    words = ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", *options, "--batch", "--skip-column-names"]
    done = subprocess.run([*words, database], input=script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, int]]:
    """A server with the application's user, made as the agent makes it; gives its socket and port."""
    if not shutil.which("mariadbd"):
        pytest.skip("needs mariadb-server")
    with tempfile.TemporaryDirectory(prefix="fedikit-mariadb-") as name:
        home, port = Path(name), free_port()
        shutil.chown(home, "mysql")
        data, socket = f"--datadir={home}/data", home / "socket"
        init = ["mariadb-install-db", "--no-defaults", "--user=mysql", data, "--auth-root-authentication-method=normal"]
        subprocess.run([*init, "--skip-test-db"], check=True, capture_output=True)
        place = [data, f"--socket={socket}", f"--port={port}", f"--pid-file={home}/pid", "--bind-address=127.0.0.1"]
        with (home / "log").open("w") as log:
            words = ["mariadbd", "--no-defaults", "--user=mysql", *place, "--innodb-flush-log-at-trx-commit=0"]
            process = subprocess.Popen(words, stderr=log)
        wait_until(lambda: "ready for connections" in (home / "log").read_text(), "MariaDB to be ready")
        password = PASSWORD.replace("\\", "\\\\").replace("'", "''")
        ask([f"--socket={socket}"], "", f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{password}'")
        yield socket, port
        process.kill()
        process.wait(20)


@pytest.fixture
def make(server: tuple[Path, int], tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    made: list[str] = []
    socket, port = server

    def make_database(name: str) -> Database:
        create = f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"
        ask([f"--socket={socket}"], "", f"{create} GRANT ALL PRIVILEGES ON {name}.* TO {USER}@'127.0.0.1'")
        made.append(name)
        (tmp_path / name).mkdir()
        spec = {
            "id": f"mariadb:{name}",
            "kind": "mariadb",
            "host": "127.0.0.1",
            "port": port,
            "user": USER,
            "name": name,
        }
        return Database(socket, name, MariadbPart(spec, secrets_in(tmp_path)), Shelf(tmp_path / name), port)

    yield make_database
    for name in made:
        ask([f"--socket={socket}"], "", f"DROP DATABASE IF EXISTS {name}")


def test_all_kinds_of_things_come_back_as_they_were(make: Callable[[str], Database]) -> None:
    database = make("one")
    database.as_user(EVERYTHING)
    before = database.content()
    record = database.back_up()
    assert {name: rows for name, rows in record["counts"].items() if name.startswith("table ")} == {
        "table odd `name| é": 4, "table statuses": 100, "table empty": 0, "table notes": 1,
    }  # fmt: skip
    assert record["counts"]["routines"] == 2
    assert record["version"].startswith("MariaDB 1")
    database.as_user(
        "SET foreign_key_checks = 0; DELETE FROM statuses WHERE id > 50; DROP TABLE notes; ALTER TABLE empty ADD b int;"
        "CREATE TABLE later (a bigint unsigned, FOREIGN KEY (a) REFERENCES statuses (id));"
        "CREATE PROCEDURE later() SELECT 1; CREATE VIEW later_view AS SELECT a FROM later;"
        "CREATE SEQUENCE later_numbers; DROP FUNCTION number_of_statuses"
    )
    assert database.content() != before

    database.restore(record)

    assert database.content() == before
    assert database.part.differences(record) == []
    database.restore(record)
    assert database.content() == before


@pytest.mark.parametrize(
    "script",
    [
        "CREATE SEQUENCE s; CREATE TABLE t (a int DEFAULT NEXTVAL(s)); INSERT INTO t VALUES (), ()",
        "SET check_constraint_checks = 0; CREATE TABLE t (a int CHECK (a > 0)); INSERT INTO t VALUES (-1)",
        "CREATE TABLE t (a int, b int INVISIBLE DEFAULT 7); INSERT INTO t (a, b) VALUES (1, 8), (2, 9), (3, 1)",
        "SET sql_mode = ORACLE;\nDELIMITER //\nCREATE PACKAGE p AS PROCEDURE q; END//\n"
        "CREATE PACKAGE BODY p AS PROCEDURE q AS BEGIN SELECT 1; END; END//\nDELIMITER ;\n",
    ],
)
def test_what_is_odd_comes_back_too(make: Callable[[str], Database], script: str) -> None:
    database = make("odd")
    database.as_user(script)
    before, record = database.content(), database.back_up()
    database.restore(record)
    assert (database.content(), database.part.differences(record)) == (before, [])


def test_it_says_what_differs_from_a_backup(make: Callable[[str], Database]) -> None:
    database = make("differing")
    database.as_user("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); CREATE TABLE u (a int)")
    record = database.back_up()
    database.as_user(
        "DELETE FROM t WHERE a = 1; DROP TABLE u; CREATE TABLE v (a int); CREATE VIEW w AS SELECT a FROM t"
    )
    assert database.part.differences(record) == [
        "t has 1 row, the backup 2",
        "there is no table u; the backup has it, with 0 rows",
        "there is a table v with 0 rows; the backup has none",
        "there are 1 views, in the backup 0",
    ]


def test_what_belonged_to_another_account_belongs_to_the_user_then(make: Callable[[str], Database]) -> None:
    """An application that moved to another host has another account, by where it connects from."""
    database = make("moved")
    database.as_user(EVERYTHING)
    before, record = database.content(), database.back_up()
    dump = database.shelf.folder / record["snapshots"]["data"]
    here, there = b"DEFINER=`app`@`127.0.0.1`", b"DEFINER=`ol``d`@`10.0.0.1`"
    assert dump.read_bytes().count(here) == 6
    dump.write_bytes(dump.read_bytes().replace(here, there))

    database.restore(record)

    assert database.content() == before


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.7, 0.999])
def test_a_dump_cut_short_is_found_and_the_next_restore_makes_it_good(
    make: Callable[[str], Database], share: float
) -> None:
    database = make("cut")
    database.as_user(EVERYTHING)
    before, record = database.content(), database.back_up()
    with pytest.raises(Trouble, match=r"^could not restore|could not be read to its end$"):
        database.restore(record, cut=max(1, int(record["bytes"] * share)))
    database.restore(record)
    assert database.content() == before


def test_a_restore_that_is_killed_is_made_good_by_the_next(make: Callable[[str], Database]) -> None:
    database = make("killed")
    database.as_user("CREATE TABLE t (a int PRIMARY KEY, b varchar(100)); CREATE TABLE u (a int);"
                     "INSERT INTO t SELECT seq, REPEAT('x', 100) FROM seq_1_to_50000; "
                     "INSERT INTO u VALUES (1)")  # fmt: skip
    before, record = database.content(), database.back_up()
    shelf = replace(database.shelf, cut=3_000_000, stops=True)
    work = get_context("spawn").Process(target=database.part.restore, args=(shelf, record))
    work.start()
    tables = "SELECT GROUP_CONCAT(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'killed'"
    wait_until(lambda: database.as_administrator(tables) == "t", "the restore to be midway")
    work.kill()
    work.join()

    database.restore(record)

    assert database.content() == before


def test_rows_that_the_dump_lacks_are_missed(make: Callable[[str], Database]) -> None:
    database = make("fewer")
    database.as_user("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    record = database.back_up()
    record["counts"]["table t"] = 2
    with pytest.raises(Trouble, match="does not hold what it held when it was made: t has 1 row, the backup 2"):
        database.restore(record)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("CREATE TABLE t (a int) ENGINE=MyISAM", "t (MyISAM)"),
        ("CREATE TABLE t (a int) ENGINE=Aria; CREATE TABLE u (a int) ENGINE=MEMORY", "t (Aria), u (MEMORY)"),
        ("CREATE TABLE t (a int) WITH SYSTEM VERSIONING", "t (SYSTEM VERSIONED)"),
    ],
)
def test_tables_that_no_dump_holds_as_they_were_are_refused(
    make: Callable[[str], Database], script: str, told: str
) -> None:
    database = make("unsound")
    database.as_user(script)
    with pytest.raises(Trouble) as caught:
        database.back_up()
    assert caught.value.message == f"no dump holds these tables of unsound as they were at one moment: {told}"
    assert list(database.shelf.folder.iterdir()) == []


def test_a_row_too_long_to_be_loaded_again_is_no_backup(make: Callable[[str], Database]) -> None:
    database = make("long_rows")
    database.as_user("CREATE TABLE t (a longblob); INSERT INTO t VALUES (REPEAT(x'ff', 9 * 1024 * 1024))")
    with pytest.raises(
        Trouble, match=r"a row of long_rows has 18,874,[0-9]+ bytes in a dump, and its server takes 16,777,216"
    ):
        database.back_up()


def test_a_failed_dump_is_no_backup(make: Callable[[str], Database]) -> None:
    database = make("broken")
    database.as_user("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t")
    with pytest.raises(Trouble) as caught:
        database.back_up()
    assert "references invalid table" in caught.value.tail
    assert list(database.shelf.folder.iterdir()) == []


def test_a_dump_that_lacks_its_last_line_is_no_dump(tmp_path: Path) -> None:
    words = [sys.executable, "-I", mariadb_dump.__file__, str(tmp_path / "counts"), "printf"]
    for said, status in (("", 1), ("CREATE TABLE `t` (\\n", 1), ("-- Dump completed\\n", 0)):
        done = subprocess.run([*words, said], capture_output=True, text=True)
        assert done.returncode == status
        assert (tmp_path / "counts").exists() == (status == 0)


def test_a_database_that_is_not_there_is_absent(make: Callable[[str], Database]) -> None:
    database = make("absent")
    database.as_user("CREATE TABLE t (a int)")
    record = database.back_up()
    database.as_administrator("DROP DATABASE absent")
    for act in (database.part.measure, database.back_up, lambda: database.restore(record)):
        with pytest.raises(Absent, match="there is no database absent"):
            act()


def test_a_wrong_password_is_said_and_no_password_is_told(make: Callable[[str], Database], tmp_path: Path) -> None:
    database = make("password")
    (tmp_path / "database-password").write_text("not the right one")
    with pytest.raises(Trouble) as caught:
        database.part.measure()
    assert caught.value.message == "could not look into the database password"
    assert "Access denied for user 'app'" in caught.value.tail
    assert "not the right one" not in caught.value.tail


def test_200000_rows_take_seconds(make: Callable[[str], Database]) -> None:
    database = make("many")
    database.as_user("CREATE TABLE t (id bigint PRIMARY KEY AUTO_INCREMENT, text varchar(200), KEY (text));"
                     "INSERT INTO t (text) SELECT REPEAT(MD5(seq), 4) FROM seq_1_to_200000")  # fmt: skip
    begun = time.monotonic()
    record = database.back_up()
    database.restore(record)
    assert time.monotonic() - begun < 60
    assert record["counts"]["table t"] == 200_000


def test_a_backup_of_which_nothing_can_be_read_costs_nothing(make: Callable[[str], Database]) -> None:
    database = make("unread")
    database.as_user(EVERYTHING)
    before, record = database.content(), database.back_up()
    (database.shelf.folder / record["snapshots"]["data"]).unlink()
    with pytest.raises(Trouble, match=r"could not be read to its end$"):
        database.restore(record)
    assert database.content() == before


def test_more_tables_are_counted_than_are_asked_for_at_once(
    make: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make("wide")
    database.as_user("CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TABLE v (a int)")
    monkeypatch.setattr(mariadb, "_AT_ONCE", 2)
    assert database.part.measure()["counts"] == {"table t": 0, "table u": 0, "table v": 0}


@pytest.mark.parametrize(
    "command",
    [
        "\\! touch {file}", "system touch {file}", "\\T {file}", "tee {file}", "\\. {secret}", "source {secret}",
        "LOAD DATA LOCAL INFILE '{secret}' INTO TABLE t;",
    ],
)  # fmt: skip
def test_a_dump_of_anothers_runs_nothing_and_reads_nothing_on_this_host(
    make: Callable[[str], Database], tmp_path: Path, command: str
) -> None:
    database = make("evil")
    database.as_user("CREATE TABLE t (a text)")
    record = database.back_up()
    (tmp_path / "secret").write_text("of this host")
    (tmp_path / "secret").chmod(0o644)
    dump = database.shelf.folder / record["snapshots"]["data"]
    told = command.format(file=tmp_path / "made", secret=tmp_path / "secret")
    dump.write_text(dump.read_text().replace("-- Dump completed", f"{told}\n-- Dump completed"))
    dump.write_text("".join(line for line in dump.read_text().splitlines(keepends=True) if "sandbox" not in line))
    with pytest.raises(Trouble):
        database.restore(record)
    assert not (tmp_path / "made").exists()
    assert database.as_user("SELECT COUNT(*) FROM t") == "0"


@pytest.mark.parametrize("command", ["\\r evil 127.0.0.2", "connect evil 127.0.0.2;"])
def test_a_dump_of_anothers_takes_the_password_to_no_other_server(
    make: Callable[[str], Database], command: str
) -> None:
    database = make("evil")
    record = database.back_up()
    dump = database.shelf.folder / record["snapshots"]["data"]
    dump.write_text(dump.read_text().replace("-- Dump completed", f"{command}\n-- Dump completed"))
    with socket.create_server(("127.0.0.2", database.port)) as other:
        with pytest.raises(Trouble):
            database.restore(record)
        assert not select.select([other], [], [], 0.1)[0]
