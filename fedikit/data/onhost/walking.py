"""Walking through a folder in which others are at work: from one open folder to the next, so that no link leads away.

Folders may lie in each other as deep as they like: each level takes a descriptor, and nothing of the stack.
"""

import array
import contextlib
import fcntl
import os
import resource
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_GET_FLAGS = 0x80086601
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20


@dataclass
class _Level:
    """A folder on the way down: its path below the top, and which of its folders are still to be looked into."""

    descriptor: int
    path: str
    names: list[str] | None = None


def folders(top: str, left_out: Collection[str] = ()) -> Iterator[int]:
    """The folder and each one below it, opened, but those of these paths below it.

    What a folder holds is looked at after it was given, so that whoever takes it away from others finds nothing else in
    it later. What vanishes or becomes a link meanwhile was not there.
    """
    _allow_many_descriptors()
    levels = [_Level(os.open(top, _FOLDER), "")]
    try:
        while levels:
            level = levels[-1]
            if level.names is None:
                yield level.descriptor
                level.names = _folders_in(level.descriptor)
            if not level.names:
                os.close(levels.pop().descriptor)
                continue
            name = level.names.pop()
            path = f"{level.path}/{name}".lstrip("/")
            if path not in left_out:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    levels.append(_Level(os.open(name, _FOLDER, dir_fd=level.descriptor), path))
    finally:
        for level in levels:
            os.close(level.descriptor)


def files_in(folder: int) -> Iterator["os.DirEntry[str]"]:
    """All that lies in an open folder but folders."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.is_dir(follow_symlinks=False))


def is_kept_from_root(folder: int, entry: "os.DirEntry[str] | None" = None) -> bool:
    """Whether an open folder, or a file in it, is immutable or may only be appended to: root cannot change it."""
    if entry is None:
        return _is_kept(folder)
    if not entry.is_file(follow_symlinks=False):
        return False
    with contextlib.suppress(OSError):
        descriptor = os.open(entry.name, _FILE, dir_fd=folder)
        try:
            return _is_kept(descriptor)
        finally:
            os.close(descriptor)
    return False


def _is_kept(descriptor: int) -> bool:
    flags = array.array("l", [0])
    with contextlib.suppress(OSError):  # such as on a disk that has no such flags
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
    return bool(flags[0] & (_IMMUTABLE | _APPEND_ONLY))


def _folders_in(descriptor: int) -> list[str]:
    with os.scandir(descriptor) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def _allow_many_descriptors() -> None:
    """As many as a process may have: paths of thousands of folders exist."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
