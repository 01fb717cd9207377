"""An SSH server on loopback that shows a key, and lets nobody in."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class Machine:
    """It has a key, which may become another."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.install_anew()
        threading.Thread(target=self._serve, daemon=True).start()

    def install_anew(self) -> None:
        """It comes back with another key."""
        private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        place = f"{self._folder}/host_key"
        with open(place, "wb") as file:
            file.write(private)
        self._key = paramiko.Ed25519Key.from_private_key_file(place)

    @property
    def key(self) -> str:
        return f"{self._key.get_name()} {self._key.get_base64()}"

    @property
    def fingerprint(self) -> str:
        return str(self._key.fingerprint)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                transport = paramiko.Transport(line)
                transport.add_server_key(self._key)
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                    transport.start_server(threading.Event(), paramiko.ServerInterface())

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(str(tmp_path_factory.mktemp("machine")))
    yield made
    made.close()


Answer = Callable[..., list[str]]


@pytest.fixture
def flags() -> Answer:
    """Everything that init has to be told, as flags, for some applications."""

    def give(*applications: str, **more: str) -> list[str]:
        usual = {"domain": "example.org", "name": 'Al "Q" Ünal', "username": "al", "email": "al@example.org"}
        words = [word for key, value in {**usual, **more}.items() for word in (f"--{key.replace('_', '-')}", value)]
        return words + [word for name in applications for word in ("--application", name)]

    return give
