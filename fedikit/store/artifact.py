"""The deployer's store: files kept by the SHA-256 of their contents, safe for several processes at once."""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fedikit.errors import StoreError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = 86400
LEAST_ROOM = 32_000_000
"""Bytes that shall be free besides: package lists come to that."""


def default_directory() -> Path:
    """`store` under $FEDIKIT_CACHE, else under the user's cache folder (XDG)."""
    if own := os.environ.get("FEDIKIT_CACHE"):
        return Path(own).absolute() / "store"
    try:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        message = f"this user ({os.getuid()}) has no home, where a cache could be"
        raise StoreError(message, hint="name a folder for it: FEDIKIT_CACHE=/var/cache/fedikit") from None
    return Path(caches).absolute() / "fedikit" / "store"


@dataclass(frozen=True)
class Store:
    """A folder of files, each named by the hash of its contents: `sha256/ab/abcd…`."""

    directory: Path = field(default_factory=default_directory)

    def has(self, sha256: str) -> bool:
        """Whether the file is there; `verify` tells whether it is still whole."""
        return self._place(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Where the file lies, for reading; it counts as used now. Raises StoreError if it is absent."""
        place = self._place(sha256)
        try:
            os.utime(place)
        except FileNotFoundError:
            raise _absent(sha256) from None
        return place

    def add_bytes(self, content: bytes) -> str:
        """Keeps some bytes and returns their SHA-256."""
        with self.incoming() as folder:
            arrived = folder / "bytes"
            arrived.write_bytes(content)
            return self.adopt(arrived)

    def adopt(self, arrived: Path, expected_sha256: str | None = None) -> str:
        """Moves a file from an `incoming` folder to its place, once it is verified and on the disk."""
        sha256 = hash_and_flush(arrived)
        if expected_sha256 not in (None, sha256):
            raise StoreError(
                f"{arrived.name}: the contents have the SHA-256 {sha256}, expected was {expected_sha256}",
                hint="it was damaged or changed on the way; nothing was kept, fetch it again",
            )
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        arrived.chmod(0o644)
        arrived.replace(place)
        return sha256

    def verify(self, sha256: str) -> None:
        """Raises StoreError if the file is absent, or no longer what it was; it is then removed."""
        place = self._place(sha256)
        try:
            actual = hash_of(place)
        except FileNotFoundError:
            raise _absent(sha256) from None
        if actual != sha256:
            place.unlink(missing_ok=True)
            raise StoreError(
                f"{sha256[:12]}… in the store was damaged and is removed",
                hint="do the same again: it is fetched anew",
            )

    def prune(self, keep_days: float) -> int:
        """Removes what was not used for some days and what killed processes left; returns the bytes freed."""
        oldest = time.time() - keep_days * _DAY
        freed = sum(_remove_if_older(path, oldest) for path in self._files("sha256", "resolved"))
        for note in (self.directory / "debs").glob("*.json"):
            if not self.has(note.stem):
                note.unlink(missing_ok=True)
        yesterday = time.time() - _DAY
        for leftover in (self.directory / "incoming").glob("*"):
            if leftover.stat().st_mtime < yesterday:
                shutil.rmtree(leftover, ignore_errors=True)
        return freed

    def require_room(self, size: int = 0) -> None:
        """Makes sure that so many bytes, and a few more, can be kept. Raises StoreError at once where they cannot."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory) as probe:
                probe.write(bytes(4096))
            free = shutil.disk_usage(self.directory).free
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = "make room there, let this user write to it, or name another folder: FEDIKIT_CACHE"
            raise StoreError(f"the cache {self.directory} cannot be written to: {reason}", hint=hint) from error
        if free < size + LEAST_ROOM:
            message = f"{free / 1e6:.0f} MB are free for the cache {self.directory}, {size / 1e6:.0f} MB are to come"
            raise StoreError(message, hint="make room there (fedikit store prune), or name another: FEDIKIT_CACHE")

    @contextmanager
    def incoming(self, size: int = 0) -> Iterator[Path]:
        """A folder of one's own for files on their way into the store, of that size; it goes away at the end."""
        self.require_room(size)
        parent = self.directory / "incoming"
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def _place(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise StoreError(f"{sha256!r} is no SHA-256: 64 hexadecimal digits in lower case are")
        return self.directory / "sha256" / sha256[:2] / sha256

    def _files(self, *folders: str) -> Iterator[Path]:
        for folder in folders:
            yield from (path for path in (self.directory / folder).rglob("*") if path.is_file())


def hash_of(path: Path) -> str:
    """SHA-256 (hex) of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_and_flush(path: Path) -> str:
    """SHA-256 (hex) of a file's contents, which are on the disk when this returns."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_if_older(path: Path, oldest: float) -> int:
    with suppress(FileNotFoundError):  # another process may prune at the same time
        status = path.stat()
        if status.st_mtime < oldest:
            path.unlink()
            return status.st_size
    return 0


def _absent(sha256: str) -> StoreError:
    return StoreError(f"{sha256[:12]}… is not in the store", hint="make the plan again: it is fetched then")
