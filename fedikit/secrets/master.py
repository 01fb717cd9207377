"""The master key: random bytes from which all other secrets of an environment are derived; never shown.

It is written as hexadecimal digits behind a mark. Keys from before there were marks derive two things otherwise: one
initial password for all applications, and one key for the seals of all hosts.
"""

import os
import re
import secrets
from pathlib import Path

from pydantic import SecretBytes

from fedikit.errors import SecretError
from fedikit.secrets.reading import read_text

MISSING_HINT = "restore its copy; a new one is for a new environment: fedikit secret init --environment FILE"
_MARK = "fedikit-key-2:"
_MASTER_KEY = re.compile(rf"(?P<mark>{_MARK})?(?P<digits>([0-9a-fA-F]{{2}}){{32,}})")
_NEWER = re.compile(r"fedikit-key-[0-9]+:")


def new_key() -> str:
    """A new master key as it is written."""
    return f"{_MARK}{secrets.token_hex(32)}"


class MasterKey:
    """The random bytes that all other secrets of an environment are derived from; never shown."""

    def __init__(self, material: SecretBytes, *, is_marked: bool = False) -> None:
        self._material = material
        self.is_marked = is_marked
        """Whether it is from after initial passwords and seals were told apart."""

    def __repr__(self) -> str:
        return "MasterKey(•••)"

    @classmethod
    def load(cls, reference: str, *, base: Path) -> "MasterKey":
        """Reads the key that a reference names: `file:PATH`, `command:pass show fedikit` or `env:NAME`.

        A path is relative to `base`, where a command also runs, without a shell. Raises SecretError.
        """
        return cls._read(read_text("the master key", reference, base=base, hint=MISSING_HINT), reference)

    @classmethod
    def create(cls, path: Path) -> "MasterKey":
        """Makes a new key in a file of mode 0600. Raises SecretError if there is a file already."""
        text = new_key()
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
        return cls._read(text, str(path))

    def derive(self, label: str, length: int) -> bytes:
        """That many bytes which only this key and this label yield (HKDF-SHA256, RFC 5869)."""
        from cryptography.hazmat.primitives import hashes  # costs 20 ms, and few commands need it
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derivation = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=label.encode())
        return derivation.derive(self._material.get_secret_value())

    @classmethod
    def _read(cls, text: str, reference: str) -> "MasterKey":
        if not text.strip():
            raise SecretError(f"the master key {reference} is empty or not there", hint=MISSING_HINT)
        if found := _MASTER_KEY.fullmatch(text.strip()):
            return cls(SecretBytes(bytes.fromhex(found["digits"])), is_marked=bool(found["mark"]))
        if _NEWER.match(text.strip()):
            hint = "install the fedikit that made it, or a newer one"
            raise SecretError(f"the master key {reference} is not one that this version of fedikit knows", hint=hint)
        raise SecretError(f"the master key {reference} is not 64 or more hexadecimal digits", hint=MISSING_HINT)
