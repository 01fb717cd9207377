"""One kept SSH connection to a machine of the lab, over which commands run within a deadline."""

import contextlib
import shlex
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from fedikit.errors import ConnectionFailed, DeadlineExceeded, HostKeyRefused

_CONNECT_SECONDS = 5
_GRACE_SECONDS = 5
_TIMED_OUT = (124, 137)  # what coreutils' timeout answers for a command that it ended


@dataclass(frozen=True)
class Result:
    """How a command on a machine ended."""

    exit_status: int
    stdout: str
    stderr: str


@dataclass
class Shell:
    """A way into one machine as one user; connects at the first command, and again after a loss."""

    machine: str
    address: str
    user: str
    host_key: str
    """The machine's public key, `ssh-ed25519 AAAA…`; any other is refused."""
    identity: Path
    _client: paramiko.SSHClient | None = field(default=None, repr=False)
    _connecting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, command: str, *, seconds: float, stdin: str = "") -> Result:
        """Runs a shell command; raises DeadlineExceeded when it takes longer, ConnectionFailed when none answers."""
        wrapped = f"timeout -k 2 {seconds:g} sh -c {shlex.quote(command)}"
        started = time.monotonic()
        try:
            result = self._run(wrapped, seconds + _GRACE_SECONDS, stdin)
        except TimeoutError as error:
            self.close()
            raise DeadlineExceeded(f"`{command}` on {self.machine}", seconds) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise ConnectionFailed(self.machine, f"the connection broke: {error or type(error).__name__}") from error
        if result.exit_status in _TIMED_OUT and time.monotonic() - started >= seconds:
            raise DeadlineExceeded(f"`{command}` on {self.machine}", seconds, last=result.stderr.strip()[-500:])
        return result

    def connect(self) -> None:
        """Connects if there is no connection; raises ConnectionFailed, or HostKeyRefused for a wrong key."""
        self._connected()

    def close(self) -> None:
        """Lets the connection go."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _run(self, command: str, seconds: float, stdin: str) -> Result:
        channel = self._connected().open_session(timeout=_CONNECT_SECONDS)
        with contextlib.closing(channel):
            channel.settimeout(seconds)
            channel.exec_command(command)
            errors: list[bytes] = []
            reader = threading.Thread(target=lambda: errors.append(channel.makefile_stderr("rb").read()), daemon=True)
            reader.start()
            if stdin:
                channel.sendall(stdin.encode())
            channel.shutdown_write()
            output = channel.makefile("rb").read()
            reader.join(seconds)
            if not channel.status_event.wait(_GRACE_SECONDS) or channel.exit_status == -1:
                raise EOFError("it ended before the command did")
        return Result(channel.exit_status, output.decode(errors="replace"), b"".join(errors).decode(errors="replace"))

    def _connected(self) -> paramiko.Transport:
        with self._connecting:
            transport = self._client.get_transport() if self._client else None
            if transport is None or not transport.is_active():
                self.close()
                transport = self._open()
            return transport

    def _open(self) -> paramiko.Transport:
        client = paramiko.SSHClient()
        kind, _, key = self.host_key.partition(" ")
        known = paramiko.hostkeys.HostKeyEntry.from_line(f"{self.address} {kind} {key}")
        assert known is not None
        assert known.key is not None
        client.get_host_keys().add(self.address, kind, known.key)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                self.address,
                username=self.user,
                key_filename=str(self.identity),
                look_for_keys=False,
                allow_agent=False,
                timeout=_CONNECT_SECONDS,
                banner_timeout=_CONNECT_SECONDS,
                auth_timeout=_CONNECT_SECONDS,
                channel_timeout=_CONNECT_SECONDS,
            )
        except paramiko.BadHostKeyException as error:
            raise HostKeyRefused(self.machine, f"the host key is not the lab's: {error}") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionFailed(self.machine, f"no SSH at {self.address}: {error}") from error
        transport = client.get_transport()
        assert transport is not None
        assert isinstance(transport.sock, socket.socket)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # saves 40 ms a command
        self._client = client
        return transport
