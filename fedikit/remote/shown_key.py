"""The key that a host shows: asked of its SSH server without logging in, and not to be believed unseen."""

from base64 import b64decode, b64encode
from hashlib import sha256

from fedikit.errors import ConnectionFailed

SECONDS = 10
PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512")


def fingerprint_of(host_key: str) -> str:
    """The SHA-256 fingerprint of a public key, as `ssh-keygen -l` writes it."""
    blob = b64decode(host_key.split()[1])
    return f"SHA256:{b64encode(sha256(blob).digest()).decode().rstrip('=')}"


def shown_key(host: str, address: str, port: int) -> str:
    """The public key that SSH at this address shows now, its type and data. Raises ConnectionFailed."""
    import socket

    import paramiko  # slow to import

    try:
        with socket.create_connection((address, port), timeout=SECONDS) as line:
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
