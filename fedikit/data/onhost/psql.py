"""How PostgreSQL is reached: by TCP, as the application's own role, with the programs of the newest client here."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client import Client, hidden, running
from .trouble import Absent, Trouble

PROGRAMS = Path("/usr/lib/postgresql")
ENVIRONMENT = {"PGCLIENTENCODING": "UTF8", "PGOPTIONS": "", "PGAPPNAME": "fedikit-data"}


@dataclass(frozen=True)
class Server:
    """A database that can be reached: `words` say where it is, and in which file its password lies."""

    words: str
    name: str
    programs: Path

    def command(self, program: str, *options: str) -> list[str]:
        """A program that works on the database; no secret is in its words."""
        return [str(self.programs / program), "--no-password", "--dbname", self.words, *options]

    @contextmanager
    def session(self, doing: str) -> Iterator["Session"]:
        """A session that ends at the first statement that fails; `doing` says what for, as in "back up"."""
        options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-"]
        with running(self.command("psql", *options), ENVIRONMENT, f"{doing} the database {self.name}") as client:
            yield Session(client)
            client.finish()


class Session:
    """One session of psql."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, statements: str) -> list[str]:
        """The lines that are answered, once all of the statements are done."""
        mark = secrets.token_hex(16)
        self._client.tell(f"{statements}\n\\echo {mark}\n".encode())
        return list(iter(self._client.line, mark))

    def tell(self, script: bytes) -> None:
        """Hands it some of a script, whose answers are not wanted: after `\\o /dev/null`, until `\\o`."""
        self._client.tell(script)


@contextmanager
def reached(spec: Mapping[str, Any], password: str) -> Iterator[Server]:
    """The database of a part, as long as the block lasts; raises Absent if the server has none of that name."""
    programs, name = newest_programs(), spec["name"]
    with hidden(f"*:*:*:*:{_escaped(password, ':')}\n") as file:
        if _is_absent(Server(_words_of(spec, "postgres", file), name, programs)):
            raise Absent(f"there is no database {name}", hint="run an apply of the deployment, which makes it")
        yield Server(_words_of(spec, name, file), name, programs)


def _is_absent(server: Server) -> bool:
    """Whether the server says that it has no such database; where the role may not ask, that is not known."""
    try:
        with server.session("look for") as session:
            return json.dumps([server.name]) not in session.ask("SELECT json_build_array(datname) FROM pg_database;")
    except Trouble:
        return False


def newest_programs(folder: Path = PROGRAMS) -> Path:
    """Where the newest client lies; Debian's own wrappers choose one by what servers there are on this host."""
    found = [place for place in folder.glob("[0-9]*/bin") if (place / "pg_restore").exists()]
    if not found:
        raise Trouble("PostgreSQL's client is not installed on this host", hint="run an apply of the deployment")
    return max(found, key=lambda place: [int(number) for number in place.parent.name.split(".")])


def _words_of(spec: Mapping[str, Any], name: str, file: str) -> str:
    words = {
        "host": spec["host"],
        "port": spec["port"],
        "user": spec["user"],
        "dbname": name,
        "passfile": file,
        "sslmode": "require" if spec["encrypted"] else "disable",
        "connect_timeout": 20,
        "keepalives_idle": 60,
        "tcp_user_timeout": 120_000,
    }
    return " ".join(f"{word}='{_escaped(str(value), chr(39))}'" for word, value in words.items())


def _escaped(text: str, special: str) -> str:
    return text.replace("\\", "\\\\").replace(special, f"\\{special}")
