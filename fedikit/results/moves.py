"""Moves: what a plan takes from one host and begins on another. Data does not follow; whoever leaves, leaves last."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from fedikit.model.check import BucketWorks
from fedikit.model.deployment import cycle_of
from fedikit.model.item import Item, class_of
from fedikit.model.value import HostName, Value
from fedikit.results.plan import Plan, PlannedChange
from fedikit.results.providers import buckets_left, is_led_to

HOW_TO_BRING_IT = "fedikit move brings it along"
SHARED_SERVERS = frozenset({"unit:caddy.service", "unit:mariadb.service", "unit:postgresql@17-main.service"})
"""Servers of several applications: that one comes to a host, and one leaves another, says nothing of an application."""
GARAGE = "unit:garage.service"
BUCKET_AWAITED = "job:garage bucket "
WHAT_GARAGE_KEEPS = "data:what Garage keeps there"
LEAVES = ("keep", "delete", "restore", "release")
"""What becomes of what leaves a host."""

Beginning = Literal["empty", "older", "unknown"]
_BEGINS: dict[str, Beginning] = {"create": "empty", "adopt": "older", "blocked": "unknown"}
_UNKNOWN: Beginning = "unknown"


class Move(Value):
    """Data that stays where it was, or goes, while its application begins elsewhere without it."""

    kind: str
    """What kind of item it is."""
    name: str
    source: str
    """The host where the data is; the address of the S3 API if that is somebody else's."""
    target: str
    """The host where it is looked for from now on; the address of the S3 API if that is somebody else's."""
    becomes: str = ""
    """What it is called there, if not the same."""
    begins: Beginning = "empty"
    """What is there: nothing, what was left there at an earlier time, or what nobody could tell."""
    is_lost: bool = False
    """It is destroyed at its source."""
    arrives: str = ""
    """The id of the item that begins at the target; none at a provider's."""
    seen_on: HostName
    """The host whose plan says so."""

    def __str__(self) -> str:
        fate = "is destroyed" if self.is_lost else "stays"
        bring = "data does not follow, and nothing is left to bring" if self.is_lost else "data does not follow"
        advice = "copy it before" if self.is_lost else HOW_TO_BRING_IT
        left = f"the {self.kind} {self.name} {fate} {_at(self.source)} with all that is in it"
        return f"{left}; {self._beginning}: {bring} ({advice})"

    @property
    def _beginning(self) -> str:
        place = f"{_at(self.target)} {self.becomes or 'it'}"
        return (
            place
            + {
                "empty": " begins empty",
                "older": " begins with what was left there earlier",
                "unknown": " begins with whatever is there",
            }[self.begins]
        )


def _at(place: str) -> str:
    return f"{'at' if '://' in place else 'on'} {place}"


class Handover(Value):
    """What leaves one host and runs on another from now on; the host that it leaves should be changed last."""

    leaving: HostName
    taking: HostName
    ids: tuple[str, ...]
    unmet: str = ""
    """Why the one cannot wait for the other."""

    def __str__(self) -> str:
        names = ", ".join(id.partition(":")[2] for id in self.ids)
        return f"{self.leaving} loses {names} before {self.taking} has it: {self.unmet}"


class Waits(Value):
    """Which hosts are to be changed after which, besides what the deployment says, and where that cannot be."""

    after: dict[HostName, tuple[HostName, ...]]
    unmet: tuple[Handover, ...] = ()


class _Arrival(NamedTuple):
    host: str
    id: str
    begins: Beginning
    is_data: bool


def moves_of(plan: Plan) -> tuple[Move, ...]:
    """The data that does not follow, each with a sentence (`str`), in the order of the plan."""
    arrivals = _arrivals(plan)
    leaving = [(host, change) for host, change in _leaving_data(plan) if not (_leader(plan) and _is_garages(change.id))]
    moves = [move for host, change in leaving for move in _moves(plan, host, change, arrivals)]
    return (*moves, *_left_at_providers(plan, arrivals))


