"""Recipients: the key pair of an environment to which secrets of another one are sealed.

It follows from the master key. What is told to others is its public half, in one line:
`fedikit-recipient-1:` and 48 letters and digits, of which the last ones tell a slip of whoever copied it.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from fedikit.errors import SecretError
from fedikit.secrets.master import MasterKey

if TYPE_CHECKING:
    from nacl.public import PrivateKey, PublicKey

_MARK = "fedikit-recipient-1:"
_RECIPIENT = re.compile(rf"{_MARK}(?P<code>[A-Za-z0-9_-]{{48}})")
_NEWER = re.compile(r"fedikit-recipient-(?!1:)[0-9]+:.*")
_KEY = 32
"""Bytes of a public key; four more check it."""


def recipient_of(master: MasterKey) -> str:
    """The line that stands for an environment when secrets are sealed to it. It opens nothing, and is no secret."""
    public = bytes(private_key(master).public_key)
    return f"{_MARK}{urlsafe_b64encode(public + _check(public)).decode()}"


def private_key(master: MasterKey) -> "PrivateKey":
    """The half that opens what was sealed (X25519)."""
    from nacl.public import PrivateKey  # few commands need it

    return PrivateKey(master.derive("fedikit/recipient", _KEY))


def public_key(recipient: str) -> "PublicKey":
    """The half that a recipient's line tells. Raises SecretError for a line that cannot be one."""
    from nacl.public import PublicKey  # as above

    found = _RECIPIENT.fullmatch(recipient.strip())
    if found is None and _NEWER.fullmatch(recipient.strip()):
        hint = "install the fedikit that made it, or a newer one"
        raise SecretError("this version of fedikit does not know such a recipient", hint=hint)
    told = urlsafe_b64decode(found["code"]) if found else b""
    if not hmac.compare_digest(told[_KEY:], _check(told[:_KEY])):
        hint = "copy the whole line that the new provider's fedikit secret recipient prints"
        raise SecretError("this is no recipient, or has a slip in it", hint=hint)
    return PublicKey(told[:_KEY])


def _check(public: bytes) -> bytes:
    return hashlib.sha256(_MARK.encode() + public).digest()[:4]
