"""Which backup is meant: in UTC, whatever way of writing a moment somebody has."""

import pytest

from fedikit.data.moment import as_asked
from fedikit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("at", "asked"),
    [
        ("2026-11-27", "2026-11-27T23:59:59Z"),
        ("20261127", "2026-11-27T23:59:59Z"),
        ("2026-W48-5", "2026-11-27T23:59:59Z"),
        ("2026-11-27 02:30", "2026-11-27T02:30:00Z"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
        (" 20261127T023000Z-1a2b3c4d ", "20261127T023000Z-1a2b3c4d"),
        (None, ""),
    ],
)
def test_a_day_is_its_end_and_a_moment_is_in_utc(at: str | None, asked: str) -> None:
    assert as_asked(at) == asked


@pytest.mark.parametrize("at", ["yesterday", "2026-02-30", "0001-01-01T00:00+14:00", "2026-11-27T02:30:00 CET"])
def test_what_is_no_time_is_said(at: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time"):
        as_asked(at)
