"""How long an application's units take to start and to stop: what systemd remembers of the last time."""

from typing import Any

from . import units
from .work import Work

START = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
STOP = ("ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic")


def pace(work: Work) -> list[dict[str, Any]]:
    """Of each unit the seconds that it took to start and to stop; None for what it did not do since the host booted."""
    return [_pace_of(unit) for unit in work.settings.stop]


def _pace_of(unit: str) -> dict[str, Any]:
    return {"unit": unit, "start": _seconds(unit, *START), "stop": _seconds(unit, *STOP)}


def _seconds(unit: str, begun: str, ended: str) -> float | None:
    """Between two moments, which systemd tells in microseconds; 0 is one that has not come yet."""
    began, end = (int(units.property_of(unit, name) or 0) for name in (begun, ended))
    return round((end - began) / 1e6, 3) if 0 < began <= end else None
