"""Which backup is meant: by a time, a day, or its own name."""

import re
from datetime import UTC, date, datetime

from fedikit.errors import ConfigurationError, Mistake

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
FORMS = "such as 2026-11-27, 2026-11-27T02:30:00Z (UTC), or a backup's name: fedikit backup list"


def as_asked(at: str | None) -> str:
    """In the one spelling that hosts are asked by; empty for the newest. Raises ConfigurationError for other words."""
    text = (at or "").strip()
    if not text or _NAME.fullmatch(text):
        return text
    try:
        moment = _end_of_day(text) or datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError("restore", [Mistake("at", f"{text!r} is no time, {FORMS}")]) from None
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _end_of_day(text: str) -> datetime | None:
    """The last second of a day, however ISO 8601 has it written; None for what is more than a day."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
