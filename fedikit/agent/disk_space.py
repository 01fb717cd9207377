"""Whether there is room on the host for what is to be sent, and for what it becomes there."""

import os
from typing import Any, NamedTuple

from .files import Files
from .ledger import HOME
from .trouble import Trouble

Item = dict[str, Any]
CONTAINERS = "/var/lib/containers"
DATA = "/srv"
"""Where containers keep what people put into them, unless the provider names another place."""
SPARE_BYTES = 8 * 1024 * 1024
UNPACKED = 4
"""How much of a layer's size Podman needs: unpacked it is some three times as large, and there is a copy on the way."""


class Disk(NamedTuple):
    """Which disk it is, and its figures, in blocks and in inodes."""

    device: int
    block: int
    blocks: int
    free: int
    available: int
    inodes: int
    free_inodes: int
    """Both are 0 where the file system does not count them."""

    @property
    def room(self) -> dict[str, int]:
        """In bytes: how large it is, and how much of it is free for people's data."""
        return {"size": self.blocks * self.block, "free": self.available * self.block}


def require_disk_space(root: str, sent: int, layers: list[Item]) -> None:
    """Trouble if what is sent, or what these layers of images become, does not fit."""
    files = Files(root)
    unpacked = sum({layer["sha256"]: layer["size"] for layer in layers}.values()) * UNPACKED
    home, containers = _disk_of(files, HOME), _disk_of(files, CONTAINERS)
    if unpacked and _share_a_disk(home, containers):
        _require(
            home, HOME, sent + unpacked, f"{_mb(sent)} are to be sent, {_mb(unpacked)} more come of unpacking images"
        )
    else:
        _require(home, HOME, sent, f"{_mb(sent)} are to be sent")
        if unpacked:
            _require(containers, CONTAINERS, unpacked, f"the images become about {_mb(unpacked)}")


def disk_of_data(root: str) -> dict[str, int]:
    """How large the disk is that bears people's data, and how much of it is free for them; in bytes."""
    return _disk_of(Files(root), DATA).room


def disk_at(root: str, path: str) -> dict[str, int]:
    """Which disk a path is on, or will be, how large it is, and how much of it is free; in bytes, and in inodes."""
    disk = _disk_of(Files(root), path)
    return {"device": disk.device, **disk.room, "inodes": disk.inodes, "free_inodes": disk.free_inodes}


def disks(root: str) -> list[dict[str, Any]]:
    """The disks that bear the system, containers and data: each once, by the first place on it; in bytes."""
    found: dict[int, dict[str, Any]] = {}
    for place in ("/", CONTAINERS, DATA):
        disk = _disk_of(Files(root), place)
        found.setdefault(disk.device, {"place": place, **disk.room})
    return list(found.values())


def _share_a_disk(one: Disk, other: Disk) -> bool:
    """Whether what fills one fills the other; parts of one Btrfs, or of an overlay, have different device numbers."""
    return one.device == other.device or one[1:] == other[1:]


def _require(disk: Disk, name: str, wanted: int, words: str) -> None:
    free = disk.room["free"]
    if wanted + SPARE_BYTES > free:
        raise Trouble(
            f"{words}, {free / 1e6:.1f} MB are free in {name}; nothing was done",
            code="disk",
            hint="free some space there and run the same command again",
        )


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _disk_of(files: Files, path: str) -> Disk:
    """The disk of a directory, or of the nearest one above it that is there."""
    try:
        with files.folder(path) as folder:
            figures = os.fstatvfs(folder.descriptor)
            device = folder.own_status().st_dev
    except (FileNotFoundError, NotADirectoryError):
        return _disk_of(files, path.rpartition("/")[0])
    return Disk(
        device, figures.f_frsize, figures.f_blocks, figures.f_bfree, figures.f_bavail, figures.f_files, figures.f_favail
    )
