"""A backup of a bucket: what was listed, what came into the snapshot, and what is there after it, laid side by side.

What was deleted meanwhile is no failure; what is there and did not come in is one.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .asking import Gone
from .names import Hidden, fits_a_file
from .objects import Object, at_once, read_objects, side_by_side, with_headers, without, write_objects
from .part import Record
from .repository import Repository
from .s3 import Bucket, Listed, kept_headers
from .tree import shown
from .trouble import Trouble

READERS = 16
"""How many files restic reads at once: what takes time is each request, and not the bytes."""
_OPTIONS = ("--ignore-inode", "--ignore-ctime", f"--read-concurrency={READERS}")
_SPARE = 64 << 20
"""What must stay free on the disk, in bytes."""
_NAMED = 5


@dataclass(frozen=True)
class Room:
    """The folder in the application's state where a bucket's listings are, and where its objects are shown as files."""

    folder: Path

    @classmethod
    def of(cls, repository: Repository, bucket: str) -> "Room":
        room = cls(repository.state / f"bucket-{bucket}")
        room.folder.mkdir(mode=0o700, exist_ok=True)
        return room

    @property
    def tree(self) -> Path:
        return self.folder / "objects"

    @property
    def before(self) -> Path:
        """The listing from before the snapshot."""
        return self.folder / "before.jsonl"

    @property
    def last(self) -> Path:
        """The listing of the last backup."""
        return self.folder / "last.jsonl"

    @property
    def listing(self) -> Path:
        """What becomes the second snapshot: objects.jsonl, and the objects that lie aside."""
        return self.folder / "listing"


@dataclass
class Saving:
    """One backup of a bucket at work."""

    bucket: Bucket
    leave_out: list[str]
    room: Room
    hidden: Hidden = field(default_factory=Hidden)
    seen: set[int] = field(default_factory=set)
    """Digests of path and size of the files in the snapshot: of millions, their names would not fit into memory."""
    missing: list[str] = field(default_factory=list)
    bytes: int = 0

    def save(self, repository: Repository, tags: list[str]) -> Record:
        """Makes both snapshots."""
        write_objects(self.room.before, self.hidden.watch(self._listed_now()))
        with shown(self.bucket.access, self.bucket.name, self.room.tree, self._in_the_way()) as tree:
            exclude = [f"{_escaped(f'{tree}/{prefix}')}*" for prefix in self.leave_out]
            data = repository.snapshot_path(str(tree), tags, exclude, _OPTIONS, looks_itself=True)
        repository.entries(data.id, self._see)
        count = self._write_listing()
        listing = repository.snapshot_path(str(self.room.listing), tags)
        (self.room.listing / "objects.jsonl").replace(self.room.last)
        shutil.rmtree(self.room.listing)
        return {
            "snapshots": {"data": data.id, "listing": listing.id}, "bytes": self.bytes,
            "added": data.added + listing.added, "counts": {"objects": count}, "version": "",
        }  # fmt: skip

    def _listed_now(self) -> Iterator[Object]:
        listed = without(self.bucket.objects(), self.leave_out)
        known = read_objects(self.room.last) if self.room.last.exists() else ()
        return with_headers(self.bucket, listed, known)

    def _in_the_way(self) -> list[str]:
        return [key for key in self.hidden.both if fits_a_file(key)]

    def _see(self, entry: dict[str, Any]) -> None:
        if entry["type"] == "file":
            key = entry["path"].removeprefix(f"{self.room.tree}/")
            self.seen.add(hash((key, entry.get("size", 0))))

    def _write_listing(self) -> int:
        shutil.rmtree(self.room.listing, ignore_errors=True)
        (self.room.listing / "aside").mkdir(parents=True, mode=0o700)
        after = without(self.bucket.objects(), self.leave_out)
        pairs = side_by_side(read_objects(self.room.before), after)
        kept = (found for found in at_once(lambda pair: self._kept(*pair), pairs) if found)
        count = write_objects(self.room.listing / "objects.jsonl", self._counted(kept))
        if self.missing:
            words = f"{len(self.missing)} objects are in bucket {self.bucket.name} and did not come into the backup"
            hint = "see whether the S3 server gives them: its journal, and its own check of its blocks"
            raise Trouble(f"{words}: {', '.join(map(repr, self.missing[:_NAMED]))}", hint=hint)
        return count

    def _counted(self, objects: Iterator[Object]) -> Iterator[Object]:
        for found in objects:
            self.bytes += found.size
            yield found

    def _kept(self, before: Object | None, now: Listed | None) -> Object | None:
        """What the backup has of a key: as it was listed, or set aside as it is now; None if it has nothing."""
        if before is None:
            return None  # it is newer than the backup
        is_file = fits_a_file(before.key) and before.key not in self.hidden
        is_seen = is_file and hash((before.key, before.size)) in self.seen
        if now is None:
            return before._replace(aside=False) if is_seen else None
        if is_seen and (now.size, now.etag) == (before.size, before.etag):
            return before._replace(aside=False)
        if is_file and now == before.listed:
            self.missing.append(before.key)
            return None
        return self._set_aside(now)

    def _set_aside(self, now: Listed) -> Object | None:
        """Reads an object that no file stands for, or that was written anew meanwhile, at once and whole."""
        try:
            with self.bucket.reading(now.key) as content, aside(self.room.listing, now.key).open("wb") as file:
                self._require_room(now.key, content.size)
                while piece := content.read(1 << 20):
                    file.write(piece)
                headers, size = content.headers, file.tell()
        except Gone:
            return None
        etag = headers.get("etag", "").strip('"')
        modified = now.modified if etag == now.etag else headers.get("last-modified", "")
        return Object(now.key, size, etag, modified, kept_headers(headers), aside=True)

    def _require_room(self, key: str, size: int) -> None:
        free = shutil.disk_usage(self.room.folder).free
        if size + _SPARE > free:
            words = f"{key!r} can only be kept by way of {self.room.folder}, where {free:,} bytes are free"
            raise Trouble(words, hint=f"free some: it has {size:,} bytes")


def aside(listing: Path, key: str) -> Path:
    """Where an object lies that no file could be named after."""
    return listing / "aside" / hashlib.sha256(key.encode()).hexdigest()


def _escaped(path: str) -> str:
    """A path as a pattern of restic's that matches nothing else."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)
