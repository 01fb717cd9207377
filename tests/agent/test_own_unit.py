"""The agent's own unit: asked of systemd by D-Bus, byte by byte as that is, and done without where there is none."""

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fedikit.agent import dbus, own_unit

SIGNAL = b"l\x04\0\1" + struct.pack("<III", 4, 1, 5) + b"field\0\0\0" + b"body"


def message(kind: int) -> bytes:
    return bytes([ord("l"), kind, 0, 1]) + struct.pack("<III", 0, 2, 0)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[bytes]]:
    """Begins something that answers as systemd would; gives what it hears."""

    def begin(answer: bytes) -> list[bytes]:
        heard: list[bytes] = []
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(tmp_path / "private"))
        listener.listen()

        def serve() -> None:
            with listener, listener.accept()[0] as line:
                while b"BEGIN\r\n" not in b"".join(heard) or b"StartTransientUnit" not in b"".join(heard):
                    heard.append(line.recv(65536))
                line.sendall(b"OK 0123\r\n" + answer)

        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setattr(dbus, "PRIVATE", str(tmp_path / "private"))
        return heard

    return begin


@pytest.mark.parametrize(("answer", "is_done"), [(SIGNAL * 3 + message(2), True), (message(3), False), (b"", False)])
def test_signals_before_an_answer_are_passed_over(
    manager: Callable[[bytes], list[bytes]], answer: bytes, is_done: bool
) -> None:
    heard = manager(answer)
    assert dbus.call("StartTransientUnit", "s", b"\1\0\0\0x\0") is is_done
    assert b"".join(heard).startswith(b"\0AUTH EXTERNAL ")


def test_values_stand_at_multiples_of_their_size() -> None:
    writer = dbus.Writer()
    writer.text("ab")
    writer.array(8, lambda: writer.number(7))
    assert bytes(writer.data) == b"\2\0\0\0ab\0\0" + b"\4\0\0\0" + b"\0\0\0\0" + b"\7\0\0\0"


def test_where_no_systemd_runs_there_is_no_unit_and_no_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(own_unit, "BOOTED", str(tmp_path / "none"))
    assert own_unit.enter("trial") == ""
    monkeypatch.setattr(own_unit, "BOOTED", str(tmp_path))
    monkeypatch.setattr(dbus, "PRIVATE", str(tmp_path / "none"))
    assert own_unit.enter("trial") == ""
    monkeypatch.setattr(own_unit, "JOURNAL", str(tmp_path / "none"))
    own_unit.write_journal("nobody hears it")
