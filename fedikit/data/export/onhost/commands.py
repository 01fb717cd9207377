"""Running the tools of databases: what they print is handed on, how they end decides."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from fedikit.data.onhost.trouble import Trouble

LAST_WORDS = 4000
PATH = os.environ.get("PATH") or "/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = {
    "psql": "postgresql-client",
    "pg_dump": "postgresql-client",
    "mariadb": "mariadb-client",
    "mariadb-dump": "mariadb-client",
}


def clean(further: Mapping[str, str]) -> dict[str, str]:
    """The environment of a tool: nothing of ours, and what it needs."""
    return {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", **further}


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], *, files: Sequence[int] = (), talks: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A tool, while its output is read; Trouble unless it ends well. `talks`: it is written to."""
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                env=clean(environment),
                pass_fds=tuple(files),
            )
        except FileNotFoundError:
            hint = f"install it there: apt-get install {_PACKAGES.get(command[0], command[0])}"
            raise Trouble(f"there is no {command[0]} on this host", hint=hint) from None
        try:
            yield process
        except BrokenPipeError:
            pass  # it ended before its time: how, tells why
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.stdin:
            process.stdin.close()
        status = process.wait()
        if status:
            raise Trouble(f"{command[0]} ended with exit status {status}", tail=_last_of(words))


def printed(command: Sequence[str], environment: Mapping[str, str], *, files: Sequence[int] = ()) -> str:
    """All that a tool prints."""
    with running(command, environment, files=files) as process:
        assert process.stdout
        return process.stdout.read().decode(errors="replace").strip()


def _last_of(words: IO[bytes]) -> str:
    words.seek(max(0, words.seek(0, os.SEEK_END) - LAST_WORDS))
    return words.read().decode(errors="replace").strip()
