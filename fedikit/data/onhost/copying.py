"""Makes a bucket equal to a listing of another time or place: bytes and headers of each object, and nothing beside.

It knows nothing of where the bytes come from, nor of whose S3 it is. It goes on where it was cut off: what is equal
already is left alone.
"""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from .objects import Object, at_once, side_by_side, without
from .s3 import PAGE, PIECE_BYTES, Bucket, Gone, Listed
from .trouble import Trouble

_NAMED = 5


class Bytes(Protocol):
    """What can be read piece by piece."""

    def read(self, amount: int, /) -> bytes: ...


class Source(Protocol):
    """Where objects come from."""

    def objects(self) -> Iterable[Object]:
        """All of them, in the order of their keys."""

    def reading(self, found: Object) -> AbstractContextManager[Bytes]:
        """The bytes of one."""


class Settled:
    """Which objects hold the same bytes though their ETags are not the same: written down, as it is dear to find out.

    The ETag of an object that was sent in pieces says how, and not what; other servers reckon it in other ways.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: set[tuple[str, str, str]] = set()
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                with_end = line.endswith("]")  # the last line may have been cut off
                self._known.update([tuple(json.loads(line))] if with_end else [])

    def add(self, key: str, then: str, now: str) -> None:
        with self._lock, self._file.open("a", encoding="utf-8") as lines:
            self._known.add((key, then, now))
            lines.write(f"\n{json.dumps([key, then, now])}")

    def has(self, key: str, then: str, now: str) -> bool:
        return (key, then, now) in self._known


@dataclass
class Copying:
    """One copy at work; objects whose keys start with `leave_out` are nobody's business."""

    source: Source
    bucket: Bucket
    leave_out: list[str]
    settled: Settled
    other_bytes: list[str] = field(default_factory=list)
    """Keys whose bytes are not those that were listed."""

    def copy(self) -> None:
        """Sends what differs, deletes what is beside it, and looks at everything again."""
        superfluous = (key for key in at_once(lambda pair: self._settle(*pair), self._pairs()) if key)
        while keys := list(islice(superfluous, PAGE)):
            self.bucket.delete(keys)
        differing = [*self.other_bytes, *islice(self._differing(), _NAMED)]
        if differing:
            some = ", ".join(map(repr, differing[:_NAMED]))
            hint = "see who else writes to it, and run it again: what is equal is not sent again"
            raise Trouble(f"bucket {self.bucket.name} is not as it was: {some}, perhaps others too", hint=hint)

    def _pairs(self) -> Iterator[tuple[Object | None, Listed | None]]:
        then = without(self.source.objects(), self.leave_out)
        return side_by_side(then, without(self.bucket.objects(), self.leave_out))

    def _settle(self, then: Object | None, now: Listed | None) -> str:
        """Makes one object as it was; returns its key if it is to go."""
        if then is None:
            return now.key if now else ""
        if not self._is_equal(then, now):
            self._send(then)
        return ""

    def _differing(self) -> Iterator[str]:
        def differs(pair: tuple[Object | None, Listed | None]) -> str:
            then, now = pair
            is_equal = then is not None and self._is_equal(then, now)
            return "" if is_equal else next(found.key for found in pair if found)

        return (key for key in at_once(differs, self._pairs()) if key)

    def _is_equal(self, then: Object, now: Listed | None) -> bool:
        if now is None or then.size != now.size:
            return False
        if now == then.listed:
            return True  # nobody touched it since
        try:
            return self._has_same_bytes(then, now) and self.bucket.head(now.key) == then.headers
        except Gone:
            return False

    def _has_same_bytes(self, then: Object, now: Listed) -> bool:
        if self.settled.has(then.key, then.etag, now.etag):
            return True
        if _is_plain(then.etag) and _is_plain(now.etag):
            return then.etag == now.etag
        with self.source.reading(then) as ours, self.bucket.reading(now.key) as theirs:
            is_same = _digest(ours) == _digest(theirs)
        if is_same:
            self.settled.add(then.key, then.etag, now.etag)
        return is_same

    def _send(self, then: Object) -> None:
        with self.source.reading(then) as content:
            if then.size > PIECE_BYTES:
                etag = self.bucket.put_in_pieces(then.key, _pieces(then, content), then.headers)
            else:
                body = b"".join(_pieces(then, content))
                etag = self.bucket.put(then.key, body, then.headers)
                digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
                if _is_plain(then.etag) and etag == digest != then.etag:
                    self.other_bytes.append(then.key)
        if etag != then.etag:
            self.settled.add(then.key, then.etag, etag)


def _is_plain(etag: str) -> bool:
    """Whether an ETag is of the object's bytes alone, as that of one that was sent whole."""
    return len(etag) == 32 and set(etag) <= set("0123456789abcdef")


def _pieces(then: Object, content: Bytes) -> Iterator[bytes]:
    """The bytes of an object, as many as are to be; raises Trouble otherwise."""
    rest = then.size
    while rest:
        piece = _read_whole(content, min(rest, PIECE_BYTES))
        if not piece:
            break
        rest -= len(piece)
        yield piece
    if rest or content.read(1):
        raise Trouble(f"{then.key!r} was to have {then.size:,} bytes, and has others in the backup")


def _read_whole(content: Bytes, size: int) -> bytes:
    """That many bytes, or fewer at the end: whatever is read may come in parts."""
    parts: list[bytes] = []
    while size and (part := content.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _digest(content: Bytes) -> bytes:
    digest = hashlib.sha256()
    while part := content.read(1 << 20):
        digest.update(part)
    return digest.digest()
