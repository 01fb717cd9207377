"""What answers at an address need not mean well."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from fedikit.agent.exchange import Place, ask
from fedikit.agent.garage import Garage, NotReady


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def answer(listener: socket.socket, *pieces: bytes, pause: float = 0) -> str:
    """Answers one question with the pieces, in its own time; returns where."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                time.sleep(pause)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_answer_that_trickles_ends_in_time(listener: socket.socket) -> None:
    address = answer(listener, b"HTTP/1.0 200 OK\r\n\r\n", *[b"x"] * 60, pause=0.05)
    start = time.monotonic()
    with pytest.raises(OSError, match="timed out"):
        ask(address, "GET /", seconds=0.3)
    assert time.monotonic() - start < 1.5


def test_what_is_nested_without_end_is_no_garage(listener: socket.socket) -> None:
    address = answer(listener, b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 200_000)
    with pytest.raises(NotReady, match="is not Garage"):
        Garage(address, "token").buckets()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://127.0.0.1:3900", (False, "127.0.0.1", 3900, "127.0.0.1:3900")),
        ("http://[fd00::1]:3900", (False, "fd00::1", 3900, "[fd00::1]:3900")),
        ("https://s3.example.org", (True, "s3.example.org", 443, "s3.example.org")),
    ],
)
def test_an_address_says_where_a_server_is(address: str, place: tuple[bool, str, int, str]) -> None:
    assert Place.of(address) == place
