"""Moments, in UTC: `2026-11-27T02:30:00Z`, and the names of backups, which begin with one."""

import re
import secrets
from datetime import UTC, datetime, time, timedelta

from .trouble import Trouble

SKEW = timedelta(minutes=5)
"""By how much two clocks that are well may differ."""
IDENTITY = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def now() -> str:
    return told(datetime.now(UTC))


def told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_identity() -> str:
    """The name of a backup that begins now: 20261127T023000Z-1a2b3c4d."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def moment_of(text: str) -> datetime:
    """The moment that a text of ours names."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def asked_moment(text: str) -> datetime:
    """The moment that somebody asks for: ISO 8601, UTC unless it says otherwise; a date alone is its end."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "say it as 2026-11-27, 2026-11-27T02:30:00Z, or by the name of a backup"
        raise Trouble(f"{text!r} is no time", hint=hint) from error
    if len(text) <= len("2026-11-27"):
        found = datetime.combine(found, time.max)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_future(text: str) -> bool:
    """Whether a moment is still to come, by more than clocks differ."""
    return moment_of(text) > datetime.now(UTC) + SKEW
