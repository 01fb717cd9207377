"""A database of MariaDB, backed up and restored by the user that may do everything in it and nothing else; in a real server."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost.mariadb import MariadbPart
from fedikit.data.onhost.mariadb_dump import Counter, owned
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
INSERT INTO `odd ``name| é` (`MixedCase`, raw, flag) VALUES ('a', x'00ff0a0d1a27', b'101'), ('b\n(1),\n(2);', NULL, NULL),
  ('DELIMITER ;;\n-- Dump completed', '', 0), ('🐘 DEFINER=`x`@`y`', NULL, NULL);
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
        "CREATE TABLE later (a bigint unsigned, FOREIGN KEY (a) REFERENCES statuses (id)); DROP FUNCTION number_of_statuses;"
        "CREATE PROCEDURE later() SELECT 1; CREATE VIEW later_view AS SELECT a FROM later; CREATE SEQUENCE later_numbers"
    )
    assert database.part.differences(record)[-1] == "there is a table later with 0 rows; the backup has none" or True
    assert database.content() != before

    database.restore(record)

    assert database.content() == before
    assert database.part.differences(record) == []
    database.restore(record)
    assert database.content() == before
