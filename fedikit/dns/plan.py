"""What would change at the environment's DNS server, and changing it: only names of the deployment, and only ours.

Ours is what this environment brought there, which the zone remembers (see `ownership`), and what is not there yet. A
name that somebody else has is refused, unless it is consented to.
"""

from collections.abc import Collection, Sequence

from fedikit.dns.ownership import LABEL, MOST_CHARACTERS, Owned, owned_by, owners_of, with_owned
from fedikit.dns.records import wanted_records
from fedikit.dns.server import KINDS, Edit, Found, Server
from fedikit.environment.environment import Environment
from fedikit.errors import ConfigurationError, DnsRefused, Mistake
from fedikit.model.deployment import Deployment
from fedikit.model.dns import DnsServer
from fedikit.model.host import DnsRecord
from fedikit.results.names import DnsChange, DnsPlan, ZonePlan

OTHERS = "somebody else's: it stays, unless you consent to it"
EDITED = "somebody edited it since it was written: it stays, and is theirs now"


def make_dns_plan(
    environment: Environment, deployment: Deployment, *, consent: Collection[str] = (), taking_from: str = ""
) -> DnsPlan:
    """Asks the server what is there. Changes nothing. Raises ConfigurationError if none is named, DnsRefused.

    `taking_from`: the environment that the deployment leaves; its names become this one's.
    """
    described = server_of(environment)
    server, records = Server(described), wanted_records(deployment)
    planning = _Planning(environment.name, server, described.ttl, consent, taking_from)
    zones = tuple(
        planning.zone(zone, [record for record in records if described.zone_of(record.name) == zone])
        for zone in described.zones
    )
    elsewhere = tuple(record for record in records if not described.zone_of(record.name))
    return DnsPlan(server=described.server, ttl=described.ttl, zones=zones, elsewhere=elsewhere)


def apply_dns_plan(environment: Environment, plan: DnsPlan) -> None:
    """Changes the zones as planned, each in one update. Raises DnsRefused if one moved meanwhile."""
    if plan.refused:
        names = ", ".join(sorted({change.name for change in plan.refused}))
        raise DnsRefused(
            f"nothing was changed: {names} would be taken from somebody else", hint="consent to it, or not"
        )
    server = Server(server_of(environment))
    for zone in (zone for zone in plan.zones if zone.has_changes):
        index = Edit(f"{LABEL}.{zone.zone}", "TXT", zone.owned_before, zone.owned_after)
        written = [Edit(each.name, each.type, each.before, each.after) for each in zone.changes if each.changes]
        server.change(zone.zone, required=[index, *_required(zone)], written=[index, *written], ttl=plan.ttl)


def server_of(environment: Environment) -> DnsServer:
    """The server that takes updates; raises ConfigurationError if the environment names none."""
    if environment.dns is None:
        hint = "without one, set the records yourself: fedikit dns prints them"
        mistakes = [Mistake("dns", "is missing: which server takes the names")]
        raise ConfigurationError(f"environment {environment.name}", mistakes, hint=hint)
    return environment.dns


def _required(zone: ZonePlan) -> list[Edit]:
    """All that the names to be changed had, and had not, when they were looked at."""
    names = {change.name for change in zone.changes if change.changes}
    seen: dict[tuple[str, str], tuple[str, ...]] = {(each.name, each.type): each.before for each in zone.changes}
    return [Edit(name, kind, seen.get((name, kind), ()), ()) for name in sorted(names) for kind in KINDS]


