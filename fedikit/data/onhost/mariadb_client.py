"""How MariaDB is reached: by TCP, as the application's own user."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from .client import Client, hidden, running
from .mariadb_sql import DATABASES, SESSION
from .trouble import Absent

LOOPBACK = ("127.0.0.1", "::1")
_ANSWERS = ("--batch", "--raw", "--skip-column-names", "--max-allowed-packet=1G")
_STATEMENTS_ONLY = ("--sandbox", "--binary-mode", "--skip-local-infile")
"""A dump may come from another's host: no command of the client's in it runs a program, reads a file here, or has the
password shown to another server."""


@dataclass(frozen=True)
class Server:
    """A database that can be reached; `file` holds how, the password too."""

    file: str
    name: str

    def command(self, program: str, *options: str) -> list[str]:
        """A program that works on the server; no secret is in its words."""
        return [program, f"--defaults-file={self.file}", *options]

    def client(self, doing: str, database: str | None = None) -> AbstractContextManager[Client]:
        """A client in the database, which ends at the first statement that fails; `doing` is as in "restore"."""
        inside = self.name if database is None else database
        words = self.command("mariadb", *_ANSWERS, *_STATEMENTS_ONLY, f"--database={inside}")
        return running(words, {}, f"{doing} the database {self.name}")

    def ask(self, statements: str, database: str | None = None) -> list[str]:
        """The lines that are answered, in the database or in another one; in none if that is empty."""
        with self.client("look into", database) as client:
            client.tell(f"{SESSION}{statements}".encode())
            return client.finish()


@contextmanager
def reached(spec: Mapping[str, Any], password: str) -> Iterator[Server]:
    """The database of a part, as long as the block lasts; raises Absent if its user sees none of that name."""
    with hidden(_options(spec, password)) as file:
        server = Server(file, spec["name"])
        if json.dumps([server.name]) not in server.ask(DATABASES, database=""):
            raise Absent(f"there is no database {server.name}", hint="run an apply of the deployment, which makes it")
        yield server


def _options(spec: Mapping[str, Any], password: str) -> str:
    """What the client's programs are told; what goes to another host is encrypted."""
    words = {"host": spec["host"], "port": spec["port"], "user": spec["user"], "password": password, "protocol": "tcp",
             "default-character-set": "utf8mb4", "loose-connect-timeout": 20}  # fmt: skip
    lines = [f'{word}="{_escaped(str(value))}"' for word, value in words.items()]
    return "\n".join(["[client]", *lines, "skip-ssl" if spec["host"] in LOOPBACK else "ssl", ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
