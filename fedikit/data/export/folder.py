"""Where an export is written: a folder of nobody else, in which only what is whole has its name.

While an application's export is made, its folder holds `export.part`, the manifest as far as it is true by then; in the
end MANIFEST.json stands for all. So what was cut off goes on, and no other folder is ever written to.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

from pydantic import ValidationError

from fedikit.errors import FedikitError
from fedikit.results.export import ExportedFile, ExportedPart, Manifest

DRAFT, WHOLE = "export.part", "MANIFEST.json"
AGAIN = "then do the same again: it goes on where it was"
EMPTY = "name a folder that is empty, or not there"


class Writer:
    """A file while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self.bytes += len(piece)

    @property
    def figures(self) -> ExportedFile:
        return ExportedFile(bytes=self.bytes, sha256=self._digest.hexdigest())


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Writer]:
    """A file that has its name once it is whole and on the disk; only its owner can read it."""
    draft = path.with_name(f"{path.name}.part")
    with told_in_words(path):
        with open_private(draft, os.O_TRUNC) as file:
            yield Writer(file)
            settle(file)
        os.replace(draft, path)


def open_private(path: Path, how: int) -> IO[bytes]:
    """A file of ours to write to; never what a link leads to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
    return os.fdopen(os.open(path, flags, 0o600), "ab" if how & os.O_APPEND else "wb")


def settle(file: IO[bytes]) -> None:
    """On the disk, not only on its way there."""
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def told_in_words(path: Path) -> Iterator[None]:
    """A disk that is full, or refuses, is no mistake of ours."""
    try:
        yield
    except OSError as error:
        raise FedikitError(f"{path} cannot be written: {error.strerror or error}", hint=_hint_of(error)) from error


def _hint_of(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"make room there, {AGAIN}"
    return f"see that the folder above it is there, and that you may write to it, {AGAIN}"


class Folder:
    """One application's folder, with its manifest as far as it is true."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def at(cls, path: Path, wanted: Manifest) -> "Folder":
        """The folder as it is made, or goes on; raises FedikitError for one that holds something else."""
        make_private(path)
        if (path / WHOLE).exists():
            return cls(path, _read(path / WHOLE, wanted))
        known = _read(path / DRAFT, wanted) if (path / DRAFT).exists() else None
        if known is None and any(path.iterdir()):
            raise _strange(path)
        folder = cls(path, known or wanted)
        folder.note()
        return folder

    @property
    def is_whole(self) -> bool:
        return (self.path / WHOLE).exists()

    def note(self, part: ExportedPart | None = None, files: Mapping[str, ExportedFile] = MappingProxyType({})) -> None:
        """Writes down what is there now."""
        parts = self.manifest.parts + ((part,) if part else ())
        update = {"parts": parts, "files": {**self.manifest.files, **files}}
        self.manifest = self.manifest.model_copy(update=update)
        self._write(DRAFT)

    def write(self, name: str, text: str) -> None:
        """A small file besides the parts."""
        path = self.path / name
        for folder in reversed(path.parents[: len(Path(name).parts) - 1]):
            make_private(folder)
        with new_file(path) as file:
            file.write(text.encode())
        self.note(files={name: file.figures})

    def end(self, ended: str) -> None:
        """All is there."""
        told = {part.file: part.sha256 for part in self.manifest.parts}
        told |= {name: file.sha256 for name, file in self.manifest.files.items()}
        self.write("export.sha256", "".join(checksum_line(digest, name) for name, digest in told.items()))
        self.manifest = self.manifest.model_copy(update={"ended": ended})
        self._write(WHOLE)
        (self.path / DRAFT).unlink()

    def _write(self, name: str) -> None:
        with new_file(self.path / name) as file:
            file.write(f"{self.manifest.model_dump_json(indent=1)}\n".encode())


def checksum_line(digest: str, name: str) -> str:
    """A line as sha256sum reads it."""
    escaped = name.replace("\\", "\\\\")
    return f"{chr(92) if escaped != name else ''}{digest}  {escaped}\n"


def make_private(path: Path) -> None:
    """A directory that nobody else looks into; its parents exist."""
    with told_in_words(path):
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)


def open_place(out: Path, names: list[str]) -> None:
    """The folder for all applications; raises FedikitError where something else is in it, or nothing is left to do."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise FedikitError(f"{out} is no directory", hint=EMPTY)
    with told_in_words(out):
        found = list(out.iterdir()) if out.exists() else []
    if not all(map(_is_export, found)):
        raise _strange(out)  # and as it was: it may be anybody's
    if out.exists() and out.stat().st_uid != os.geteuid():
        raise FedikitError(f"{out} is another user's, who could put something else in its place", hint=EMPTY)
    if all((out / name / WHOLE).exists() for name in names):
        raise FedikitError(f"{out} holds a whole export already", hint="name another folder, or move that one away")
    make_private(out)


@contextlib.contextmanager
def held(out: Path) -> Iterator[None]:
    """Keeps other exports out of the folder; raises FedikitError if one is being written there."""
    descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait until it has ended, or name another folder"
            raise FedikitError(f"another export is just being written to {out}", hint=hint) from None
        yield
    finally:
        os.close(descriptor)


def _is_export(found: Path) -> bool:
    """Whether this is an application's export, or has begun to be one."""
    return found.is_dir() and not found.is_symlink() and any((found / name).is_file() for name in (DRAFT, WHOLE))


def _read(path: Path, wanted: Manifest) -> Manifest:
    try:
        found = Manifest.model_validate_json(path.read_bytes())
    except (ValidationError, OSError):
        raise _strange(path.parent) from None
    if (found.deployment, found.application, found.host) != (wanted.deployment, wanted.application, wanted.host):
        raise _strange(path.parent)
    return found


def _strange(path: Path) -> FedikitError:
    return FedikitError(f"{path} holds something else than this export", hint=EMPTY)
