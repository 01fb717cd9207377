"""Times, durations, sizes and lists in words."""

from collections.abc import Iterable
from datetime import datetime

from fedikit.panel.texts import Texts

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration(seconds: float, *, text: Texts) -> str:
    """How long it took, as exactly as people care: `0.4 s`, `12 s`, `1 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return text("{n} s", n=number(round(seconds, 1), text=text))
    whole = round(seconds)
    if whole < MINUTE:
        return text("{n} s", n=whole)
    if whole < HOUR:
        return text("{minutes} min {seconds} s", minutes=whole // MINUTE, seconds=whole % MINUTE)
    return text("{hours} h {minutes} min", hours=whole // HOUR, minutes=whole % HOUR // MINUTE)


def about(seconds: float, *, text: Texts) -> str:
    """How long it will take, as vaguely as it is known."""
    if seconds < 50:
        return text("about {n} seconds", n=max(5, 5 * round(seconds / 5)))
    if seconds < 1.5 * HOUR:
        return text.plural("about one minute", "about {n} minutes", round(seconds / MINUTE))
    return text.plural("about one hour", "about {n} hours", round(seconds / HOUR))


def age(then: datetime, now: datetime, *, text: Texts) -> str:
    """How long ago it was; both with their time zones."""
    seconds = (now - then).total_seconds()
    if seconds < MINUTE:
        return text("just now")
    if seconds < HOUR:
        return text.plural("{n} minute ago", "{n} minutes ago", int(seconds // MINUTE))
    if seconds < DAY:
        return text.plural("{n} hour ago", "{n} hours ago", int(seconds // HOUR))
    return text.plural("{n} day ago", "{n} days ago", int(seconds // DAY))


def moment(time: datetime, *, text: Texts) -> str:
    """A day and a time of it, in the zone that the time has."""
    months = text("January February March April May June July August September October November December").split()
    clock = f"{time:%H:%M}"
    return text("{day} {month} at {clock}", day=time.day, month=months[time.month - 1], clock=clock)


def size(count: int, *, text: Texts) -> str:
    """So many bytes, such as `380 MB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            amount = count / unit
            return f"{number(round(amount, 1) if amount < 10 else round(amount), text=text)} {name}"
    return f"{max(1, round(count / 1e3))} kB"


def number(value: float, *, text: Texts) -> str:
    """A number as the language writes it."""
    whole = int(value)
    return str(whole) if whole == value else str(value).replace(".", text("."))


def listed(words: Iterable[str], *, text: Texts) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return text("{first} and {last}", first=", ".join(first), last=last) if first else last
