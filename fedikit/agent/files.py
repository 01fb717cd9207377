"""The host's files, reached by descriptors: the one way of looking at them. `edits` is the one way of changing them.

What stands in the place of a name while it is worked on does not matter: who swaps a directory for a link has swapped a
name, and the work goes on in the directory that is held, or ends with `Barred`.

Only regular files are opened. They are read in pieces, and no further than they reached when they were opened.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from .walk import HELD, Barred, Walk

PIECE = 256 * 1024
SMALL = 4096
READ_LIMIT = 64 * 1024 * 1024
"""What is read into memory at once, at most."""
FILE_LIMIT = 4 * 1024 * 1024 * 1024
"""Larger files are not looked into: it would take too long."""
SIZELESS = 1024 * 1024
"""How far files are read that say they are shorter, such as those of the kernel."""
LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
WORDS = {
    stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device",
}  # fmt: skip


class Folder:
    """A directory that is held: whatever happens to its name meanwhile, it stays this one."""

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self.path = path

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def path_of(self, name: str) -> str:
        """The path of something in it, in words for people."""
        return f"{self.path.rstrip('/')}/{name}"

    def status(self, name: str) -> os.stat_result | None:
        """What lies there, links as links; None if nothing does."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def target(self, name: str) -> str:
        return os.readlink(name, dir_fd=self.descriptor)

    def folder(self, name: str) -> "Folder":
        """A directory in it; raises NotADirectoryError for anything else, links included."""
        return Folder(os.open(name, HELD, dir_fd=self.descriptor), self.path_of(name))

    def own_status(self) -> os.stat_result:
        return os.fstat(self.descriptor)

    @contextmanager
    def entries(self) -> Iterator[Iterator["os.DirEntry[str]"]]:
        """What is in it, one after the other: there may be millions."""
        listed = os.open(".", LISTED, dir_fd=self.descriptor)
        try:
            with os.scandir(listed) as found:
                yield found
        finally:
            os.close(listed)

    def names(self) -> list[str]:
        with self.entries() as found:
            return sorted(entry.name for entry in found)

    def file(self, name: str, status: os.stat_result | None = None) -> "File":
        """A regular file in it, open for reading; raises Barred for anything else, which is not opened."""
        self._require_file(name, status or os.stat(name, dir_fd=self.descriptor, follow_symlinks=False))
        descriptor = os.open(name, READ, dir_fd=self.descriptor)
        file = File(descriptor, self.path_of(name), os.fstat(descriptor))
        try:
            self._require_file(name, file.status)
        except Barred:
            os.close(descriptor)
            raise
        return file

    def _require_file(self, name: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise Barred(f"{self.path_of(name)} is {words_for(status)}, not a file")


class File:
    """A regular file, open for reading."""

    def __init__(self, descriptor: int, path: str, status: os.stat_result) -> None:
        self.descriptor = descriptor
        self.path = path
        self.status = status

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def pieces(self) -> Iterator[bytes]:
        """Its content as far as it reaches now: one that grows all the time has an end too."""
        if self.status.st_size > FILE_LIMIT:
            raise Barred(f"{self.path} is too large to be looked into: {self.status.st_size / 1e9:.1f} GB")
        left, most = max(self.status.st_size, SIZELESS), min(PIECE, max(self.status.st_size + 1, SMALL))
        while left and (piece := os.read(self.descriptor, min(left, most))):
            left -= len(piece)
            yield piece

    def content(self, limit: int = READ_LIMIT) -> bytes:
        """All of it at once; raises Barred if that is more than the limit."""
        content = b"" if self.status.st_size > limit else b"".join(self.pieces())
        size = max(self.status.st_size, len(content))
        if size > limit:
            raise Barred(f"{self.path} is too large to be read: {size / 1e6:.1f} MB")
        return content

    def digest(self) -> str:
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def seal(self, key: bytes) -> str:
        seal = hmac.new(key, digestmod=hashlib.sha256)
        for piece in self.pieces():
            seal.update(piece)
        return seal.hexdigest()


class Files:
    """The files below a root directory, by absolute paths.

    Raises Barred before a link that others than root could have made; FileNotFoundError or NotADirectoryError where
    there is no such directory.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    @contextmanager
    def place(self, path: str, *, follow: bool = False) -> Iterator[tuple[Folder, str]]:
        """The directory that the path's last name is in, and that name; `follow`: where links of that name lead."""
        with Walk(self.root, path) as walk:
            name = walk.to_place(follow=follow)
            yield Folder(walk.here, walk.path_here), name

    @contextmanager
    def folder(self, path: str) -> Iterator[Folder]:
        """The directory at the path, or where root's links lead from there."""
        with Walk(self.root, path) as walk:
            walk.to_the_end()
            yield Folder(walk.here, path)

    def is_roots_alone(self, path: str) -> bool:
        """Whether nobody but root can change what is in this directory, or put another one in its place."""
        with Walk(self.root, path) as walk:
            walk.to_the_end()
            return walk.is_roots_alone()


def words_for(status: os.stat_result) -> str:
    return WORDS.get(stat.S_IFMT(status.st_mode), "something else")
