"""The agent at the other end of an SSH connection of its own."""

import socket
import threading
import time

import paramiko

from fedikit.errors import ConnectionFailed
from fedikit.model.host import Ssh
from fedikit.remote import bootstrap
from fedikit.remote.connection import SILENCE_SECONDS, connect, open_channel
from fedikit.remote.contact import End
from fedikit.remote.lacks import NOT_FOUND, what_lacks
from fedikit.remote.leg import Leg

CHUNK = 65536
LAST_WORDS = 16 * 1024
MOST_PIECES = 64


class SshContact:
    """An agent that runs on a host which is reached over SSH."""

    def __init__(self, host: str, ssh: Ssh, line: socket.socket) -> None:
        self._host = host
        self._needs_sudo = ssh.user != "root"
        self._connection = connect(host, ssh, line)
        command = bootstrap.shell_command(with_sudo=self._needs_sudo)
        try:
            self._channel = open_channel(Leg(host, ssh), self._connection, command)
        except BaseException:
            self._connection.close()
            raise
        self._channel.settimeout(SILENCE_SECONDS)

    def write(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionFailed(self._host, f"the connection broke while sending: {error or 'closed'}") from error

    def read(self, seconds: float) -> bytes:
        """An agent may be silent for as long as it is given, its host may not."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._channel.settimeout(min(left, SILENCE_SECONDS))
            try:
                piece: bytes = self._channel.recv(CHUNK)
                return piece
            except TimeoutError:
                if left > SILENCE_SECONDS and not self._is_host_there():
                    self._connection.close()
                    return b""
            finally:
                self._channel.settimeout(SILENCE_SECONDS)
        raise TimeoutError

    def _is_host_there(self) -> bool:
        """Whether the host's SSH server answers: any answer will do."""
        answered = threading.Event()

        def ask() -> None:
            self._connection.transport.global_request("keepalive@openssh.com", wait=True)
            answered.set()

        threading.Thread(target=ask, daemon=True).start()
        return answered.wait(SILENCE_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def end(self) -> End:
        has_status = self._channel.status_event.wait(SILENCE_SECONDS)
        if not has_status or not self._connection.transport.is_active():
            return End(None, self._last_words())
        status, words = self._channel.recv_exit_status(), self._last_words()
        if status not in (0, 1, NOT_FOUND):
            return End(status, words)
        return what_lacks(End(status, words), self._connection.transport, needs_sudo=self._needs_sudo)

    def _last_words(self) -> str:
        words = b""
        for _ in range(MOST_PIECES):
            if not self._channel.recv_stderr_ready():
                break
            words = (words + self._channel.recv_stderr(CHUNK))[-LAST_WORDS:]
        return words.decode(errors="replace")
