"""The host's store: contents by their SHA-256, verified when they arrive and again when they are used.

It lies in fedikit's own directory, which root alone can enter: so paths will do.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from .edits import pour
from .files import PIECE
from .trouble import Trouble


class Blobs:
    """A directory with one file for each content, named by its digest."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, sha256: str) -> str:
        return os.path.join(self.directory, sha256)

    def has(self, sha256: str) -> bool:
        return os.path.exists(self.path(sha256))

    def size(self, sha256: str) -> int:
        return os.path.getsize(self.path(sha256))

    def names(self) -> set[str]:
        return set(os.listdir(self.directory)) if os.path.isdir(self.directory) else set()

    def add(self, sha256: str, pieces: Iterable[bytes]) -> None:
        """Takes a content in; trouble if it is not what its digest says, or if the disk is full."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        with self._draft(sha256) as draft:
            digest = hashlib.sha256()
            with open(draft, "wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != sha256:
                raise Trouble(f"content {sha256[:12]} arrived damaged", hint="run the same command again")
            os.rename(draft, self.path(sha256))

    def take(self, pieces: Iterable[bytes]) -> str:
        """Takes in a content of this host's own; returns its digest."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        digest = hashlib.sha256()
        with self._draft("taken") as draft:
            with open(draft, "wb") as file:
                pour(_digested(pieces, digest), file.fileno())
            os.rename(draft, self.path(digest.hexdigest()))
        return digest.hexdigest()

    @contextmanager
    def _draft(self, sha256: str) -> Iterator[str]:
        draft = self.path(sha256) + ".part"
        try:
            yield draft
        except OSError as error:
            raise Trouble(f"cannot keep content {sha256[:12]} in {self.directory}: {error.strerror}") from error
        finally:
            remove_if_there(draft)

    def read(self, sha256: str) -> bytes:
        """A content that is not large, verified."""
        return b"".join(self.pieces(sha256))

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """A content, verified before its first piece is told: it may be large."""
        self.verify(sha256)
        with open(self.path(sha256), "rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def verify(self, sha256: str) -> None:
        """Trouble if a content is damaged, which is dropped, so that it is sent anew."""
        digest = hashlib.sha256()
        try:
            with open(self.path(sha256), "rb") as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
        except FileNotFoundError as error:
            raise Trouble(f"content {sha256[:12]} is not in this host's store") from error
        if digest.hexdigest() != sha256:
            os.unlink(self.path(sha256))
            raise Trouble(
                f"content {sha256[:12]} in this host's store was damaged and has been dropped",
                hint="run the same command again: it is sent anew",
            )

    def keep_only(self, wanted: set[str]) -> None:
        """Removes all else: contents, and the drafts and folders of killed agents."""
        for name in self.names() - wanted:
            path = self.path(name)
            _remove_folder(path) if os.path.isdir(path) else os.unlink(path)


def _remove_folder(path: str) -> None:
    import shutil  # slow, and seldom needed

    shutil.rmtree(path)


def remove_if_there(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _digested(pieces: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece
