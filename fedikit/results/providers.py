"""Buckets at providers that a plan has applications leave, as their hosts have them written down.

Where an application is backed up, its settings for that say which bucket it used; elsewhere, what it was told itself.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from fedikit.model.check import BucketWorks
from fedikit.model.data import BucketPart, settings_file
from fedikit.model.host import HostState
from fedikit.model.ssh_server import is_ip_address
from fedikit.results.plan import Plan, PlannedChange


class BucketLeft(NamedTuple):
    """Where an application on that host had what it is to look for in another bucket."""

    host: str
    endpoint: str
    part: BucketPart


class _Used(NamedTuple):
    """A bucket as a host has it written down: its S3 API, perhaps without the scheme, and its name; it may lie."""

    endpoint: str
    name: str


def buckets_left(plan: Plan) -> Iterator[BucketLeft]:
    """All that a plan leaves; what it says of hosts of the deployment is told by what leaves those."""
    for host, planned in plan.hosts.items():
        state = plan.deployment.hosts[host]
        changes = {change.id: change for change in planned.changes}
        for application, data in state.data.items():
            for part in (part for part in data.parts if isinstance(part, BucketPart)):
                used = _used(application, part, state, changes)
                if used and _is_left(used, part) and not _is_at_an_address(used):
                    yield BucketLeft(host, used.endpoint, part)


def is_led_to(plan: Plan, check: BucketWorks) -> bool:
    """Whether a plan tells an application of that S3 API which was not told of it before."""
    places = _spellings(check.endpoint)
    state, planned = plan.deployment.hosts[check.host], plan.hosts.get(check.host)
    was = {change.id: change.before or "" for change in planned.changes} if planned else {}
    mine = (item for item in state.items if check.application in state.belongings.get(item.id, ()) and item.id in was)
    texts = ((was[item.id], getattr(item, "content", None)) for item in mine)
    told = ((_variables(before), _variables(text)) for before, text in texts if isinstance(text, str))
    return any(places & {*now.values()} and not places & {*before.values()} for before, now in told)


def _used(application: str, part: BucketPart, state: HostState, changes: dict[str, PlannedChange]) -> _Used | None:
    settings = f"file:{settings_file(application)}"
    was = changes.get(settings)
    if any(item.id == settings for item in state.items) and (was is None or was.action != "create"):
        return _backed_up(part, was.before or "") if was else None
    mine = {id for id, applications in state.belongings.items() if application in applications}
    texts = {item.id: getattr(item, "content", None) for item in state.items if item.id in mine & changes.keys()}
    found = (_told(part, changes[id].before or "", text) for id, text in texts.items() if isinstance(text, str))
    return next((used for used in found if used), None)


def _backed_up(part: BucketPart, settings: str) -> _Used | None:
    """The bucket of which backups were made."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        for known in json.loads(settings)["parts"]:
            if known["id"] == part.id:
                return _Used(str(known["endpoint"]), str(known["bucket"]))
    return None


def _told(part: BucketPart, before: str, after: str) -> _Used | None:
    """The bucket that stood in an application's variables where this one is to stand."""
    was, now = _variables(before), _variables(after)
    ends = [was[name] for name in now if now[name] in _spellings(part.endpoint) and name in was]
    names = [was[name] for name in now if now[name] == part.bucket and was.get(name, part.bucket) != part.bucket]
    return _Used(ends[0], names[0] if names else part.bucket) if ends else None


def _variables(text: str) -> dict[str, str]:
    return {name: value for name, is_one, value in (line.partition("=") for line in text.splitlines()) if is_one}


def _spellings(endpoint: str) -> set[str]:
    """How an S3 API is written down: some applications are told its scheme apart."""
    return {endpoint, urlsplit(endpoint).netloc}


def _is_left(used: _Used, part: BucketPart) -> bool:
    return used.name != part.bucket or used.endpoint not in _spellings(part.endpoint)


def _is_at_an_address(used: _Used) -> bool:
    """Hosts of the deployment are known by their addresses."""
    place = used.endpoint if "//" in used.endpoint else f"//{used.endpoint}"
    return is_ip_address(urlsplit(place).hostname or "")
