"""Redaction: finding secrets where none may be, and taking them out of what is shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fedikit.agent.redaction import scrub, spellings

__all__ = ["Leak", "find_leaks", "scrub"]


@dataclass(frozen=True, order=True)
class Leak:
    """A place where a secret was found; which one, only by its number among those that were looked for."""

    path: Path
    offset: int
    number: int
    spelling: str


def find_leaks(paths: Iterable[Path], values: Iterable[str]) -> list[Leak]:
    """Where secrets occur, in clear or in another spelling, in files and in all files of folders."""
    needles = [(number, *spelling) for number, value in enumerate(values) for spelling in spellings(value)]
    leaks = set()
    for path in _files(paths):
        content = path.read_bytes()
        for number, spelling, needle in needles:
            if (offset := content.find(needle)) >= 0:
                leaks.add(Leak(path, offset, number, spelling))
    return sorted(leaks)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from (found for found in [path, *path.rglob("*")] if found.is_file())
