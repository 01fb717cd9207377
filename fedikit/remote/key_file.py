"""Private keys: the one that the environment names, from its file or, if that has a passphrase, from the SSH agent."""

import os
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

import paramiko

from fedikit.errors import ConnectionFailed
from fedikit.remote.leg import Leg

_PUBLIC = (b"ssh-", b"ecdsa-", b"sk-")
_OPENSSH = b"openssh-key-v1\0"
_MOST_BYTES = 64 * 1024


def named_key(leg: Leg) -> paramiko.PKey | None:
    """The key of `identity_file`, ready to sign; None if none is named. Raises ConnectionFailed."""
    if not leg.server.identity_file:
        return None
    path = Path(leg.server.identity_file).expanduser()
    text = _text(leg, path)
    _refuse_what_is_open_to_others(leg, path)
    try:
        return paramiko.PKey.from_path(path)
    except (TypeError, paramiko.PasswordRequiredException):  # what two libraries say of a passphrase that is needed
        return _from_agent(leg, path, text)
    except Exception as error:  # whatever the libraries make of bytes that are no key
        hint = f"`ssh-keygen -y -f {path}` shows a key that is whole; see {leg.key('identity_file')}"
        raise _unusable(leg, f"{path} is not one that can be read", hint) from error


def _text(leg: Leg, path: Path) -> bytes:
    if not path.exists():
        raise _unusable(leg, f"{path} is not there", f"see {leg.key('identity_file')}")
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _unusable(leg, f"{path} cannot be read: {reason}", "let this user read it, and nobody else") from error
    if text.lstrip().startswith(_PUBLIC):
        hint = f"name the private one, mostly the same without .pub: {leg.key('identity_file')}"
        raise _unusable(leg, f"{path} is a public key", hint)
    return text


def _unusable(leg: Leg, what: str, hint: str) -> ConnectionFailed:
    return leg.fails(f"is not contacted: the private key {what}", hint=hint)


def _refuse_what_is_open_to_others(leg: Leg, path: Path) -> None:
    """As OpenSSH does: only of files that are this user's own."""
    status = path.stat()
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
        mode = f"{status.st_mode & 0o777:04o}"
        raise _unusable(leg, f"{path} is open to others (mode {mode})", f"chmod 600 {path}")


def _from_agent(leg: Leg, path: Path, text: bytes) -> paramiko.PKey:
    """The same key, if the SSH agent has it: it needs no passphrase there."""
    public = _public_part(path, text)
    agent = paramiko.Agent()
    for key in agent.get_keys():
        if public and key.asbytes() == public:
            return key
    agent.close()
    hint = f"let the SSH agent hold it: ssh-add {path}"
    raise _unusable(leg, f"{path} has a passphrase, and the SSH agent does not hold it", hint)


def _public_part(path: Path, text: bytes) -> bytes:
    """The public half of a private key: it is no secret, and stands in clear in the file, or in one beside it."""
    with suppress(OSError, ValueError, IndexError):
        return b64decode(path.with_name(f"{path.name}.pub").read_bytes().split()[1], validate=True)
    with suppress(ValueError, IndexError):
        data = b64decode(b"".join(text.split(b"\n")[1:]).split(b"-----")[0])
        if data.startswith(_OPENSSH):
            parts = paramiko.Message(data.removeprefix(_OPENSSH))
            for _ in ("cipher", "function", "its options"):
                parts.get_string()
            parts.get_int()
            return parts.get_string()
    return b""
