"""News: what is told of a look, by what was known before. Pure: values in, values out."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from fedikit.environment.watch import Watch
from fedikit.watch.finding import Finding, Kind
from fedikit.watch.look import Look
from fedikit.watch.memory import Known, Memory
from fedikit.watch.message import Change, State

TOLD_ONCE = (Kind.SECURITY, Kind.DRIFT)
"""What may be meant so, or goes by itself."""


def compare(memory: Memory, look: Look, rules: Watch, now: datetime) -> tuple[Memory, tuple[Change, ...]]:
    """What is known after a look, and what is to be told of it.

    A change is told when enough looks in a row have seen it; at the first look at once.
    """
    enough = 1 if memory.looked is None else rules.looks
    known = {finding.key: _seen(memory.known.get(finding.key), finding, now) for finding in look.findings}
    changes = _begun(known, enough, now)
    for key, before in memory.known.items():
        if key not in known and (after := _not_seen(before, look)):
            if after.well >= enough:
                changes.append(Change(state=State.WELL, finding=after.finding, since=after.since))
            else:
                known[key] = after
    if _is_reminder_due(known.values(), rules, now):
        changes += _reminded(known, now)
    return memory.model_copy(update={"looked": now, "known": known}), tuple(changes)


def told_before(memory: Memory, changes: Iterable[Change]) -> tuple[str, ...]:
    """What is known to be not well, besides what is told now."""
    now_told = {change.finding.key for change in changes}
    others = [known.finding.what for key, known in memory.known.items() if known.told and key not in now_told]
    return tuple(dict.fromkeys(others))


def _seen(before: Known | None, finding: Finding, now: datetime) -> Known:
    if before is None:
        return Known(finding=finding, since=now)
    looks = before.looks + 1 if not before.well else 1
    return before.model_copy(update={"finding": finding, "looks": looks, "well": 0})


def _not_seen(before: Known, look: Look) -> Known | None:
    """What remains known of it: all, if it could not be seen; nothing, if nobody was told of it."""
    if not look.could_see(before.finding):
        return before
    return before.model_copy(update={"well": before.well + 1, "looks": 0}) if before.told else None


def _begun(known: dict[str, Known], enough: int, now: datetime) -> list[Change]:
    begun = [key for key, one in known.items() if one.told is None and one.looks >= enough]
    return _told(known, begun, State.BROKEN, now)


def _reminded(known: dict[str, Known], now: datetime) -> list[Change]:
    """All that is still so, but for what is told once."""
    still = [key for key, one in known.items() if _reminds(one) and one.told != now]
    return _told(known, still, State.STILL, now)


def _told(known: dict[str, Known], keys: Iterable[str], state: State, now: datetime) -> list[Change]:
    changes = []
    for key in keys:
        known[key] = known[key].model_copy(update={"told": now})
        changes.append(Change(state=state, finding=known[key].finding, since=known[key].since))
    return changes


def _reminds(one: Known) -> bool:
    return one.told is not None and not one.well and one.finding.kind not in TOLD_ONCE


def _is_reminder_due(known: Iterable[Known], rules: Watch, now: datetime) -> bool:
    """Also where the clock was set back."""
    day = timedelta(hours=rules.reminder_hours)
    return any(_reminds(one) and one.told and not timedelta() <= now - one.told < day for one in known)
