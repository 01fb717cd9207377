"""SSH by Fabric, strictly: only the host key that the environment names, every wait with a deadline."""

import contextlib
import logging
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import fabric
import paramiko

from fedikit.errors import ConnectionFailed, HostKeyRefused
from fedikit.model.host import Ssh
from fedikit.remote import bootstrap
from fedikit.remote.contact import End

CONNECT_SECONDS = 10
SILENCE_SECONDS = 30
"""How long the network may swallow what is sent, and the host be silent when asked, before all counts as lost."""
CHUNK = 65536
LAST_WORDS = 16 * 1024
MOST_PIECES = 64
NOT_FOUND = 127
"""How a shell says that there is no such command."""

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it would log reaches us as an exception too


class SshContact:
    """The agent at the other end of an SSH connection of its own."""

    def __init__(self, host: str, ssh: Ssh, line: socket.socket) -> None:
        self._host = host
        self._needs_sudo = ssh.user != "root"
        self._connection = connect(host, ssh, line)
        with translated(host, ssh):
            self._channel = self._connection.transport.open_session(timeout=CONNECT_SECONDS)
            self._channel.exec_command(bootstrap.shell_command(with_sudo=self._needs_sudo))
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
            return End(None)
        status, words = self._channel.recv_exit_status(), self._last_words()
        return End(status, words.decode(errors="replace"), self._lacking() if status in (1, NOT_FOUND) else "")

    def _last_words(self) -> bytes:
        words = b""
        for _ in range(MOST_PIECES):
            if not self._channel.recv_stderr_ready():
                break
            words = (words + self._channel.recv_stderr(CHUNK))[-LAST_WORDS:]
        return words

    def _lacking(self) -> Literal["", "python3", "sudo"]:
        """What the host has not, of what it takes to start an agent: told by exit statuses, whatever its language."""
        if self._fails("sh -c 'command -v python3'"):
            return "python3"
        return "sudo" if self._needs_sudo and self._fails("sudo -n true") else ""

    def _fails(self, command: str) -> bool:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel = self._connection.transport.open_session(timeout=CONNECT_SECONDS)
            channel.exec_command(command)
            return bool(channel.status_event.wait(CONNECT_SECONDS)) and channel.recv_exit_status() != 0
        return False


class RefuseUnknownKey(paramiko.MissingHostKeyPolicy):
    """Neither trust on first use nor a question: an unknown key ends the contact."""

    def __init__(self, host: str) -> None:
        self._host = host

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise HostKeyRefused(
            self._host,
            f"{hostname} shows a host key that nobody vouched for: {key.get_name()} {key.fingerprint}",
            hint=f"if it is the machine's own, put it into the environment: hosts.{self._host}.host_key",
        )


def connect(host: str, ssh: Ssh, line: socket.socket | None = None) -> fabric.Connection:
    """An open connection, over `line` if one is there already.

    It knows exactly one host key or, if none is named, the user's known hosts.
    """
    if ssh.identity_file and (problem := _problem_with_key(Path(ssh.identity_file).expanduser())):
        hint = f"see hosts.{host}.identity_file in the environment"
        raise ConnectionFailed(host, f"the private key {ssh.identity_file} {problem}", hint=hint)
    connection = fabric.Connection(
        ssh.address,
        user=ssh.user,
        port=ssh.port,
        config=fabric.Config(lazy=True),
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs={**_how_to_log_in(ssh), "sock": line},
    )
    _vouch(connection.client, host, ssh)
    with translated(host, ssh):
        connection.open()
    _be_prompt(connection.transport)
    return connection


def _problem_with_key(path: Path) -> str:
    """Why a private key cannot be used; empty if it can."""
    try:
        paramiko.PKey.from_path(path)
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    except (paramiko.PasswordRequiredException, TypeError):  # what cryptography says of a key that is locked
        return "is locked by a passphrase: have an SSH agent hold it, and leave identity_file out"
    except Exception:  # whatever Paramiko makes of a file that is no key
        return "is no private key that can be read"
    return ""


def _how_to_log_in(ssh: Ssh) -> dict[str, object]:
    identity = {"key_filename": str(Path(ssh.identity_file).expanduser())} if ssh.identity_file else {}
    return {
        **identity,
        "look_for_keys": not ssh.identity_file,
        "allow_agent": not ssh.identity_file,
        "banner_timeout": CONNECT_SECONDS,
        "auth_timeout": CONNECT_SECONDS,
        "channel_timeout": CONNECT_SECONDS,
    }


def _vouch(client: paramiko.SSHClient, host: str, ssh: Ssh) -> None:
    client.set_missing_host_key_policy(RefuseUnknownKey(host))
    if not ssh.host_key:
        client.load_system_host_keys()
        return
    kind, _, data = ssh.host_key.partition(" ")
    name = ssh.address if ssh.port == 22 else f"[{ssh.address}]:{ssh.port}"
    try:
        client.get_host_keys().add(name, kind, paramiko.PKey.from_type_string(kind, b64decode(data)))
    except Exception as error:  # whatever Paramiko makes of a key that it does not know
        hint = f"see hosts.{host}.host_key in the environment"
        raise HostKeyRefused(
            host, f"its host key in the environment is not one that can be checked: {error}", hint=hint
        ) from error


def _be_prompt(transport: paramiko.Transport) -> None:
    """No waiting for more to send, and a silent network is noticed."""
    if isinstance(transport.sock, socket.socket):  # it is a channel where a gateway stands in between
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)
    transport.set_keepalive(SILENCE_SECONDS // 2)


@contextlib.contextmanager
def translated(host: str, ssh: Ssh) -> Iterator[None]:
    """Turns what the SSH libraries raise into our errors."""
    where = f"{ssh.user}@{ssh.address}:{ssh.port}"
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise HostKeyRefused(
            host,
            f"{where} shows another host key than is expected: {error.key.get_name()} {error.key.fingerprint}",
            hint="if the machine was installed anew, put its new key into the environment; else somebody is in between",
        ) from error
    except paramiko.AuthenticationException as error:
        raise ConnectionFailed(
            host, f"{where} does not let us in: {error}", hint="is the deployer's public key among its authorized_keys?"
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise unreachable(host, ssh, error) from error


def unreachable(host: str, ssh: Ssh, error: Exception) -> ConnectionFailed:
    """What to say when nothing came of a connection."""
    reason = str(error) or "the connection was closed"
    message = f"{ssh.user}@{ssh.address}:{ssh.port} cannot be reached: {reason}"
    return ConnectionFailed(host, message, hint="is the machine up?")
