"""Where a repository is read from: a folder, here or on a server. Nothing here can write."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import paramiko

PACKS = "data"
PIECE = 1 << 18


class Source(Protocol):
    """A repository's files, by their paths in it; all of it raises OSError."""

    def sizes(self, folder: str) -> dict[str, int]:
        """The files of a folder and their sizes in bytes; none if it is not there."""

    def size(self, path: str) -> int | None:
        """The size of a file in bytes; None if it is not there."""

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        """Some bytes of a file that is there."""

    def close(self) -> None:
        """Lets go of what it is reached by."""


class FolderSource:
    """A repository in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sizes(self, folder: str) -> dict[str, int]:
        try:
            return {entry.name: entry.stat().st_size for entry in (self._folder / folder).iterdir() if entry.is_file()}
        except FileNotFoundError:
            return {}

    def size(self, path: str) -> int | None:
        file = self._folder / path
        return file.stat().st_size if file.is_file() else None

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        with (self._folder / path).open("rb") as file:
            file.seek(start)
            while length > 0 and (piece := file.read(min(PIECE, length))):
                length -= len(piece)
                yield piece

    def close(self) -> None:
        pass


class SftpSource:
    """A repository in a folder of a server that is reached by SFTP."""

    def __init__(self, client: paramiko.SFTPClient, folder: str) -> None:
        self._client = client
        self._folder = folder

    def sizes(self, folder: str) -> dict[str, int]:
        try:
            found = self._client.listdir_attr(f"{self._folder}/{folder}")
        except FileNotFoundError:
            return {}
        return {entry.filename: entry.st_size or 0 for entry in found if stat.S_ISREG(entry.st_mode or 0)}

    def size(self, path: str) -> int | None:
        try:
            return self._client.stat(f"{self._folder}/{path}").st_size
        except FileNotFoundError:
            return None

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        with closing(self._client.open(f"{self._folder}/{path}", "rb")) as file:
            file.seek(start)
            file.prefetch(start + length)
            while length > 0 and (piece := file.read(min(PIECE, length))):
                length -= len(piece)
                yield piece

    def close(self) -> None:
        channel = self._client.get_channel()
        self._client.close()
        if channel is not None:
            channel.get_transport().close()


def packs_of(source: Source) -> dict[str, int]:
    """The packs of a repository, which lie in folders by how their names begin."""
    return {name: size for first in range(256) for name, size in source.sizes(f"{PACKS}/{first:02x}").items()}
