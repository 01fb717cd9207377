"""Changing what is in a directory that is held: the one way in which the agent changes the host's files.

Each function gets the directory as a descriptor and a name in it, and never follows a link that bears this name.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator

from .files import LISTED, PIECE, Folder
from .trouble import Trouble
from .walk import Barred

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
ZEROS = bytes(PIECE)
PATIENCE = 1000
"""How often a directory may turn out not to be empty after all, before whoever fills it has won."""
MOST_LEFT = 10_000
"""How many names are kept in mind; the others are found again."""


def write(folder: Folder, name: str, pieces: Iterable[bytes], *, numbers: tuple[int, int], mode: int) -> None:
    """Puts a whole file in place at once; owner and mode are set before the content is there.

    Without fsync: after a power cut the next comparison finds what is missing and makes it anew.
    """
    draft = draft_of(name)
    delete(folder, draft)
    descriptor = os.open(draft, NEW, 0o600, dir_fd=folder.descriptor)
    try:
        os.fchown(descriptor, *numbers)
        os.fchmod(descriptor, mode)
        pour(pieces, descriptor)
        _put_in_place(folder, draft, name)
    except BaseException:
        delete(folder, draft)
        raise
    finally:
        os.close(descriptor)


def pour(pieces: Iterable[bytes], descriptor: int) -> None:
    """Writes the pieces into a new file; what is nothing but zeros takes no room on the disk."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if piece == ZEROS:
            os.lseek(descriptor, len(piece), os.SEEK_CUR)
            continue
        while piece:
            piece = piece[os.write(descriptor, piece) :]
    os.ftruncate(descriptor, size)


def link(folder: Folder, name: str, target: str) -> None:
    draft = draft_of(name)
    delete(folder, draft)
    os.symlink(target, draft, dir_fd=folder.descriptor)
    _put_in_place(folder, draft, name)


def _put_in_place(folder: Folder, draft: str, name: str) -> None:
    os.rename(draft, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)


def draft_of(name: str) -> str:
    return f"{name}.fedikit-new"


def make_folder(folder: Folder, name: str) -> None:
    os.mkdir(name, 0o700, dir_fd=folder.descriptor)


def own(folder: Folder, numbers: tuple[int, int], mode: int) -> None:
    """Gives the directory that is held to its owner; whatever bears its name by now stays as it is."""
    descriptor = os.open(".", LISTED, dir_fd=folder.descriptor)
    try:
        os.fchown(descriptor, *numbers)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def delete(folder: Folder, name: str) -> None:
    """Removes a file or link; nothing to do where there is none."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder.descriptor)


def delete_empty(folder: Folder, name: str) -> bool:
    """Removes a directory unless something is in it; says whether it is gone."""
    try:
        os.rmdir(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def delete_tree(folder: Folder, name: str) -> str:
    """Removes a directory with all that is in it, or whatever else bears the name; says what of it stays."""
    try:
        with folder.folder(name) as top:
            empty(top)
    except NotADirectoryError:
        delete(folder, name)
        return ""
    return "" if delete_empty(folder, name) else "is empty now, and stays: something is mounted there"


def empty(top: Folder) -> None:
    """Removes all that is in a directory, however deep. Trouble, with all still there, if other disks are in it."""
    if mounts := list(_mounts_below(top)):
        raise Trouble(
            f"{top.path} was not deleted: {', '.join(mounts)} in it is a mount of its own",
            hint="unmount it first, or delete by hand what shall go",
        )
    for _ in range(PATIENCE):
        if not _thin_out(top):
            return
    raise Barred(f"{top.path} is filled as fast as it is emptied")


def _thin_out(top: Folder) -> bool:
    """Removes what is in it; says whether there was anything. What somebody puts there meanwhile may stay."""
    was_there = False
    with top.entries() as entries:
        for entry in entries:
            was_there = True
            if entry.is_dir(follow_symlinks=False):
                _dissolve_all(top, entry.name)
            else:
                _unlink(top, entry.name)
    return was_there


def _dissolve_all(top: Folder, name: str) -> None:
    """Removes a directory; those in it are brought to the top first: so the depth takes no descriptors."""
    left = [name]
    while left:
        found = list(_dissolve(top, left.pop()))
        left += found[: MOST_LEFT - len(left)]


def _dissolve(top: Folder, name: str) -> Iterator[str]:
    """Empties a directory and removes it; returns the names that the directories in it have at the top."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), top.folder(name) as folder:
        with folder.entries() as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _bring_up(top, folder, entry.name)
                else:
                    _unlink(folder, entry.name)
        delete_empty(top, name)


def _bring_up(top: Folder, folder: Folder, name: str) -> Iterator[str]:
    new_name = os.urandom(12).hex()
    try:
        os.rename(name, new_name, src_dir_fd=folder.descriptor, dst_dir_fd=top.descriptor)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.EXDEV:  # an overlay leaves the directories of its lower layer where they are
            raise
        with folder.folder(name) as deep:
            empty(deep)
        delete_empty(folder, name)
        return
    yield new_name


def _unlink(folder: Folder, name: str) -> None:
    """Removes what was not a directory a moment ago; if it is one by now, the next round takes it."""
    with contextlib.suppress(IsADirectoryError):
        delete(folder, name)


def _mounts_below(folder: Folder) -> Iterator[str]:
    """Where other disks, or directories from elsewhere, are mounted in this directory, as the kernel spells it."""
    place = os.readlink(f"/proc/self/fd/{folder.descriptor}").rstrip("/") + "/"
    spelt = "".join(f"\\{ord(sign):03o}" if sign in " \t\n\\" else sign for sign in place)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        mounts = [line.split(" ")[4] for line in lines]
    return (mount for mount in mounts if mount.startswith(spelt))
