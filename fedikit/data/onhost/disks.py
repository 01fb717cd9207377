"""Which of this host's disks are full: what a message about one seldom says."""

import os
from pathlib import Path

_KINDS = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
"""Those that answer at once: a server's, far away, may not."""
_FULL = 0.05
"""Less of a disk than this is none: what has just failed for want of room took its own files away again."""


def full_disks(mounts: Path = Path("/proc/self/mounts")) -> list[str]:
    """Where full disks are mounted, the fullest first."""
    free = {
        place: _free_share(place) for place in _places(mounts.read_text(encoding="utf-8", errors="surrogateescape"))
    }
    return sorted((place for place, share in free.items() if share < _FULL), key=free.__getitem__)


def _places(mounts: str) -> list[str]:
    lines = [line.split(" ") for line in mounts.splitlines()]
    return [os.fsdecode(words[1].encode().decode("unicode_escape")) for words in lines if words[2] in _KINDS]


def _free_share(place: str) -> float:
    """How much of a disk is free for use, of its blocks or its files, whichever is less; all where nobody writes."""
    try:
        disk = os.statvfs(place)
    except OSError:
        return 1.0
    if disk.f_flag & os.ST_RDONLY or not disk.f_blocks:
        return 1.0
    files = disk.f_favail / disk.f_files if disk.f_files else 1.0
    return min(disk.f_bavail / disk.f_blocks, files)
