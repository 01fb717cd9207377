"""Passwords: argon2id hashes, as `panel.toml` keeps them, and which passwords will not do."""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fedikit.errors import FedikitError

SHORTEST = 12
LONGEST = 1024
"""More characters than that are refused unread: they would only cost time."""
_HASHER = PasswordHasher()
NOBODYS = _HASHER.hash("nobody's")
"""What is looked at for names that nobody has, so that they take as long as others."""


def hash_of(password: str, *, name: str = "") -> str:
    """The argon2id hash of a password; `name` is whose it is to be. Raises FedikitError if it will not do."""
    if mistake := _mistake(password, name):
        raise FedikitError(f"this password {mistake}", hint="take a few words, or what a password manager makes")
    return _HASHER.hash(_normal(password))


def is_right(password: str, hash_: str) -> bool:
    """Whether the hash is of this password; takes some 50 ms whether or not."""
    if len(password) > LONGEST:
        return False
    try:
        return _HASHER.verify(hash_, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _mistake(password: str, name: str) -> str:
    bare = _bare(password)
    if len(password) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if len(set(bare)) < 5:
        return "has too few different characters"
    if name and len(bare.replace(_bare(name), "")) < SHORTEST // 2:
        return "is too much like the name"
    return ""


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _normal(password: str) -> str:
    """The same text, whichever way a keyboard composes its letters."""
    return unicodedata.normalize("NFC", password)
