"""A bucket: the objects of an application behind S3, with what is kept beside their bytes, which browsers are told."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .copying import Copying, Settled
from .objects import Object, read_objects, without
from .part import Record
from .repository import Repository
from .s3 import Bucket
from .saving import Room, Saving, aside
from .settings import Secrets
from .signature import Access
from .tree import free
from .trouble import Trouble


class BucketPart:
    """A bucket, without the objects whose keys start with one of `leave_out`: a restore does not touch these.

    The id of its key is a secret where it was derived as one; then the settings leave it empty.
    """

    def __init__(self, spec: dict[str, Any], secrets: Secrets) -> None:
        self.name = str(spec["bucket"])
        self.leave_out = [prefix for prefix in spec["leave_out"] if prefix]
        key_id = spec["key_id"] or secrets.read("bucket-key-id")
        self.access = Access(spec["endpoint"].rstrip("/"), spec["region"], key_id, secrets.read("bucket-secret"))

    def back_up(self, repository: Repository, tags: list[str]) -> Record:
        with Bucket(self.access, self.name) as bucket:
            return Saving(bucket, self.leave_out, Room.of(repository, self.name)).save(repository, tags)

    def measure(self) -> Record:
        count = size = 0
        with Bucket(self.access, self.name) as bucket:
            for found in without(bucket.objects(), self.leave_out):
                count, size = count + 1, size + found.size
        return {"bytes": size, "counts": {"objects": count}}

    def restore(self, repository: Repository, record: Record) -> None:
        room, snapshots = Room.of(repository, self.name), record["snapshots"]
        settled = room.folder / f"settled-{snapshots['listing']}"
        free(room.tree)
        room.tree.mkdir(mode=0o700, exist_ok=True)
        with Bucket(self.access, self.name) as bucket, repository.mount(room.tree) as mounted:
            folders = {snapshot: _folder(repository, mounted, snapshot) for snapshot in snapshots.values()}
            source = Snapshots(folders[snapshots["data"]], folders[snapshots["listing"]])
            source.require(record["counts"]["objects"])
            Copying(source, bucket, self.leave_out, Settled(settled)).copy()
        settled.unlink(missing_ok=True)

    def differences(self, record: Record) -> list[str]:
        now = self.measure()
        found = []
        if now["counts"] != record["counts"]:
            there, then = now["counts"]["objects"], record["counts"]["objects"]
            found.append(f"bucket {self.name} has {there:,} objects, the backup {then:,}")
        if now["bytes"] != record["bytes"]:
            found.append(f"bucket {self.name} holds {now['bytes']:,} bytes, the backup {record['bytes']:,}")
        return found


@dataclass(frozen=True)
class Snapshots:
    """The objects of a backup: the files of its snapshot, its listing, and what lies aside there."""

    data: Path
    listing: Path

    def objects(self) -> Iterator[Object]:
        return read_objects(Path(_straight(f"{self.listing}/objects.jsonl")))

    def require(self, count: int) -> None:
        """Raises Trouble unless the listing has that many: what it does not have would be deleted."""
        if (found := sum(1 for _ in self.objects())) != count:
            raise Trouble(f"the listing of the backup has {found:,} objects, and was to have {count:,}")

    @contextlib.contextmanager
    def reading(self, found: Object) -> Iterator[IO[bytes]]:
        place = str(aside(self.listing, found.key)) if found.aside else f"{self.data}/{found.key}"
        try:
            with open(_straight(place), "rb") as file:
                yield file
        except OSError as error:
            words = f"{found.key!r} cannot be read from the backup: {error.strerror or error}"
            raise Trouble(words, hint="fedikit backup check looks at the whole repository") from error


def _folder(repository: Repository, mounted: Path, snapshot: str) -> Path:
    """Where the one folder that a snapshot is of lies below a mounted repository."""
    top = os.path.realpath(mounted / "ids" / snapshot[:8])
    return Path(_straight(f"{top}/{repository.path_of(snapshot).strip('/')}"))


def _straight(place: str) -> str:
    """A place that no link and no `..` leads away from: a backup may be another's, who would have us read elsewhere."""
    if os.path.realpath(place) != place:
        raise Trouble(f"the backup leads elsewhere, which no backup of a bucket does: {place}")
    return place