def waits_of(plan: Plan) -> Waits:
    """Who waits for whom so that nothing leaves a host before it runs on another.

    A host that fails keeps those waiting from being changed. Where hosts would wait for each other, as in a swap, those
    that come first in the plan have their way.
    """
    states = plan.deployment.hosts
    order = {host: [other for other in states[host].after if other in plan.hosts] for host in plan.hosts}
    extra: dict[str, list[str]] = {host: [] for host in plan.hosts}
    unmet = []
    for handover in handovers_of(plan):
        if handover.taking not in plan.hosts:
            unmet.append(handover.model_copy(update={"unmet": f"{handover.taking} is not part of this plan"}))
        elif not _wait(handover.leaving, handover.taking, order, extra):
            unmet.append(handover.model_copy(update={"unmet": "they would wait for each other"}))
        elif any(class_of(id).is_store for id in handover.ids):
            for user in (host for host in plan.hosts if handover.taking in states[host].served_by):
                _wait(handover.leaving, user, order, extra)  # it uses what leaves until it is changed
    return Waits(after={host: tuple(others) for host, others in extra.items() if others}, unmet=tuple(unmet))


def would_stop(plan: Plan) -> dict[str, tuple[str, ...]]:
    """By host, the applications that would leave it while they are closed where they are to be, a sentence each."""
    found: dict[str, tuple[str, ...]] = {}
    for taking, planned in plan.hosts.items():
        for name in planned.at_rest:
            data = plan.deployment.hosts[taking].data.get(name)
            units = {f"unit:{unit}" for unit in data.stop} if data else set()
            for host in dict.fromkeys(host for host, change in _leaving(plan) if change.id in units):
                words = (
                    f"{name} is being moved from {host} to {taking}, where it is closed: fedikit move goes on with that"
                )
                found[host] = (*found.get(host, ()), words)
    return found


def waiting_in_vain(plan: Plan) -> dict[str, str]:
    """Hosts that would wait for a bucket which the host that is to make it cannot make now; with that host."""
    leader = _leader(plan)
    planned = plan.hosts.get(leader)
    if planned is None or not (planned.error or planned.is_blocked):
        return {}
    return {
        host: leader
        for host, planned in plan.hosts.items()
        if host != leader
        and any(change.id.startswith(BUCKET_AWAITED) and change.action == "run" for change in planned.changes)
    }


def handovers_of(plan: Plan) -> tuple[Handover, ...]:
    """What of an application leaves a host and comes to another: units, databases, buckets, directories with data.

    Also what Garage keeps on a host that leaves its cluster: its first host has it brought to the others.
    """
    found: dict[tuple[str, str], list[str]] = {}
    leader = _leader(plan)
    arrivals = _arrivals(plan)
    for host, change in _leaving(plan):
        if change.id == GARAGE and leader and leader != host:
            found.setdefault((host, leader), []).append(WHAT_GARAGE_KEEPS)
        is_served = class_of(change.id).is_served and change.id not in SHARED_SERVERS
        for arrival in arrivals if is_served or change.bears_data else ():
            if arrival.id == change.id and arrival.host != host:
                found.setdefault((host, arrival.host), []).append(change.id)
    return tuple(Handover(leaving=pair[0], taking=pair[1], ids=tuple(ids)) for pair, ids in found.items())


def _leader(plan: Plan) -> str:
    """The host that says who keeps what in Garage, where it is spread over several."""
    hosts = plan.deployment.hosts.items()
    clusters = (host for host, state in hosts for item in state.items if item.is_spread)
    return next(clusters, "")


def _is_garages(identity: str) -> bool:
    """Whether it is where Garage keeps a node's share: of several nodes, the others get what one held."""
    return class_of(identity).goes_by_last_part and identity.rpartition("/")[2] in ("garage-meta", "garage-data")


def _wait(host: str, other: str, order: dict[str, list[str]], extra: dict[str, list[str]]) -> bool:
    """Has a host wait for another, unless that goes in circles."""
    if host == other or other in order[host]:
        return host != other
    if cycle_of(order | {host: [*order[host], other]}):
        return False
    order[host].append(other)
    extra[host].append(other)
    return True


# What leaves


