"""Redaction: taking secrets out of what is shown, in whatever spelling they stand there."""

import base64
import json
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

SHORTEST_SECRET = 4
SHOWN_INSTEAD = "•••"


def scrub(text: str, values: Iterable[str]) -> str:
    """A text in which secrets, however they are spelled, are replaced by dots; of several lines, also each of them."""
    each = {part for value in values for part in (value, *value.splitlines())}
    spelled = {spelling.decode() for value in each for _, spelling in spellings(value)}
    for spelling in sorted(spelled, key=len, reverse=True):  # else a part would spoil the whole
        text = text.replace(spelling, SHOWN_INSTEAD)
    return text


def spellings(value: str) -> Iterator[tuple[str, bytes]]:
    """A secret as it may occur in files. One that is too short to be told from other text has none."""
    if len(value) < SHORTEST_SECRET:
        return
    yield "clear", value.encode()
    for spelling, written in (
        ("URL", quote(value, safe="")),
        ("URL", quote(value)),
        ("URL", quote_plus(value)),
        ("JSON", json.dumps(value)[1:-1]),
        ("JSON", json.dumps(value, ensure_ascii=False)[1:-1]),
        ("HTML", escape(value)),
    ):
        if written != value:
            yield spelling, written.encode()
    for shift in range(3):
        yield from _base64_spellings(value.encode(), shift)


def _base64_spellings(value: bytes, shift: int) -> Iterator[tuple[str, bytes]]:
    """The Base64 digits that the secret alone decides, if `shift` bytes of a group of three precede it."""
    first = (8 * shift + 5) // 6
    last = 8 * (shift + len(value)) // 6
    padded = bytes(shift) + value
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        digits = encode(padded)[first:last]
        if len(digits) > SHORTEST_SECRET:
            yield "Base64", digits
