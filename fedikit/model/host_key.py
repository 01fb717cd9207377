"""Host keys: the public key of a host, as OpenSSH writes it, understood well enough to know that it is one."""

import binascii
from base64 import b64decode
from typing import Annotated

from pydantic import AfterValidator, Field

_CURVES = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
_TYPES = ("ssh-ed25519", *(f"ecdsa-sha2-{curve}" for curve in _CURVES), "ssh-rsa")
_ASK = "as in the host's own /etc/ssh/ssh_host_ed25519_key.pub"


def _host_key(text: str) -> str:
    """The key's type and its data, and nothing else; a comment is left out."""
    words = text.split()
    if not text.isprintable() or len(words) < 2 or words[0] not in _TYPES:
        kinds = ", ".join(_TYPES)
        raise ValueError(f"should be a host's public key on one line: its type ({kinds}) and its data, {_ASK}")
    kind, data = words[:2]
    if problem := _problem(kind, data):
        raise ValueError(f"{problem}: copy it again whole, {_ASK}")
    return f"{kind} {data}"


def _problem(kind: str, data: str) -> str:
    """What is wrong with the data of a key that says it is of this type."""
    try:
        parts = _parts(b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return "holds data that is not whole"
    if not parts or parts[0] != kind.encode():
        return f"calls itself {kind}, but its data does not"
    return "" if _is_key(kind, parts[1:]) and _is_usable(kind, data) else f"holds data that is not a key of type {kind}"


def _parts(blob: bytes) -> list[bytes]:
    """The strings that a key is made of, each behind its length (RFC 4251)."""
    parts = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        part, blob = blob[4 : 4 + length], blob[4 + length :]
        if len(part) != length or not part:
            raise ValueError("cut off")
        parts.append(part)
    return parts


def _is_key(kind: str, parts: list[bytes]) -> bool:
    if kind == "ssh-ed25519":
        return [len(part) for part in parts] == [32]
    if kind == "ssh-rsa":
        return len(parts) == 2
    curve = kind.removeprefix("ecdsa-sha2-")
    return len(parts) == 2 and parts[0] == curve.encode() and len(parts[1]) == 2 * _CURVES[curve] + 1


def _is_usable(kind: str, data: str) -> bool:
    """Whether the numbers are those of a key, such as a point on its curve. All 32 bytes are a key of Ed25519."""
    if kind == "ssh-ed25519":
        return True
    from cryptography.exceptions import UnsupportedAlgorithm  # slow to import, and these keys are seldom named
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        load_ssh_public_key(f"{kind} {data}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


HostKey = Annotated[
    str,
    AfterValidator(_host_key),
    Field(description="A host's public key as OpenSSH writes it: its type and its data."),
]
