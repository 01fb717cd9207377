"""The master key: random bytes from which all other secrets of an environment are derived; never shown."""

import os
import re
import secrets
from pathlib import Path

from pydantic import SecretBytes

from fedikit.errors import SecretError
from fedikit.secrets.reading import read_text

CREATE_HINT = "create one with: fedikit secret init --environment FILE"
_MASTER_KEY = re.compile(r"([0-9a-fA-F]{2}){32,}")


class MasterKey:
    """The random bytes that all other secrets of an environment are derived from; never shown."""

    def __init__(self, material: SecretBytes) -> None:
        self._material = material

    def __repr__(self) -> str:
        return "MasterKey(•••)"

    @classmethod
    def load(cls, reference: str, *, base: Path) -> "MasterKey":
        """Reads the key that a reference names: `file:PATH`, `command:pass show fedikit` or `env:NAME`.

        A path is relative to `base`, where a command also runs, without a shell. Raises SecretError.
        """
        return cls(_decoded(read_text("the master key", reference, base=base, hint=CREATE_HINT), reference))

    @classmethod
    def create(cls, path: Path) -> "MasterKey":
        """Makes a new key in a file of mode 0600. Raises SecretError if there is a file already."""
        text = secrets.token_hex(32)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            hint = "it is kept: a new key would change every secret of its environment"
            raise SecretError(f"{path} exists already", hint=hint) from None
        except OSError as error:
            raise SecretError(f"the master key {path} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(descriptor)
        return cls(SecretBytes(bytes.fromhex(text)))

    def derive(self, label: str, length: int) -> bytes:
        """That many bytes which only this key and this label yield (HKDF-SHA256, RFC 5869)."""
        from cryptography.hazmat.primitives import hashes  # costs 20 ms, and few commands need it
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derivation = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=label.encode())
        return derivation.derive(self._material.get_secret_value())


def _decoded(text: str, reference: str) -> SecretBytes:
    if not text.strip():
        raise SecretError(f"the master key {reference} is empty or not there", hint=CREATE_HINT)
    if not _MASTER_KEY.fullmatch(text.strip()):
        message = f"the master key {reference} is not 64 or more hexadecimal digits"
        raise SecretError(message, hint=CREATE_HINT)
    return SecretBytes(bytes.fromhex(text.strip()))