def _leaving(plan: Plan) -> Iterator[tuple[str, PlannedChange]]:
    for host, planned in plan.hosts.items():
        yield from ((host, change) for change in planned.changes if change.action in LEAVES and not change.drift)


def _leaving_data(plan: Plan) -> Iterator[tuple[str, PlannedChange]]:
    """Also what left earlier and was kept."""
    yield from ((host, change) for host, change in _leaving(plan) if change.bears_data)
    for host, planned in plan.hosts.items():
        known = {change.id for change in planned.changes}
        yield from ((host, _kept(id)) for id in planned.kept if id not in known and class_of(id).may_bear_data)


def _kept(identity: str) -> PlannedChange:
    return PlannedChange(id=identity, action="keep", data=True)


# What arrives


def _arrivals(plan: Plan) -> list[_Arrival]:
    """What was not on a host, and shall be. Of a host that did not answer, all that is wanted there."""
    found = []
    for host, state in plan.deployment.hosts.items():
        wanted = {item.id: item for item in state.items}
        planned = plan.hosts.get(host)
        if planned and not planned.error:
            begins = {change.id: _BEGINS[change.action] for change in planned.changes if change.action in _BEGINS}
        else:
            begins = dict.fromkeys(wanted if plan.purpose == "apply" else (), _UNKNOWN)
        found += [_Arrival(host, id, how, _is_data(id, wanted.get(id))) for id, how in begins.items()]
    return found


def _is_data(identity: str, item: Item | None) -> bool:
    return class_of(identity).is_store or bool(getattr(item, "data", False))


def _moves(plan: Plan, host: str, change: PlannedChange, arrivals: Iterable[_Arrival]) -> Iterator[Move]:
    kind, _, name = change.id.partition(":")
    is_lost = change.action == "delete"
    usual = {"kind": kind, "name": class_of(change.id).plain_name(name), "source": host, "seen_on": host}
    for arrival in arrivals:
        if (arrival.host, arrival.id) != (host, change.id) and arrival.is_data and _is_same(change.id, arrival.id):
            becomes = arrival.id.partition(":")[2] if arrival.id != change.id else ""
            told = {"target": arrival.host, "becomes": becomes, "begins": arrival.begins, "is_lost": is_lost}
            yield Move.model_validate(usual | told | {"arrives": arrival.id})
    if class_of(change.id).may_be_a_providers and (endpoint := _provider_of(plan, host, change.id)):
        yield Move.model_validate(usual | {"target": endpoint, "begins": "unknown", "is_lost": is_lost})


def _is_same(one: str, other: str) -> bool:
    """Whether they are one thing by another name: directories of one name move when the one that they are in does."""
    if class_of(one) is class_of(other) and class_of(one).goes_by_last_part:
        return one.rpartition("/")[2] == other.rpartition("/")[2]
    return one == other


def _provider_of(plan: Plan, host: str, identity: str) -> str:
    """Where an application's bucket is if no host has it any more: at somebody else's S3 API, perhaps with a prefix.

    Of one that left its host earlier, only if the application is led there now.
    """
    if any(item.id == identity for state in plan.deployment.hosts.values() for item in state.items):
        return ""
    name = identity.partition(":")[2]
    checks = [check for check in plan.deployment.checks if isinstance(check, BucketWorks)]
    is_leaving = any(change.id == identity for change in plan.hosts[host].changes)
    found = (check for check in checks if check.bucket.endswith(name))
    return next((check.endpoint for check in found if is_leaving or is_led_to(plan, check)), "")


def _left_at_providers(plan: Plan, arrivals: Iterable[_Arrival]) -> Iterator[Move]:
    """What an application kept in somebody else's bucket, and looks for in another from now on."""
    coming = {arrival.id: arrival for arrival in arrivals}
    for left in buckets_left(plan):
        about = {"kind": "bucket", "name": left.part.name, "source": left.endpoint, "seen_on": left.host}
        if arrival := coming.get(left.part.id):
            about |= {"target": arrival.host, "begins": arrival.begins, "arrives": arrival.id}
        else:
            about |= {"target": left.part.endpoint, "begins": _UNKNOWN}
        yield Move.model_validate(about)
