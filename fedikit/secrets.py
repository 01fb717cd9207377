"""Secrets: derived from one master key, or given by the operator. No other room ever keeps one."""

import hashlib
import hmac
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretBytes, SecretStr

from fedikit.errors import SecretError
from fedikit.model.deployment import Deployment
from fedikit.model.item import Content, SecretRef, SecretText

_CREATE_HINT = "create one with: fedikit secret init --environment FILE"
_MASTER_KEY = re.compile(r"([0-9a-fA-F]{2}){32,}")
_UNAMBIGUOUS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_PASSWORD_LENGTH = 24
_COMMAND_DEADLINE = 60


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
        kind, _, rest = reference.partition(":")
        match kind:
            case "file":
                text = _read_private_file(base / Path(rest).expanduser())
            case "command":
                text = _read_command(rest, base)
            case "env":
                text = os.environ.get(rest, "")
            case _:
                hint = "write file:PATH, command:COMMAND or env:NAME"
                raise SecretError(f"{kind!r} is no way to name a master key", hint=hint)
        return cls(_decoded(text, reference))

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


class Vault:
    """Hands out the secrets of one environment: those that the operator gave, and else derived ones."""

    def __init__(self, master: MasterKey | None, given: Mapping[str, SecretStr]) -> None:
        self._master = master
        self._given = dict(given)
        self._reference = ""

    @classmethod
    def of(cls, deployment: Deployment) -> "Vault":
        """The vault of a deployment; its master key is read when it is first needed."""
        vault = cls(None, deployment.given)
        vault._reference = deployment.secrets.master_key
        return vault

    def __repr__(self) -> str:
        return f"Vault({self._master!r}, {len(self._given)} given)"

    @property
    def has_master(self) -> bool:
        """Whether there is a master key that can be read."""
        try:
            self._key_for("")
        except SecretError:
            return False
        return True

    def value(self, ref: SecretRef) -> str:
        """The secret itself. Raises SecretError if it was not given and there is no master key."""
        if ref.name in self._given:
            return self._given[ref.name].get_secret_value()
        key = self._key_for(f"the secret {ref.name}")
        label = f"fedikit/{ref.name}/{ref.format}/{ref.version}"
        match ref.format:
            case "password":
                return _as_password(key.derive(label, 512))
            case "hex32":
                return key.derive(label, 16).hex()
            case "hex64":
                return key.derive(label, 32).hex()

    def text(self, content: Content) -> str:
        """A content with its secrets filled in."""
        if isinstance(content, str):
            return content
        return "".join(part if isinstance(part, str) else self.value(part) for part in content.parts)

    def seal_key(self) -> bytes:
        """The key of the seals, which stand for secret contents where a plain hash would betray them."""
        return self._key_for("the seal of secret contents").derive("fedikit/seal", 32)

    def seal(self, text: str) -> str:
        """HMAC-SHA256 (hex) of a text under the seal key."""
        return hmac.new(self.seal_key(), text.encode(), hashlib.sha256).hexdigest()

    def _key_for(self, purpose: str) -> MasterKey:
        if self._master is None and self._reference:
            self._master = MasterKey.load(self._reference, base=Path.cwd())
        if self._master is None:
            raise SecretError(f"{purpose} needs a master key, the environment names none", hint=_CREATE_HINT)
        return self._master


def _as_password(stream: bytes) -> str:
    """Letters and digits, each as likely as the other: bytes that would favour some are passed over."""
    fair = len(_UNAMBIGUOUS) * (256 // len(_UNAMBIGUOUS))
    letters = [_UNAMBIGUOUS[byte % len(_UNAMBIGUOUS)] for byte in stream if byte < fair]
    return "".join(letters[:_PASSWORD_LENGTH])


def _decoded(text: str, reference: str) -> SecretBytes:
    if not text.strip():
        raise SecretError(f"the master key {reference} is empty or not there", hint=_CREATE_HINT)
    if not _MASTER_KEY.fullmatch(text.strip()):
        message = f"the master key {reference} is not 64 or more hexadecimal digits"
        raise SecretError(message, hint=_CREATE_HINT)
    return SecretBytes(bytes.fromhex(text.strip()))


def _read_private_file(path: Path) -> str:
    try:
        with path.open() as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & 0o177:
                message = f"the master key {path} may be read by others (mode {mode:04o})"
                raise SecretError(message, hint=f"chmod 600 {shlex.quote(str(path))}")
            return file.read()
    except OSError as error:
        message = f"the master key {path} cannot be read: {error.strerror}"
        raise SecretError(message, hint=_CREATE_HINT) from error
    except UnicodeDecodeError:  # which would carry the contents along
        raise SecretError(f"the master key {path} is no text", hint=_CREATE_HINT) from None


def _read_command(command: str, base: Path) -> str:
    try:
        answer = subprocess.run(
            shlex.split(command),
            cwd=base,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_DEADLINE,
        )
    except subprocess.TimeoutExpired:  # which would carry the output along
        message = f"the master key did not come from `{command}` within {_COMMAND_DEADLINE} s"
        raise SecretError(message, hint=f"try it yourself in {base}") from None
    except (OSError, ValueError, IndexError) as error:
        raise SecretError(f"the master key's command `{command}` cannot run: {error}") from error
    if answer.returncode:
        said = answer.stderr.decode(errors="replace").splitlines()[-5:]
        message = f"the master key's command `{command}` ended with {answer.returncode}"
        raise SecretError("\n  | ".join([message, *said]), hint=f"try it yourself in {base}")
    return answer.stdout.decode(errors="replace")


def secrets_of(deployment: Deployment) -> dict[str, SecretRef]:
    """The secrets that a deployment uses, by name."""
    items = [item for host in deployment.hosts.values() for item in host.items]
    contents = [item.content if item.kind == "file" else item.stdin for item in items if item.kind in ("file", "job")]
    texts = [content for content in contents if isinstance(content, SecretText)]
    return {part.name: part for text in texts for part in text.parts if isinstance(part, SecretRef)}
