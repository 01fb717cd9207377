"""Room on the disks, looked at before anything of a restore is done."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .disks import existing, free_at
from .manifest import Manifest
from .part import Part
from .trouble import Trouble
from .work import Work

SPARE = 64 << 20
"""What must stay free on a disk, in bytes."""
_POSTGRESQL = Path("/var/lib/postgresql")
_MARIADB = Path("/var/lib/mysql")
_OWN_ADDRESSES = ("127.0.0.1", "::1", "localhost")


def require_room(work: Work, manifest: Manifest) -> None:
    """Raises Trouble if what is restored has no room on its disks: volumes in the place of what they are.

    PostgreSQL keeps the old data until the new is whole; that of another host's server is not looked at.
    """
    wanted, places = defaultdict[int, int](int), dict[int, Path]()
    for spec in work.settings.parts:
        record = manifest.of_part(spec["id"])
        place = _place_of(spec)
        if place and record:
            disk = existing(place).stat().st_dev
            places[disk] = place
            wanted[disk] += record["bytes"] - (_present(work.part(spec["id"])) if spec["kind"] == "volume" else 0)
    for disk, path in places.items():
        if wanted[disk] > 0 and wanted[disk] + SPARE > free_at(path):
            words = f"a restore needs {wanted[disk]:,} bytes more where {path} lies, and {free_at(path):,} are free"
            raise Trouble(words, hint="free some space there; nothing was changed")


def filled_by(work: Work) -> list[Path]:
    """Where on this host something may grow while the application's parts are put back."""
    found = [_place_of(spec) or (_MARIADB if spec["kind"] == "mariadb" else None) for spec in work.settings.parts]
    return [work.state, *filter(None, found)]


def _place_of(spec: Mapping[str, Any]) -> Path | None:
    """On which of this host's disks a part is put back, if that can be known."""
    if spec["kind"] == "volume":
        return Path(spec["path"])
    return _POSTGRESQL if spec["kind"] == "postgresql" and spec["host"] in _OWN_ADDRESSES else None


def _present(part: Part) -> int:
    """What will go of it; nothing of what is not there, or so damaged that nobody can say."""
    try:
        return part.measure()["bytes"]
    except (OSError, Trouble):
        return 0
