"""Leaks: finding secrets where none may be, and taking them out of what is shown."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

_SHORTEST_LEAK = 4
_SHOWN_INSTEAD = "•••"


@dataclass(frozen=True, order=True)
class Leak:
    """A place where a secret was found; which one, only by its number among those that were looked for."""

    path: Path
    offset: int
    number: int
    spelling: str


def scrub(text: str, values: Iterable[str]) -> str:
    """A text in which secrets, however they are spelled, are replaced by dots."""
    spelled = {spelling.decode() for value in values for _, spelling in _spellings(value)}
    for spelling in sorted(spelled, key=len, reverse=True):  # else a part would spoil the whole
        text = text.replace(spelling, _SHOWN_INSTEAD)
    return text


def find_leaks(paths: Iterable[Path], values: Iterable[str]) -> list[Leak]:
    """Where secrets occur, in clear or in another spelling, in files and in all files of folders."""
    needles = [(number, *spelling) for number, value in enumerate(values) for spelling in _spellings(value)]
    leaks = set()
    for path in _files(paths):
        content = path.read_bytes()
        for number, spelling, needle in needles:
            if (offset := content.find(needle)) >= 0:
                leaks.add(Leak(path, offset, number, spelling))
    return sorted(leaks)


def _spellings(value: str) -> Iterator[tuple[str, bytes]]:
    """A secret as it may occur in files. One that is too short to be told from other text has none."""
    if len(value) < _SHORTEST_LEAK:
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
        if len(digits) > _SHORTEST_LEAK:
            yield "Base64", digits


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from (found for found in [path, *path.rglob("*")] if found.is_file())
