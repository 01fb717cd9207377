"""Where a repository is read from: a folder, here or on a server. Nothing here can write."""

import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Protocol

import paramiko

from fedikit.errors import ConnectionFailed
from fedikit.remote.connection import Connection

PACKS = "data"
PIECE = 1 << 18
_SECONDS = 60
"""For how long a server may be silent."""
MOST_LINES = 8
"""OpenSSH's server lets ten be open on one connection."""
MOST_FILES = 1_000_000
"""Of one kind, in a repository: so many packs hold 15 TiB. Who lists more would fill the deployer's memory."""
AHEAD = 32 << 20
"""What is asked for at once of a file, and may lie in memory; how large it is said to be, its server says."""


class Source(Protocol):
    """A repository's files, by restic's names: `config`, `data/ID`; all of it raises OSError."""

    def sizes(self, kind: str) -> dict[str, int]:
        """The files of a kind, such as `data`, and their sizes in bytes."""

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

    def sizes(self, kind: str) -> dict[str, int]:
        return {name: size for folder in _folders_of(kind) for name, size in self._within(folder)}

    def _within(self, folder: str) -> Iterator[tuple[str, int]]:
        place = self._folder / folder
        for entry in place.iterdir() if place.is_dir() else ():
            if entry.is_file():
                yield entry.name, entry.stat().st_size

    def size(self, path: str) -> int | None:
        file = self._folder / place_of(path)
        return file.stat().st_size if file.is_file() else None

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        with (self._folder / place_of(path)).open("rb") as file:
            file.seek(start)
            while length > 0 and (piece := file.read(min(PIECE, length))):
                length -= len(piece)
                yield piece

    def close(self) -> None:
        pass


class SftpSource:
    """A repository in a folder of a server that is reached by SFTP; each who asks at the same time has a line.

    A connection that broke is made anew for whoever asks next.
    """

    def __init__(self, reach: Callable[[], Connection], serve: Callable[[paramiko.Channel], None], folder: str) -> None:
        """`reach` connects, and may raise ConnectionFailed; `serve` has the server speak SFTP on a new channel."""
        self._reach = reach
        self._connection = reach()
        self._serve = serve
        self._folder = folder
        self._idle: Queue[paramiko.SFTPClient] = Queue()
        self._room = threading.Semaphore(MOST_LINES)
        self._reaching = threading.Lock()

    def sizes(self, kind: str) -> dict[str, int]:
        with self._line() as client:
            found = (pair for folder in _folders_of(kind) for pair in self._within(client, folder))
            return counted(found)

    def _within(self, client: paramiko.SFTPClient, folder: str) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError):
            for entry in client.listdir_iter(f"{self._folder}/{folder}", read_aheads=1):
                yield entry.filename, (entry.st_size or 0) if stat.S_ISREG(entry.st_mode or 0) else -1

    def size(self, path: str) -> int | None:
        with self._line() as client:
            try:
                return client.stat(f"{self._folder}/{place_of(path)}").st_size
            except FileNotFoundError:
                return None

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        with self._line() as client, closing(client.open(f"{self._folder}/{place_of(path)}", "rb")) as file:
            end = start + length
            for begins in range(start, end, AHEAD):
                yield from _read_ahead(file, begins, min(begins + AHEAD, end))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _line(self) -> Iterator[paramiko.SFTPClient]:
        """A client for one at a time: answers to two would be taken for each other's."""
        if not self._room.acquire(timeout=_SECONDS):
            raise OSError(0, f"{MOST_LINES} others read from the repository, and none came to an end")
        try:
            client = self._unused() or self._opened()
            try:
                yield client
            except BaseException as error:  # an answer may still be on its way, and be taken for the next one's
                is_broken = isinstance(error, OSError) and _is_closed(client)
                client.close()
                if is_broken:
                    raise EOFError(str(error)) from error
                raise
            self._idle.put(client)
        except (EOFError, paramiko.SSHException) as error:
            raise OSError(0, f"the connection to the repository broke: {error or type(error).__name__}") from error
        finally:
            self._room.release()

    def _unused(self) -> paramiko.SFTPClient | None:
        with suppress(Empty):
            while channel := (client := self._idle.get_nowait()).get_channel():
                if not channel.closed:
                    return client
        return None

    def _opened(self) -> paramiko.SFTPClient:
        channel = self._connected().transport.open_session(timeout=_SECONDS)
        channel.settimeout(_SECONDS)
        self._serve(channel)
        return paramiko.SFTPClient(channel)

    def _connected(self) -> Connection:
        with self._reaching:
            if not self._connection.transport.is_active():
                self._connection.close()
                try:
                    self._connection = self._reach()
                except ConnectionFailed as error:
                    raise OSError(0, error.headline) from error
            return self._connection


def counted(files: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Names with their sizes, without what has none that can be; raises OSError where there is no end of them."""
    found = dict[str, int]()
    for number, (name, size) in enumerate(files):
        if number >= MOST_FILES:
            raise OSError(0, f"it lists more than {MOST_FILES:,} files of a kind")
        if size >= 0:
            found[name] = size
    return found


def _read_ahead(file: paramiko.SFTPFile, start: int, end: int) -> Iterator[bytes]:
    """A part of a file, all of it asked for at once."""
    file.seek(start)
    _ask_ahead(file, end)
    while start < end and (piece := file.read(min(PIECE, end - start))):
        start += len(piece)
        yield piece
    if start < end:  # Paramiko calls a connection that broke the end of the file
        raise EOFError("what it told ended early")


def _is_closed(client: paramiko.SFTPClient) -> bool:
    channel = client.get_channel()
    return channel is None or channel.closed


def _ask_ahead(file: Any, end: int) -> None:
    """Asks for all up to there at once; in a thread of Paramiko's, which would print that a connection broke."""
    ask = file._prefetch_thread

    def ask_silently(*about: object) -> None:
        with suppress(EOFError, OSError, paramiko.SSHException):
            ask(*about)

    file._prefetch_thread = ask_silently
    file.prefetch(end)


def place_of(path: str) -> str:
    """Where a file lies: packs in folders by how their names begin."""
    kind, _, name = path.partition("/")
    return f"{kind}/{name[:2]}/{name}" if kind == PACKS else path


def _folders_of(kind: str) -> list[str]:
    return [f"{PACKS}/{first:02x}" for first in range(256)] if kind == PACKS else [kind]
