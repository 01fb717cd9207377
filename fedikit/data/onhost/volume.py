"""A volume: a folder of the host, with its files' owners, permissions, links and extended attributes."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from .part import Record
from .repository import Repository
from .settings import Secrets
from .trouble import Absent, Trouble
from .walking import files_in, folders, is_kept_from_root

_CAPABILITIES = "security.capability"
_NAMED = 5


@dataclass
class _Sum:
    """What is counted of files: all but folders, and their bytes."""

    files: int = 0
    bytes: int = 0


class VolumePart:
    """The folder `path`, without what lies in the folders `leave_out` below it; these themselves are kept, empty.

    It may be a link of root's to another disk. Of the folder itself owner and permissions are restored, not its
    extended attributes.
    """

    def __init__(self, spec: dict[str, Any], secrets: Secrets) -> None:
        self.path = _followed(Path(spec["path"]))
        self.leave_out = [str(name).strip("/") for name in spec["leave_out"]]

    def back_up(self, repository: Repository, tags: list[str]) -> Record:
        self._require()
        exclude = [f"{_escaped(str(self.path / name))}/*" for name in self.leave_out]
        made = repository.snapshot_path(str(self.path), tags, exclude)
        there = self._within(repository, made.id)
        return {
            "snapshots": {"data": made.id}, "bytes": there.bytes, "added": made.added,
            "counts": {"files": there.files}, "version": "",
        }  # fmt: skip

    def measure(self) -> Record:
        self._require()
        there = _Sum()
        for _, entry in self._files():
            with contextlib.suppress(FileNotFoundError):  # what vanishes meanwhile was not there
                found = entry.stat(follow_symlinks=False)
                there.files += 1
                there.bytes += found.st_size if stat.S_ISREG(found.st_mode) else 0
        return {"bytes": there.bytes, "counts": {"files": there.files}}

    def restore(self, repository: Repository, record: Record) -> None:
        snapshot = record["snapshots"]["data"]
        path = repository.path_of(snapshot)
        self.path.mkdir(parents=True, exist_ok=True)
        self._close()
        exclude = [f"/{_escaped(name)}/*" for name in self.leave_out]
        if repository.reads_all:
            self._empty()
        repository.restore(snapshot, path, str(self.path), exclude=exclude)
        if repository.is_others:
            self._require_harmless()
        self._take_permissions(repository, snapshot, path)

    def require_changeable(self) -> None:
        """Raises Trouble if root cannot change something there: a restore would end in the midst of it."""
        self._require()
        kept = list(islice(self._kept_from_root(), _NAMED))
        if kept:
            words = f"{', '.join(map(repr, kept))}: immutable, or only to be appended to, so that nobody can restore it"
            raise Trouble(words, hint="chattr -i -a, if it may be changed; lsattr shows all. Nothing was changed")

    def _kept_from_root(self) -> Iterator[str]:
        for folder in folders(str(self.path), self.leave_out):
            place = os.readlink(f"/proc/self/fd/{folder}")
            if is_kept_from_root(folder):
                yield place
            yield from (f"{place}/{entry.name}" for entry in files_in(folder) if is_kept_from_root(folder, entry))

    def _close(self) -> None:
        """Until restic gives each folder back, nobody but root changes what is in it, not even who is inside already.

        Else its user could have files change places between two steps, and be given what is root's.
        """
        for folder in folders(str(self.path), self.leave_out):
            os.fchown(folder, os.geteuid(), os.getegid())
            os.fchmod(folder, 0o700)

    def _empty(self) -> None:
        """Of files: restic leaves in place, unread, what is there already as it should be."""
        for folder, entry in self._files():
            os.unlink(entry.name, dir_fd=folder)

    def _require_harmless(self) -> None:
        """What another's backup brought gives nobody here any rights; as long as it is looked at, only root gets in."""
        harmful = [entry.name for folder, entry in self._files() if gives_rights(folder, entry)]
        if harmful:
            some = ", ".join(map(repr, harmful[:_NAMED]))
            words = f"among the files for {self.path} are devices, or programs that run as another user: {some}"
            hint = "see where they come from, and remove them there; then do the same again"
            raise Trouble(words, hint=hint)

    def differences(self, record: Record) -> list[str]:
        now, then = self.measure(), record
        found = []
        if now["counts"]["files"] != then["counts"]["files"]:
            found.append(f"{self.path} has {now['counts']['files']:,} files, the backup {then['counts']['files']:,}")
        if now["bytes"] != then["bytes"]:
            found.append(f"{self.path} holds {now['bytes']:,} bytes, the backup {then['bytes']:,}")
        return found

    def _require(self) -> None:
        if not self.path.is_dir() or self.path.is_symlink():
            raise Absent(f"the folder {self.path} is not there", hint="is its disk mounted?")

    def _files(self) -> Iterator[tuple[int, "os.DirEntry[str]"]]:
        """All that lies in it but folders, each with the descriptor of its folder."""
        for folder in folders(str(self.path), self.leave_out):
            yield from ((folder, entry) for entry in files_in(folder))

    def _within(self, repository: Repository, snapshot: str) -> _Sum:
        """What a snapshot of it holds."""
        there = _Sum()

        def take(entry: dict[str, Any]) -> None:
            if entry["type"] != "dir":
                there.files += 1
                there.bytes += entry.get("size", 0)

        repository.entries(snapshot, take)
        return there

    def _take_permissions(self, repository: Repository, snapshot: str, path: str) -> None:
        """The folder's own owner and permissions: restic gives them to what is in it only."""
        found: dict[str, Any] = {}

        def take(entry: dict[str, Any]) -> None:
            if entry["path"] == path:
                found.update(entry)

        repository.entries(snapshot, take)
        if not found:
            raise Trouble(f"the snapshot {snapshot} does not hold {path}")
        os.chown(self.path, found["uid"], found["gid"], follow_symlinks=False)
        self.path.chmod(_permissions(found["mode"]))


def gives_rights(folder: int, entry: "os.DirEntry[str]") -> bool:
    """Whether a file is a device, or whoever runs it has the rights of somebody else."""
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISREG(mode):
        names = os.listxattr(f"/proc/self/fd/{folder}/{entry.name}", follow_symlinks=False)
        return _runs_as_another(mode) or _CAPABILITIES in names
    return stat.S_ISBLK(mode) or stat.S_ISCHR(mode)


def _runs_as_another(mode: int) -> bool:
    """Whether a program runs as its file's owner or group; without leave to run, the group's bit says nothing."""
    as_group = stat.S_ISGID | stat.S_IXGRP
    return bool(mode & stat.S_ISUID) or mode & as_group == as_group


def _followed(path: Path) -> Path:
    """Where a folder truly lies: nobody but root says that it lies elsewhere."""
    if not path.is_symlink():
        return path
    if path.lstat().st_uid != os.geteuid():
        raise Trouble(f"{path} is a link of somebody's who is not root", hint="see where it leads, and remove it")
    return path.resolve()


def _permissions(mode: int) -> int:
    """Permissions as restic tells them, which has Go's bits for what is special."""
    special = {23: stat.S_ISUID, 22: stat.S_ISGID, 20: stat.S_ISVTX}
    return mode & 0o777 | sum(ours for bit, ours in special.items() if mode & 1 << bit)


def _escaped(path: str) -> str:
    """A path as a pattern of restic's that matches nothing else."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)
