"""The panel's own files: for its user only, replaced whole, and changed by one process at a time."""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError


def private_folder(path: Path) -> Path:
    """The folder, made for its owner only. Raises FedikitError where others may look into it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise FedikitError(f"the folder {path} cannot be made: {error.strerror}") from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise FedikitError(f"the folder {path} is open to others", hint=f"chmod 700 {path}, as its owner")
    return path


class JsonFile:
    """A small JSON object in a file. Whoever reads it sees the latest, whichever process wrote it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._value: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The object as it is now, empty if there is no file; not to be changed by who reads it."""
        mark = mark_of(self.path)
        if mark != self._seen or mark is None:
            self._value, self._seen = self._load(), mark
        return self._value

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Hands the object out to be changed, while nobody else may, and writes it if it was."""
        with open(self.path.with_name(f".{self.path.name}.lock"), "w", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            value = self._load()
            before = json.dumps(value)
            yield value
            if json.dumps(value) != before:
                write_privately(self.path, json.dumps(value).encode())

    def _load(self) -> dict[str, Any]:
        try:
            value = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise FedikitError(f"{self.path} is damaged", hint="delete it; those who are signed in sign in again")
        return value


def kept_secret(path: Path) -> bytes:
    """32 random bytes, made at the first time."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        write_privately(path, secrets.token_bytes(32))
        return path.read_bytes()


def write_privately(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600, whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    with open(fresh, "wb", opener=_private) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def mark_of(path: Path) -> tuple[int, int, int] | None:
    """What is another one when the file was written again; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
