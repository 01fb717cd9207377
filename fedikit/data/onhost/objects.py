"""What a bucket holds, object by object, with what is kept beside the bytes: as lines of JSON, in the order of keys.

Listings are read as streams and laid side by side, so that a bucket of millions takes no memory.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from .asking import Gone
from .s3 import PAGE, Bucket, Listed, kept_headers
from .signature import Headers
from .trouble import Trouble

THREADS = 8
LONGEST_LINE = 1 << 20
"""A key has a thousand bytes, and headers a few thousand."""


class Object(NamedTuple):
    """An object as it was; `aside` says that its bytes lie beside the listing, not in the tree of files."""

    key: str
    size: int
    etag: str
    modified: str
    headers: Headers
    aside: bool = False

    @property
    def listed(self) -> Listed:
        return Listed(self.key, self.size, self.etag, self.modified)


One = TypeVar("One", Listed, Object)
Other = TypeVar("Other", Listed, Object)
Item = TypeVar("Item")
Made = TypeVar("Made")


def read_objects(file: Path) -> Iterator[Object]:
    """The objects of a listing that was written before."""
    with file.open(encoding="utf-8") as lines:
        while line := lines.readline(LONGEST_LINE):
            try:
                yield _sound(Object(**json.loads(line)))
            except (TypeError, ValueError, AttributeError, RecursionError) as error:
                raise Trouble(f"{file} is no listing of a bucket: {line[:80]!r}") from error


def _sound(found: Object) -> Object:
    """An object, if it is one: a listing may be another's, whose headers would have S3 do something else."""
    texts = (found.key, found.etag, found.modified, *found.headers.values())
    is_sound = all(isinstance(text, str) for text in texts) and type(found.size) is int and type(found.aside) is bool
    if not (is_sound and found.key and found.size >= 0 and kept_headers(found.headers) == found.headers):
        raise ValueError
    return found


def write_objects(file: Path, objects: Iterable[Object]) -> int:
    """Writes a listing; returns how many objects it has."""
    count = 0
    with file.open("w", encoding="utf-8") as lines:
        for found in objects:
            lines.write(json.dumps(found._asdict()) + "\n")
            count += 1
    return count


def without(objects: Iterable[One], prefixes: list[str]) -> Iterator[One]:
    """The objects whose keys do not start with one of the prefixes."""
    return (found for found in objects if not found.key.startswith(tuple(prefixes)))


def side_by_side(ones: Iterable[One], others: Iterable[Other]) -> Iterator[tuple[One | None, Other | None]]:
    """Pairs of what two listings say of a key, in order; None where one does not have it."""
    left, right = iter(ones), iter(others)
    one, other = next(left, None), next(right, None)
    while one or other:
        is_here = one is not None and (other is None or one.key <= other.key)
        is_there = other is not None and (one is None or other.key <= one.key)
        yield (one if is_here else None, other if is_there else None)
        one = next(left, None) if is_here else one
        other = next(right, None) if is_there else other


def with_headers(bucket: Bucket, listed: Iterable[Listed], known: Iterable[Object]) -> Iterator[Object]:
    """The listed objects with their headers, which are asked for where they are not known; what is gone is left out."""

    def complete(pair: tuple[Listed, Object | None]) -> Object | None:
        found, before = pair
        if before and before.listed == found:
            return Object(*found, before.headers)
        try:
            return Object(*found, bucket.head(found.key))
        except Gone:
            return None

    pairs = ((found, before) for found, before in side_by_side(listed, known) if found)
    return (made for made in at_once(complete, pairs) if made)


def at_once(act: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """What an act makes of each item, in their order, by several threads; takes items a page at a time."""
    rest = iter(items)
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(rest, PAGE)):
            yield from pool.map(act, batch)
