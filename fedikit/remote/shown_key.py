"""The key that a host shows: asked of its SSH server without logging in, and not to be believed unseen."""

import socket
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Union

from fedikit.errors import ConnectionFailed
from fedikit.model.ssh_server import SshServer

if TYPE_CHECKING:
    import paramiko

SECONDS = 10
PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512")


def fingerprint_of(host_key: str) -> str:
    """The SHA-256 fingerprint of a public key, as `ssh-keygen -l` writes it."""
    blob = b64decode(host_key.split()[1])
    return f"SHA256:{b64encode(sha256(blob).digest()).decode().rstrip('=')}"


def shown_key(host: str, address: str, port: int, jump: SshServer | None = None) -> str:
    """The public key that SSH at this address shows now, its type and data; `jump` is what it is reached over.

    Raises ConnectionFailed, and HostKeyRefused of the jump host.
    """
    import paramiko  # slow to import

    try:
        with _line(host, address, port, jump) as line:
            transport = paramiko.Transport(line)
            try:
                options = transport.get_security_options()
                options.key_types = tuple(kind for kind in PREFERRED if kind in options.key_types)
                transport.banner_timeout = SECONDS
                transport.start_client(timeout=SECONDS)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        reason = str(error) or "the connection was closed"
        words = f"no SSH server shows a key at {address}, port {port}: {reason}"
        raise ConnectionFailed(host, words, hint="is the machine up, and is that its address?") from error
    return f"{key.get_name()} {key.get_base64()}"


@contextmanager
def _line(
    host: str, address: str, port: int, jump: SshServer | None
) -> Iterator[Union[socket.socket, "paramiko.Channel"]]:
    if jump is None:
        with socket.create_connection((address, port), timeout=SECONDS) as line:
            yield line
        return
    from fedikit.remote.connection import connect  # slow to import

    with connect(host, jump) as connection:
        yield connection.transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=SECONDS)
