"""The way to another repository: what is read by it ends when it is gone, and not before."""

import socket
import threading

import pytest

from fedikit.data.onhost import watching
from fedikit.data.onhost.other import Other
from fedikit.data.onhost.trouble import Trouble
from fedikit.data.onhost.watching import way_watched

LONG = 60.0


def by(port: int) -> Other:
    return Other(f"rest:http://127.0.0.1:{port}/theirs", "", "", "password")


def goes_away(server: socket.socket) -> None:
    """Once it was found there."""
    server.accept()[0].close()
    server.close()
    wait(LONG)


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def test_who_reads_ends_with_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    server = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(Trouble, match="can be read no more") as caught, way_watched(by(server.getsockname()[1])):
        goes_away(server)
    assert caught.value.hint == "do the same again"


def test_who_would_read_by_a_way_that_is_gone_before_it_was_looked_for_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = server.getsockname()[1]
    with pytest.raises(Trouble, match="can be read no more"), way_watched(by(gone)):
        wait(LONG)


def test_a_way_that_is_there_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.001)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=100) as server,
        way_watched(by(server.getsockname()[1])),
    ):
        for _ in range(5):
            server.accept()[0].close()
