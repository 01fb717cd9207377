"""A draft: files that come into a folder all together, or not at all, and never in the place of others.

They are written into a hidden folder first, and get their names by links, which replace nothing. Who is cut off in
between leaves that folder behind, and the next one takes back what it had begun.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fedikit.errors import FedikitError

HIDDEN = ".fedikit-init"


class Draft(NamedTuple):
    """What a file will be."""

    text: str
    mode: int


def place_files(folder: Path, files: Mapping[str, Draft]) -> None:
    """Puts all files there, the last one last. Raises FedikitError, with nothing made, if one of them is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        take_back(folder)
        refuse_what_is_there(folder, list(files))
        write_hidden(folder, files)
        _link_all(folder, list(files))
    except OSError as error:
        words = f"the files cannot be written in {folder}: {(error.strerror or str(error)).lower()}"
        raise FedikitError(words, hint="nothing was made; mend that, and run it again") from error


def refuse_what_is_there(folder: Path, names: Sequence[str]) -> None:
    """Raises FedikitError that names everything which would be in the way."""
    there = [name for name in names if os.path.lexists(folder / name)]
    if there:
        verb = "is" if len(there) == 1 else "are"
        hint = "nothing was made, for nothing is ever overwritten: take another folder, or move these away"
        raise FedikitError(f"{', '.join(there)} {verb} in {folder} already", hint=hint)


def write_hidden(folder: Path, files: Mapping[str, Draft]) -> Path:
    """Writes the files where nobody looks for them; returns that folder."""
    hidden = folder / HIDDEN
    hidden.mkdir(mode=0o700)
    for name, draft in files.items():
        descriptor = os.open(hidden / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, draft.mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(draft.text)
            file.flush()
            os.fsync(descriptor)
    return hidden


def take_back(folder: Path) -> None:
    """Takes back what somebody who was cut off had begun; what is complete stays."""
    hidden = folder / HIDDEN
    if hidden.is_symlink() or not hidden.is_dir():
        return
    drafts = [path for path in hidden.iterdir() if path.is_file()]
    placed = [folder / path.name for path in drafts if _is_same(path, folder / path.name)]
    if len(placed) < len(drafts):
        for path in placed:
            path.unlink()
    shutil.rmtree(hidden)


def _link_all(folder: Path, names: Sequence[str]) -> None:
    try:
        for name in names:
            os.link(folder / HIDDEN / name, folder / name)
    finally:
        take_back(folder)


def _is_same(one: Path, other: Path) -> bool:
    return os.path.lexists(other) and os.path.samestat(one.lstat(), other.lstat())
