"""Room on the disks, looked at before anything of a restore is done."""

import os
from collections import defaultdict
from pathlib import Path

from .manifest import Manifest
from .part import Part
from .trouble import Absent, Trouble
from .work import Work

_SPARE = 64 << 20
"""What must stay free on a disk, in bytes."""


def free_at(path: Path) -> int:
    """The bytes that are free where something lies, or would."""
    disk = os.statvfs(_existing(path))
    return disk.f_bavail * disk.f_frsize


def require_room(work: Work, manifest: Manifest) -> None:
    """Raises Trouble if what volumes would be has no room on their disks, in place of what they are."""
    wanted, places = defaultdict[int, int](int), dict[int, Path]()
    for spec in work.settings.parts:
        record = manifest.of_part(spec["id"])
        if spec["kind"] == "volume" and record:
            path = _existing(Path(spec["path"]))
            places[path.stat().st_dev] = Path(spec["path"])
            wanted[path.stat().st_dev] += record["bytes"] - _present(work.part(spec["id"]))
    for disk, path in places.items():
        if wanted[disk] > 0 and wanted[disk] + _SPARE > free_at(path):
            words = f"a restore needs {wanted[disk]:,} bytes more where {path} lies, and {free_at(path):,} are free"
            raise Trouble(words, hint="free some space there; nothing was changed")


def _present(part: Part) -> int:
    try:
        return part.measure()["bytes"]
    except Absent:
        return 0


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())
