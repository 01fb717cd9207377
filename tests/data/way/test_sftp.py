"""A repository on a server that is reached by SFTP: few lines, and a connection that broke is made anew."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from fedikit.data.way import source as sources
from fedikit.data.way.source import SftpSource
from fedikit.errors import ConnectionFailed
from fedikit.remote.connection import Connection, connect
from tests.remote.ssh_servers import Server

PACK = "ab" * 32
CONTENT = bytes(range(256)) * 4096


class Files(paramiko.SFTPServerInterface):
    """What is in the folder of the server; only to read."""

    folder: Path

    def list_folder(self, path: str) -> Any:
        try:
            return [paramiko.SFTPAttributes.from_stat(entry.stat(), entry.name) for entry in os.scandir(self._of(path))]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._of(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> Any:
        handle = paramiko.SFTPHandle(flags)
        try:
            handle.readfile = self._of(path).open("rb")  # type: ignore[attr-defined]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return handle

    def _of(self, path: str) -> Path:
        return self.folder / path.lstrip("/")


class FileServer(Server):
    """An SSH server that serves the files of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._files = type("Here", (Files,), {"folder": folder})

    def transport(self, line: socket.socket) -> paramiko.Transport:
        transport = super().transport(line)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, self._files)
        return transport


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    pack = tmp_path / "srv/data/ab" / PACK
    pack.parent.mkdir(parents=True)
    pack.write_bytes(CONTENT)
    (tmp_path / "srv/config").write_text("known")
    with FileServer(tmp_path) as server:
        yield server


@pytest.fixture
def identity(tmp_path: Path) -> str:
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    return str(tmp_path / "key")


@pytest.fixture
def source(server: FileServer, identity: str) -> Iterator[SftpSource]:
    def reach() -> Connection:
        return connect("the repository", server.reached(identity_file=identity))

    source = SftpSource(reach, lambda channel: channel.invoke_subsystem("sftp"), "/srv")
    yield source
    source.close()


def lines_of(server: FileServer) -> int:
    """The lines that are open at the server."""
    return sum(len(transport._channels) for transport in server.transports)  # type: ignore[attr-defined]


def read(source: SftpSource, start: int, length: int) -> bytes:
    return b"".join(source.read(f"data/{PACK}", start, length))


def test_files_are_listed_and_read_by_their_names(source: SftpSource) -> None:
    assert source.sizes("data") == {PACK: len(CONTENT)}
    assert source.sizes("keys") == {}
    assert (source.size("config"), source.size(f"index/{PACK}")) == (5, None)
    assert read(source, 1000, 300_000) == CONTENT[1000:301_000]


def test_what_a_server_says_of_its_files_fills_no_memory(
    source: SftpSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size is believed as far as bytes come; a listing has an end."""
    monkeypatch.setattr(sources, "AHEAD", 100_000)
    asked, ask_ahead = list[int](), sources._ask_ahead
    monkeypatch.setattr(sources, "_ask_ahead", lambda file, end: asked.append(end) or ask_ahead(file, end))
    assert read(source, 5, 300_000) == CONTENT[5:300_005]
    assert asked == [100_005, 200_005, 300_005]
    asked.clear()
    with pytest.raises(OSError, match="what it told ended early"):
        read(source, 0, 1 << 60)
    assert max(asked) <= len(CONTENT) + 100_000
    monkeypatch.setattr(sources, "MOST_FILES", 2)
    for name in ("one", "two", "three"):
        (tmp_path / f"srv/data/ab/{name}").touch()
    with pytest.raises(OSError, match="more than 2 files of a kind"):
        source.sizes("data")


def test_readers_at_the_same_time_share_few_lines(source: SftpSource, server: FileServer) -> None:
    found = list[bytes]()
    threads = [threading.Thread(target=lambda start=start: found.append(read(source, start, 9))) for start in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(CONTENT[start : start + 9] for start in range(30))
    assert lines_of(server) <= sources.MOST_LINES


def test_who_finds_all_lines_taken_is_told_in_the_end(source: SftpSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_SECONDS", 0.05)
    source._room = threading.Semaphore(1)
    slow = source.read(f"data/{PACK}", 0, len(CONTENT))
    next(slow)
    with pytest.raises(OSError, match="others read from the repository"):
        source.size("config")


def test_a_line_of_which_somebody_went_away_is_let_go(source: SftpSource, server: FileServer) -> None:
    for _ in range(2 * sources.MOST_LINES):
        pieces = source.read(f"data/{PACK}", 0, len(CONTENT))
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
    with pytest.raises(FileNotFoundError):
        list(source.read(f"data/{'cd' * 32}", 0, 5))
    assert read(source, 5, 5) == CONTENT[5:10]
    assert_soon(lambda: lines_of(server) == 1)


def test_a_connection_that_broke_is_made_anew(source: SftpSource, server: FileServer) -> None:
    assert read(source, 5, 5) == CONTENT[5:10]
    server.transports[0].close()
    assert_soon(lambda: not source._connection.transport.is_active())
    assert read(source, 5, 5) == CONTENT[5:10]
    assert len(server.transports) == 2


def test_a_connection_that_breaks_while_it_is_read_is_told(source: SftpSource, tmp_path: Path) -> None:
    """What is so large that not all of it can be on its way."""
    size = 64 << 20
    os.truncate(tmp_path / "srv/config", size)
    pieces = source.read("config", 0, size)
    next(pieces)
    source._connection.close()
    with pytest.raises(OSError, match="the connection to the repository broke"):
        list(pieces)


def test_a_server_that_is_gone_is_told_in_words(server: FileServer, identity: str) -> None:
    gone: list[str] = []

    def reach() -> Connection:
        if gone:
            raise ConnectionFailed("the repository", "cannot be reached: connection refused")
        return connect("the repository", server.reached(identity_file=identity))

    source = SftpSource(reach, lambda channel: channel.invoke_subsystem("sftp"), "/srv")
    gone.append("now")
    source._connection.close()
    with pytest.raises(OSError, match="the repository: cannot be reached: connection refused"):
        source.size("config")


def assert_soon(holds: Any) -> None:
    for _ in range(100):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError
