"""SSH keys of a lab, made on the deployer, so that every machine's public key is known before it boots."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class KeyPair:
    """An Ed25519 key, both halves as OpenSSH writes them."""

    private: str
    public: str
    """Type and key, without a comment: `ssh-ed25519 AAAA…`."""


def kept_key(path: Path) -> KeyPair:
    """The key of that file; made at the first use, and the public half kept beside it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, _new_private_key())
    private = path.read_text()
    public = _public_of(private)
    path.with_name(f"{path.name}.pub").write_text(f"{public}\n")
    return KeyPair(private=private, public=public)


def write_private(path: Path, content: str) -> None:
    """Writes a file that only its owner can read, whole or not at all; the mode is set before the content."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    unfinished.rename(path)


def _new_private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


def _public_of(private: str) -> str:
    key = serialization.load_ssh_private_key(private.encode(), password=None)
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
