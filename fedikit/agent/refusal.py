"""Why the host refuses what root may do: what the operating system says in one word, said in full."""

import array
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .files import Files, Folder
from .trouble import Trouble

GET_FLAGS = 0x80086601
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
WITHOUT_WAITING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
EXPLAINED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR)


@contextmanager
def explained(files: Files, path: str) -> Iterator[None]:
    """Meanwhile a refusal by the operating system becomes trouble that says why; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in EXPLAINED:
            raise
        why, hint = _cause_of(files, path, error.errno)
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        words = why or error.strerror or str(error)
        raise Trouble(f"{path} cannot be changed: {words}", code="disk" if is_full else "failed", hint=hint) from error


def _cause_of(files: Files, path: str, number: int) -> tuple[str, str]:
    """The cause, and what is to be done about it; empty where it is not known."""
    above = path.rpartition("/")[0] or "/"
    with suppress(OSError, Trouble):
        if number == errno.ENOTDIR:
            return f"{_file_in(files, path)} is a file, not a directory", "move it out of the way"
        with files.place(path) as (folder, name):
            if number in (errno.EPERM, errno.EACCES):
                return _flag_of(folder, name, path) or _flag_of(folder, ".", above) or ("", "")
            if number == errno.EROFS:
                return f"{above} is on a disk that is mounted read-only", "see: dmesg; findmnt; mount -o remount,rw"
            return _lack_in(folder, above, number), "free some there and run the same command again"
    return "", ""


def _flag_of(folder: Folder, name: str, path: str) -> tuple[str, str] | None:
    """Whether somebody has forbidden changes, to root too (chattr)."""
    flags = _flags_of(folder, name)
    for flag, letter, words in ((IMMUTABLE, "i", "is immutable"), (APPEND_ONLY, "a", "may only be appended to")):
        if flags & flag:
            return f"{path} {words} (chattr +{letter})", f"chattr -{letter} {path} if it may be changed"
    return None


def _flags_of(folder: Folder, name: str) -> int:
    flags = array.array("l", [0])
    with suppress(OSError):
        descriptor = os.open(name, WITHOUT_WAITING, dir_fd=folder.descriptor)
        try:
            fcntl.ioctl(descriptor, GET_FLAGS, flags)
        finally:
            os.close(descriptor)
    return flags[0]


def _lack_in(folder: Folder, above: str, number: int) -> str:
    if number == errno.EDQUOT:
        return f"the quota of {above} is used up"
    figures = os.fstatvfs(folder.descriptor)
    is_without_inodes = figures.f_files and not figures.f_favail
    return f"the disk of {above} has no {'inodes' if is_without_inodes else 'space'} left"


def _file_in(files: Files, path: str) -> str:
    """The part of a path that should be a directory and is none."""
    names = path.strip("/").split("/")
    parts = ["/" + "/".join(names[: count + 1]) for count in range(len(names) - 1)]
    return next((part for part in parts if _is_file(files, part)), path)


def _is_file(files: Files, path: str) -> bool:
    try:
        with files.folder(path):
            return False
    except NotADirectoryError:
        return True
