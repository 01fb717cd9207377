"""Room on this host's disks, and which of them are full: what failed for want of room seldom says where."""

import os
from pathlib import Path

NO_ROOM = 32 << 20
"""So few bytes are none: restic writes sixteen megabytes at a time, and takes them away again when they do not fit."""
_MOST_FREE = 0.5
"""A disk that is small, and has more than that left, is not full."""
_FEW_FILES = 16
_KINDS = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
"""Those that answer at once: a server's, far away, may not."""


def free_at(path: Path) -> int:
    """The bytes that are free where something lies, or would."""
    disk = os.statvfs(existing(path))
    return disk.f_bavail * disk.f_frsize


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def full_disks(mounts: Path = Path("/proc/self/mounts")) -> list[str]:
    """Where full disks are mounted, the fullest first."""
    lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    found = [line.split(" ") for line in lines]
    places = [words[1].encode().decode("unicode_escape") for words in found if words[2] in _KINDS]
    free = {place: _free_share(place) for place in places}
    return sorted((place for place, share in free.items() if share < _MOST_FREE), key=free.__getitem__)


def _free_share(place: str) -> float:
    """How much is free of a disk's bytes, or of the number of its files; all of it if that is enough."""
    try:
        disk = os.statvfs(place)
    except OSError:
        return 1.0
    if disk.f_flag & os.ST_RDONLY or not disk.f_blocks:
        return 1.0
    if disk.f_files and disk.f_favail < _FEW_FILES:
        return disk.f_favail / disk.f_files
    return disk.f_bavail / disk.f_blocks if disk.f_bavail * disk.f_frsize < NO_ROOM else 1.0
