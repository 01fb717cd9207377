"""A directory as a tar archive (POSIX, pax): owners are numbers, as the container sees them; links stay links.

Those who write there are strangers: nothing is followed, every step goes from an open directory.
"""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from fedikit.data.onhost.trouble import Trouble

from .wire import PIECE, Wire

RANGE = 65536
"""How many numbers a family of containers has on the host."""


class Found(NamedTuple):
    """Something in the directory: where, by which open directory and name it is reached, and what it is."""

    path: str
    folder: int
    name: str
    status: os.stat_result


class Part:
    """One directory of the host."""

    def __init__(self, spec: dict[str, Any], _secrets: dict[str, str], _after: str) -> None:
        self._root: str = spec["path"]
        self._first: int = spec.get("first", 0)
        self._left_out = set(spec.get("leave_out", ()))
        self._links: dict[tuple[int, int], str] = {}
        self._changed = 0

    def measure(self) -> int:
        """The bytes of its files."""
        return sum(found.status.st_size for found in self._all() if stat.S_ISREG(found.status.st_mode))

    def stream(self, wire: Wire) -> dict[str, Any]:
        files = 0
        with tarfile.open(fileobj=_Sink(wire), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for found in self._all():
                files += self._add(archive, found)
        return {"counts": {"files": files}, "changed": self._changed, "version": ""}

    def _all(self) -> Iterator[Found]:
        """What is in it, directories before what they hold; itself first."""
        if not os.path.isdir(self._root) or os.path.islink(self._root):
            raise Trouble(f"{self._root} is no directory", hint="is its disk mounted?")
        for path, folders, files, folder in os.fwalk(self._root, follow_symlinks=False, onerror=_raise):
            inside = os.path.relpath(path, self._root)
            if inside == ".":
                yield Found(".", folder, ".", os.stat(folder))
            found = sorted([*folders, *files])
            folders[:] = [
                name for name in sorted(folders) if os.path.normpath(f"{inside}/{name}") not in self._left_out
            ]
            for name in found:
                try:
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Found(os.path.normpath(f"{inside}/{name}"), folder, name, status)

    def _add(self, archive: tarfile.TarFile, found: Found) -> int:
        """Takes it into the archive; returns how many files that is."""
        info, mode = self._told(found), found.status.st_mode
        if stat.S_ISDIR(mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(found.name, dir_fd=found.folder)
        elif stat.S_ISREG(mode):
            return self._add_file(archive, found, info)
        else:  # a socket, say: whoever made it makes it again
            return 0
        archive.addfile(info)
        return 0

    def _add_file(self, archive: tarfile.TarFile, found: Found, info: tarfile.TarInfo) -> int:
        identity = (found.status.st_dev, found.status.st_ino)
        if found.status.st_nlink > 1 and identity in self._links:
            info.type, info.linkname = tarfile.LNKTYPE, self._links[identity]
            archive.addfile(info)
            return 1
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            opened = os.open(found.name, flags, dir_fd=found.folder)
        except FileNotFoundError:
            return 0
        with open(opened, "rb") as file:
            seen = os.fstat(opened)
            if not stat.S_ISREG(seen.st_mode) or seen.st_ino != found.status.st_ino:
                return 0  # another came in its place
            info.size = seen.st_size
            archive.addfile(info, _Exactly(file, self))
        self._links[identity] = info.name
        return 1

    def _told(self, found: Found) -> tarfile.TarInfo:
        info = tarfile.TarInfo(found.path if found.path == "." else f"./{found.path}")
        info.mode, info.mtime = stat.S_IMODE(found.status.st_mode), found.status.st_mtime
        info.uid, info.gid = self._inside(found.status.st_uid), self._inside(found.status.st_gid)
        return info

    def _inside(self, number: int) -> int:
        """The number as the container has it."""
        return number - self._first if self._first <= number < self._first + RANGE else number

    def note_change(self) -> None:
        self._changed += 1


class _Exactly(io.RawIOBase):
    """A file that has as much in it as was said, though it got shorter meanwhile."""

    def __init__(self, file: Any, part: Part) -> None:
        self._file, self._part, self._is_short = file, part, False

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._file.read(size)
        if len(piece) < size and not self._is_short:
            self._is_short = True
            self._part.note_change()
        return piece.ljust(size, b"\0")


class _Sink(io.RawIOBase):
    """Where the archive goes: in pieces of a good size."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def write(self, data: Any) -> int:
        for start in range(0, len(data), PIECE):
            self._wire.data(bytes(data[start : start + PIECE]))
        return len(data)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