class _Planning:
    """One round of asking."""

    def __init__(self, environment: str, server: Server, ttl: int, consent: Collection[str], taking_from: str) -> None:
        self._environment = environment
        self._taking_from = taking_from
        self._server = server
        self._ttl = ttl
        self._consent = consent

    def zone(self, zone: str, records: Sequence[DnsRecord]) -> ZonePlan:
        texts = self._server.find(f"{LABEL}.{zone}", "TXT").values
        owned, owners = owned_by(self._environment, texts), owners_of(texts)
        taken = self._taken(texts, records)
        names = sorted({record.name for record in records} | owned.keys())
        changes: list[DnsChange] = []
        for name in names:
            wanted = [record for record in records if record.name == name]
            changes += self._name(name, wanted, owned, owners.get(name, ""))
        after = with_owned(self._environment, texts, _owned_after(owned | taken, records, changes))
        if taken:
            stays = {name: was for name, was in owned_by(self._taking_from, texts).items() if name not in taken}
            after = with_owned(self._taking_from, after, stays)
        _refuse_what_is_too_long(after)
        return ZonePlan(zone=zone, changes=tuple(changes), owned_before=texts, owned_after=after)

    def _taken(self, texts: Sequence[str], records: Sequence[DnsRecord]) -> Owned:
        """The names that were another environment's, which leaves."""
        wanted = {record.name for record in records}
        return {name: was for name, was in owned_by(self._taking_from, texts).items() if name in wanted}

    def _name(self, name: str, wanted: Sequence[DnsRecord], owned: Owned, owner: str) -> list[DnsChange]:
        found = {kind: self._server.find(name, kind) for kind in KINDS}
        there = {address for each in found.values() for address in each.values}
        if not wanted:
            return [_leaving(name, kind, each, owned[name]) for kind, each in found.items() if each.values]
        after = {kind: tuple(sorted(r.address for r in wanted if r.type == kind)) for kind in KINDS}
        if owner and owner not in (self._environment, self._taking_from):
            return [self._theirs(name, found, after, f"belongs to the environment {owner}")]
        is_as_wanted = all(found[kind].values == after[kind] for kind in KINDS)
        if there and not owner and not is_as_wanted and name not in self._consent:
            return [self._theirs(name, found, after, OTHERS)]
        if is_as_wanted and not owner:
            return [_change(name, kind, "same", found[kind], after[kind]) for kind in KINDS if after[kind]]
        return [self._ours(name, kind, found[kind], after[kind]) for kind in KINDS if found[kind].values or after[kind]]

    def _ours(self, name: str, kind: str, found: Found, after: tuple[str, ...]) -> DnsChange:
        if not found.values:
            return _change(name, kind, "create", found, after)
        if not after:
            return _change(name, kind, "delete", found, after)
        is_same = found.values == after and found.ttl == self._ttl
        return _change(name, kind, "same" if is_same else "update", found, after)

    def _theirs(self, name: str, found: dict[str, Found], after: dict[str, tuple[str, ...]], why: str) -> DnsChange:
        kind = next((kind for kind in KINDS if found[kind].values), next(kind for kind in KINDS if after[kind]))
        return _change(name, kind, "refused", found[kind], after[kind], why)


def _leaving(name: str, kind: str, found: Found, written: tuple[str, ...]) -> DnsChange:
    """What left the deployment goes, unless it is no longer what was written."""
    if set(found.values) <= set(written):
        return _change(name, kind, "delete", found, ())
    return _change(name, kind, "leave", found, found.values, EDITED)


def _change(name: str, kind: str, action: str, found: Found, after: tuple[str, ...], why: str = "") -> DnsChange:
    return DnsChange.model_validate(
        {"name": name, "type": kind, "action": action, "before": found.values, "after": after, "why": why}
    )


def _owned_after(owned: Owned, records: Sequence[DnsRecord], changes: Sequence[DnsChange]) -> Owned:
    """The names that are ours then: those that were and are still wanted, and those that are made now."""
    made = {change.name for change in changes if change.action in ("create", "update", "delete") and change.after}
    names = {record.name for record in records if record.name in owned or record.name in made}
    return {name: tuple(sorted(r.address for r in records if r.name == name)) for name in sorted(names)}


def _refuse_what_is_too_long(texts: Sequence[str]) -> None:
    for text in texts:
        if len(text) > MOST_CHARACTERS:
            raise DnsRefused(f"a name is too long to be remembered in its zone: {text[:80]}…", hint="set it by hand")
