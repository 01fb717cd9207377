"""What lies on the host's disk, and whose it is."""

import hashlib
import hmac
import os
import re
import stat
from typing import Any

from .files import File, Files, Folder, words_for
from .walk import Barred

State = dict[str, Any]
ABSENT: State = {"type": "absent"}
BARRED = "barred"
"""The type of what cannot be looked at; its state says `why`."""
LARGE = 1024 * 1024
"""From here on a file's digest is remembered."""
ACCOUNT_FIELDS = {"passwd": 7, "group": 4}
NUMBER = 2
"""Which field of an account's line is its number."""
DIGITS = re.compile("[0-9]{1,10}")


class Sight:
    """Looks at files and accounts below `root`; remembers what it read until told to look afresh."""

    def __init__(self, root: str = "/", seal_key: bytes = b"") -> None:
        self.root = root.rstrip("/")
        self.files = Files(root)
        self._seal_key = seal_key
        self.look_afresh()

    def look_afresh(self) -> None:
        """Forgets what was read before."""
        self._accounts: dict[str, dict[str, list[str]]] = {}
        self._digests: dict[tuple[object, ...], str | None] = {}

    def real(self, path: str) -> str:
        """Where an absolute path of the host lies: for commands, all else goes through `files`."""
        return self.root + path

    # Files

    def read(self, path: str) -> bytes:
        """The content of a regular file; links that only root can have made are followed to it."""
        with self.files.place(path, follow=True) as (folder, name), folder.file(name) as file:
            return file.content()

    def beginning(self, path: str, limit: int) -> bytes | None:
        """The content of an item's file; None if it is longer than that, or cannot be read any more."""
        try:
            with self.files.place(path) as (folder, name), folder.file(name) as file:
                return file.content(limit)
        except (Barred, OSError):
            return None

    def exists(self, path: str) -> bool:
        return self._status(path) is not None

    def size(self, path: str) -> int:
        """In bytes, of a file; nothing where there is none."""
        status = self._status(path)
        return status.st_size if status and stat.S_ISREG(status.st_mode) else 0

    def is_link(self, path: str) -> bool:
        status = self._status(path)
        return bool(status and stat.S_ISLNK(status.st_mode))

    def _status(self, path: str) -> os.stat_result | None:
        try:
            with self.files.place(path) as (folder, name):
                return folder.status(name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, path: str) -> list[str]:
        """What is in a directory; nothing where there is none."""
        try:
            with self.files.folder(path) as folder:
                return folder.names()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def file_state(self, path: str, *, sealed: bool = False) -> State:
        """Type, mode, owner and digest of what lies at `path`; a seal instead of a digest if `sealed`."""
        try:
            with self.files.place(path) as (folder, name):
                return self.state_in(folder, name, sealed=sealed)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except (Barred, OSError) as error:
            return barred(path, error)

    def state_in(self, folder: Folder, name: str, *, sealed: bool = False) -> State:
        """The same of what bears this name in a directory."""
        status = folder.status(name)
        if status is None:
            return ABSENT
        if stat.S_ISLNK(status.st_mode):
            return {"type": "symlink", "target": folder.target(name)}
        if stat.S_ISDIR(status.st_mode):
            return {"type": "directory", **self.permissions(status)}
        if not stat.S_ISREG(status.st_mode):
            return {"type": "other", "is": words_for(status), **self.permissions(status)}
        with folder.file(name, status) as file:
            digest = self.digest(file, sealed=sealed)
            return {"type": "file", **self.permissions(file.status), "seal" if sealed else "sha256": digest}

    def folder_state(self, path: str) -> State:
        """Mode and owner of a directory, and of the one that root's link stands for: `link` is where that leads."""
        state = self.file_state(path)
        if state["type"] != "symlink":
            return state
        try:
            with self.files.folder(path) as folder:
                return {"type": "directory", **self.permissions(folder.own_status()), "link": state["target"]}
        except (FileNotFoundError, NotADirectoryError):
            return state
        except (Barred, OSError) as error:
            return barred(path, error)

    def permissions(self, status: os.stat_result) -> State:
        return {
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "owner": self.name_of("passwd", status.st_uid),
            "group": self.name_of("group", status.st_gid),
        }

    def digest(self, file: File, *, sealed: bool = False) -> str | None:
        """A file's digest or seal; of a large one, it is remembered as long as the file stays as it is."""
        status = file.status
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, sealed)
        if key not in self._digests:
            digest = self._digest(file, sealed=sealed)
            if status.st_size < LARGE:
                return digest
            self._digests[key] = digest
        return self._digests[key]

    def _digest(self, file: File, *, sealed: bool) -> str | None:
        if not sealed:
            return file.digest()
        return file.seal(self._seal_key) if self._seal_key else None

    def seal(self, content: bytes) -> str | None:
        """A digest that only who has the deployment's master key can compare with guesses; None without it."""
        if not self._seal_key:
            return None
        return hmac.new(self._seal_key, content, hashlib.sha256).hexdigest()

    # Accounts

    def accounts(self, database: str) -> dict[str, list[str]]:
        """The fields of each line of `/etc/passwd` or `/etc/group`, by name."""
        if database not in self._accounts:
            path = f"/etc/{database}"
            text = self.read(path).decode(errors="surrogateescape") if self.exists(path) else ""
            rows = [row for line in text.split("\n") if (row := row_of(line, database))]
            found = self._accounts[database] = {}
            for row in rows:
                found.setdefault(row[0], row)  # of two by one name, the first counts
        return self._accounts[database]

    def name_of(self, database: str, number: int) -> str:
        wanted = str(number)
        return next((name for name, row in self.accounts(database).items() if row[2] == wanted), wanted)


def barred(path: str, error: Exception) -> State:
    """The state of what cannot be looked at; an agent that is not root, and lacks permission for it, has to say so."""
    if isinstance(error, PermissionError) and os.geteuid():
        raise error
    words = error.message if isinstance(error, Barred) else f"{path} cannot be looked at: {_reason(error)}"
    return {"type": BARRED, "why": words}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def row_of(line: str, database: str) -> list[str]:
    """The fields of a line, padded at its end; none of a comment, of NIS's lines, or of one without a number."""
    fields = ACCOUNT_FIELDS[database]
    row = line.split(":", fields - 1)
    is_account = len(row) > NUMBER and row[0] and row[0][0] not in "#+-" and DIGITS.fullmatch(row[NUMBER])
    return [*row, *[""] * (fields - len(row))] if is_account else []
