"""Whether there is room on the host for what is to be sent, and for what it becomes there."""

import os
from typing import Any

from .ledger import HOME
from .trouble import Trouble

Item = dict[str, Any]
CONTAINERS = "/var/lib/containers"
SPARE_BYTES = 8 * 1024 * 1024
UNPACKED = 4
"""How much of a layer's size Podman needs: unpacked it is some three times as large, and there is a copy on the way."""


def require_disk_space(root: str, sent: int, layers: list[Item]) -> None:
    """Trouble if what is sent, or what these layers of images become, does not fit."""
    root = root.rstrip("/")
    unpacked = sum({layer["sha256"]: layer["size"] for layer in layers}.values()) * UNPACKED
    home, containers = _existing(root + HOME), _existing(root + CONTAINERS)
    if unpacked and _share_a_disk(home, containers):
        _require(
            home, HOME, sent + unpacked, f"{_mb(sent)} are to be sent, {_mb(unpacked)} more come of unpacking images"
        )
    else:
        _require(home, HOME, sent, f"{_mb(sent)} are to be sent")
        if unpacked:
            _require(containers, CONTAINERS, unpacked, f"the images become about {_mb(unpacked)}")


def _share_a_disk(one: str, other: str) -> bool:
    """Whether what fills one fills the other; parts of one Btrfs, or of an overlay, have different device numbers."""
    figures = [(disk.f_frsize, disk.f_blocks, disk.f_bfree) for disk in (os.statvfs(one), os.statvfs(other))]
    return os.stat(one).st_dev == os.stat(other).st_dev or figures[0] == figures[1]


def _require(place: str, name: str, wanted: int, words: str) -> None:
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    if wanted + SPARE_BYTES > free:
        raise Trouble(
            f"{words}, {free / 1e6:.1f} MB are free in {name}; nothing was done",
            code="disk",
            hint="free some space there and run the same command again",
        )


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _existing(path: str) -> str:
    """The path, or the nearest directory above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    return path
