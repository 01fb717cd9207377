"""A hostile user of a host: a process that swaps directories and files for links, as fast as it can."""

import ctypes
import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STRANGER = 12345 if os.geteuid() == 0 else os.geteuid()
"""Who owns what is swapped: another user where there may be one, else ourselves, in directories that all may change."""
RENAME_EXCHANGE = 2
OFTEN = 100
libc = ctypes.CDLL(None, use_errno=True)

Picture = dict[str, tuple[object, ...]]


def give_away(path: Path) -> Path:
    """Lets the hostile user change what is in a directory."""
    os.chown(path, STRANGER, -1)
    if os.geteuid() == STRANGER:
        path.chmod(0o777)
    return path


def picture(path: Path) -> Picture:
    """All that can be said of a directory and what is in it; changes when anything is done to it, or was."""
    return {str(found): _facts(found) for found in sorted([path, *path.rglob("*")])}


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = path.read_bytes() if path.is_file() else b""
    return (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_ctime_ns, content)


@contextmanager
def swapping(folder: Path, name: str, target: Path) -> Iterator[None]:
    """Meanwhile `name` in a folder is now itself, now a link to the target."""
    bait = os.open(folder, os.O_RDONLY)
    swaps = mmap.mmap(-1, 8)
    with _process(lambda: _swap(bait, name, str(target), swaps)):
        yield
    os.close(bait)
    assert int.from_bytes(swaps[:], "little") > OFTEN


def _swap(folder: int, name: str, target: str, swaps: mmap.mmap) -> None:
    """Goes on where what it swaps is taken away and comes back."""
    count = 0
    parent, _, last = name.rpartition("/")
    link = f"{parent}/{last}.link".lstrip("/")
    while True:
        if libc.renameat2(folder, name.encode(), folder, link.encode(), RENAME_EXCHANGE):
            try:
                os.symlink(target, link, dir_fd=folder)
            except OSError:
                time.sleep(0.0001)
            continue
        count += 1
        swaps[:] = count.to_bytes(8, "little")


@contextmanager
def _process(work: Callable[[], None]) -> Iterator[None]:
    child = os.fork()
    if not child:
        try:
            if os.geteuid() != STRANGER:
                os.setgroups([])
                os.setgid(STRANGER)
                os.setuid(STRANGER)
            work()
        finally:
            os._exit(1)
    try:
        yield
    finally:
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "the hostile user gave up"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
