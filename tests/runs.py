"""Events of runs, as records have them; so that pictures and histories can be tested without a run."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 11, 27, 9, 14, tzinfo=UTC)
Event = dict[str, Any]


def at(after: float, event: str, /, **fields: Any) -> Event:
    """An event so long after the run began."""
    return {"time": (BEGAN + timedelta(seconds=after)).isoformat(), "event": event, **fields}


def step(name: str, began: float, ended: float, *, failed: bool = False) -> list[Event]:
    """A step, from its beginning to its end."""
    took = {"seconds": ended - began, "failed": failed}
    return [at(began, "StepStarted", step=name), at(ended, "StepFinished", step=name, **took)]


def item(host: str, name: str, began: float, ended: float, *, failed: bool = False) -> list[Event]:
    """Work on an item of a host."""
    told = {"host": host, "item": name, "action": "create"}
    took = {"seconds": ended - began, "failed": failed}
    return [at(began, "ItemStarted", **told), at(ended, "ItemFinished", **told, **took)]


def large_run(hosts: int, items: int, *, failing: bool = True) -> list[Event]:
    """A whole deployment; the last host's last item fails."""
    chance = random.Random(7)
    events = [*step("pre-checks", 0, 0.4), *step("plan", 0.5, 3)]
    names = [f"host{number}" for number in range(1, hosts + 1)]
    for host in names:
        events.append(at(2.5, "HostPlanned", host=host, changes=items, seconds=1.9))
        events += _host(host, items, chance, failing=failing and host == names[-1])
    ended = max(datetime.fromisoformat(event["time"]) for event in events)
    last = (ended - BEGAN).total_seconds()
    events += step("apply", 3.1, last + 0.2, failed=failing)
    if not failing:
        events += step("verify", last + 0.3, last + 6)
        for number in range(12):
            found = {"check": f"host{number % hosts + 1}.example answers 200", "passed": number != 7}
            events.append(
                at(last + 1 + number / 3, "CheckFinished", seconds=0.5 + number / 3, detail="HTTP 502", **found)
            )
    return sorted(events, key=lambda event: str(event["time"]))


def _host(host: str, items: int, chance: random.Random, *, failing: bool) -> Iterator[Event]:
    now = 3.2
    yield at(now, "Progress", host=host, what="sending", done=1, total=9)
    now += chance.uniform(0.5, 4)
    yield at(now, "Progress", host=host, what="sending", done=9, total=9)
    for number in range(items):
        kind = chance.choice(("file:/etc/fedikit/", "unit:mastodon-", "package:", "job:migrations "))
        took = chance.choice((0.01, 0.02, 0.02, 0.05, 1.5 if kind.startswith("job") else 0.1))
        yield from item(host, f"{kind}{number}", now, now + took, failed=failing and number == items - 1)
        now += took + 0.01
    outcome = "failed" if failing else "changed"
    yield at(now, "HostFinished", host=host, outcome=outcome, seconds=now - 3.1, detail="the disk is full")
