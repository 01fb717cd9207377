"""Knocking at the host's own web server: what counts as a door that is shut."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fedikit.data.onhost import knocking
from fedikit.data.onhost.knocking import is_refused
from fedikit.data.onhost.trouble import Trouble
from tests.lab.contract.conftest import free_port
from tests.verify.conftest import Authority

SITE = "example.org"
SHUT = "HTTP/1.1 503 Service Unavailable\r\nFedikit-Closed: yes\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def web(answer: str, context: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A web server that answers one visitor so; what it was asked. Without a context it speaks no TLS."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        monkeypatch.setattr(knocking, "WEB", listener.getsockname())

        def serve() -> None:
            with suppress(OSError):
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) if context else plain as connection:
                    asked.append(connection.recv(4096).decode(errors="replace"))
                    connection.sendall(answer.encode())

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield asked
        finally:
            server.join()


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of an authority that nobody trusts, for another site: it is this host whatever it shows."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority(folder).context("another.example")


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        (SHUT, True),
        (SHUT.replace("503 Service Unavailable", "200 OK"), False),
        (SHUT.replace("Fedikit-Closed: yes\r\n", ""), False),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_a_door_is_shut_that_says_so(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, answer: str, refuses: bool
) -> None:
    with web(answer, context, monkeypatch) as asked:
        assert is_refused(SITE) is refuses
    assert asked[0].startswith(f"POST / HTTP/1.1\r\nHost: {SITE}\r\n")


def test_where_nobody_answers_nobody_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "WEB", ("127.0.0.1", free_port()))
    assert is_refused(SITE)


@pytest.mark.parametrize("answer", ["", "nonsense\r\n\r\n"])
def test_what_answers_otherwise_is_not_taken_for_shut(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    with web(answer, context, monkeypatch), pytest.raises(Trouble, match=f"{SITE} cannot be asked whether"):
        is_refused(SITE)


def test_what_speaks_no_tls_is_not_taken_for_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    with web("HTTP/1.1 400 Bad Request\r\n\r\n", None, monkeypatch), pytest.raises(Trouble, match="cannot be asked"):
        is_refused(SITE)
