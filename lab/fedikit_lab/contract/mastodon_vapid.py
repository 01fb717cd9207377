"""The VAPID keys of web push: their form, and whether a private and a public key on the curve P-256 belong together."""

import base64

from .shared import Form, Refused

PRIVATE_KEY = Form(r"[A-Za-z0-9_-]{43}=", "32 bytes in URL-safe base64, with its padding (44 characters)")
PUBLIC_KEY = Form(r"[A-Za-z0-9_-]{87}=", "an uncompressed point in URL-safe base64, with its padding (88 characters)")

# The curve's parameters, FIPS 186-4, appendix D.1.2.3.
_PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None


def check_pair(private: str, public: str) -> None:
    """Refuses a public key that is not the private one's."""
    scalar = int.from_bytes(base64.urlsafe_b64decode(private), "big")
    if not 0 < scalar < _ORDER:
        raise Refused("VAPID_PRIVATE_KEY has the wrong form: it is no private key of the curve P-256")
    if base64.urlsafe_b64decode(public) != public_of(scalar):
        raise Refused("VAPID_PUBLIC_KEY has the wrong form: it is not the public key of VAPID_PRIVATE_KEY")


def public_of(scalar: int) -> bytes:
    """The uncompressed public point of a private key."""
    point: _Point = None
    for bit in bin(scalar)[2:]:
        point = _add(point, point)
        point = _add(point, _BASE) if bit == "1" else point
    assert point
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def _add(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % _PRIME == 0:
        return None
    if one == other:
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, _PRIME)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _PRIME)
    x = (slope**2 - one[0] - other[0]) % _PRIME
    return x, (slope * (one[0] - x) - one[1]) % _PRIME
