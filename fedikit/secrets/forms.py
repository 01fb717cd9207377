"""How derived bytes are spelt, in the form that each software wants its secrets in."""

import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass

from fedikit.model.secret import SecretFormat

_UNAMBIGUOUS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_ALPHANUMERIC = string.ascii_letters + string.digits
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_LONG = 512
"""More bytes than are needed, for some are passed over."""


@dataclass(frozen=True)
class Form:
    """How many bytes a secret is derived from, under which label, and how they are spelt.

    Forms that share a label are two views of the same secret, such as both halves of a pair of keys.
    """

    label: str
    length: int
    spelt: Callable[[bytes], str]


def _letters(stream: bytes, alphabet: str, length: int) -> str:
    """Each letter as likely as the other: bytes that would favour some are passed over."""
    fair = len(alphabet) * (256 // len(alphabet))
    return "".join(alphabet[byte % len(alphabet)] for byte in stream if byte < fair)[:length]


def _scalar(stream: bytes) -> int:
    """A private key of the curve P-256; 16 bytes more than it has make all keys as good as equally likely."""
    return int.from_bytes(stream, "big") % (_P256_ORDER - 1) + 1


def _vapid_private(stream: bytes) -> str:
    return urlsafe_b64encode(_scalar(stream).to_bytes(32, "big")).decode()


def _vapid_public(stream: bytes) -> str:
    """The uncompressed point, 65 bytes."""
    from cryptography.hazmat.primitives.asymmetric import ec  # slow to import, and few commands need it
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.derive_private_key(_scalar(stream), ec.SECP256R1()).public_key()
    return urlsafe_b64encode(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()


def _ed25519_public(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # slow to import, as above

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


FORMS: dict[SecretFormat, Form] = {
    "password": Form("password", _LONG, lambda stream: _letters(stream, _UNAMBIGUOUS, 24)),
    "hex32": Form("hex32", 16, bytes.hex),
    "hex64": Form("hex64", 32, bytes.hex),
    "hex128": Form("hex128", 64, bytes.hex),
    "letters32": Form("letters32", _LONG, lambda stream: _letters(stream, _ALPHANUMERIC, 32)),
    "laravel-key": Form("laravel-key", 32, lambda stream: f"base64:{b64encode(stream).decode()}"),
    "vapid-private": Form("vapid", 48, _vapid_private),
    "vapid-public": Form("vapid", 48, _vapid_public),
    "garage-key-id": Form("garage-key", 44, lambda stream: f"GK{stream[:12].hex()}"),
    "garage-key-secret": Form("garage-key", 44, lambda stream: stream[12:].hex()),
    "garage-node-id": Form("garage-node", 32, lambda stream: _ed25519_public(stream).hex()),
    "garage-node-key": Form("garage-node", 32, lambda stream: (stream + _ed25519_public(stream)).hex()),
}
