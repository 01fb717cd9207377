"""A deployment in the making: gathers what policies provide, and everything that speaks against it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fedikit.errors import Mistake
from fedikit.model.account import Account
from fedikit.model.check import Check
from fedikit.model.data import ApplicationData
from fedikit.model.deployment import cycle_of
from fedikit.model.host import DnsRecord
from fedikit.model.item import Item, secrets_in
from fedikit.model.policy import Ask, Opening, Place, Provision, Share
from fedikit.model.secret import SecretRef

_JOINED = {"user": ("groups", "authorized_keys"), "unit": ("restart_on", "reload_on"), "cluster": ("members",)}
_STAYING = ("cluster",)
"""What keeps its place in the list when it grows: it answers to nothing before it, and what comes after it needs it."""


class Draft:
    """Filled place by place; `mistakes` says in the end whether it can become a deployment."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.applications: dict[str, list[str]] = {host: [] for host in hosts}
        self.domains: dict[str, dict[str, str]] = {host: {} for host in self.applications}
        self.accounts: dict[str, dict[str, Account]] = {host: {} for host in self.applications}
        self.data: dict[str, dict[str, ApplicationData]] = {host: {} for host in self.applications}
        self.dns: dict[DnsRecord, None] = {}
        self.checks: list[Check] = []
        self.mistakes: set[Mistake] = set()
        self.needs: dict[str, dict[str, None]] = {host: {} for host in self.applications}
        """By host, those that must be there before it."""
        self._served: dict[tuple[str, str], None] = {}
        self._serving: dict[str, None] = {}
        self._waiting: dict[str, None] = {}
        self._items: dict[str, dict[str, Item]] = {host: {} for host in self.applications}
        self._wanted_by: dict[str, dict[str, dict[str, None]]] = {host: {} for host in self.applications}
        self._led_by: dict[str, tuple[str, str]] = {}
        self._listening: dict[tuple[str, int], str] = {}
        self._shares: dict[tuple[str, str], list[tuple[str, Share]]] = {}
        self._opens: dict[str, dict[Opening, None]] = {host: {} for host in self.applications}

    def items(self, host: str) -> tuple[Item, ...]:
        """What is wanted on a host so far, in the order in which it is made."""
        return tuple(self._items[host].values())

    def wanted_by(self, host: str) -> dict[str, tuple[str, ...]]:
        """By the id of what is wanted on a host so far, the applications for which it is."""
        return {identity: tuple(applications) for identity, applications in self._wanted_by[host].items()}

    def secrets(self) -> set[SecretRef]:
        """The secrets in what is wanted so far."""
        return set(secrets_in(item for items in self._items.values() for item in items.values()))

    def served_by(self, after: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """By host, those with servers that it uses, as far as it can wait for them.

        `after`: by host, those for which it waits anyway.
        """
        served = {host: list(needs) for host, needs in self.needs.items()}
        for host, server in self._served:
            order = {name: [*after[name], *served[name]] for name in served}
            order[host].append(server)
            if server not in served[host] and not cycle_of(order):
                served[host].append(server)
        return served

    def add(self, place: Place, provision: Provision) -> None:
        """Takes in what fulfils one request at one place."""
        for ask in provision.asks:
            self._serve(place.host, ask)
        for item in provision.items:
            self._want(place, item)
        for port, listener in provision.ports.items():
            self._take(place, port, listener)
        for opening in provision.opens:
            self._opens[opening.host][opening] = None
        for share in provision.shares:
            self._shares.setdefault((share.host, share.what), []).append((place.application, share))
        for record in provision.dns:
            self._lead(place, record)
        self.checks += provision.checks

    def openings(self, host: str) -> tuple[Opening, ...]:
        """The ports of a host that must be reached from elsewhere for what is wanted so far."""
        return tuple(self._opens[host])

    def guard(self, host: str, items: Iterable[Item]) -> None:
        """Puts items that are no application's before all that is wanted on a host."""
        self._items[host] = {item.id: item for item in items} | self._items[host]

    def furnish(self, host: str, items: Iterable[Item]) -> None:
        """Adds what a host is to have for no application; what an application wants of it already stays."""
        for item in items:
            self._items[host].setdefault(item.id, item)

    def note(self, path: str, message: str) -> None:
        """Notes a mistake; the same one only once."""
        self.mistakes.add(Mistake(path, message))

    def note_what_is_too_much(self) -> None:
        """Notes where all together take more of something than there is."""
        for (host, what), takers in self._shares.items():
            wanted, share = sum(one.amount for _, one in takers), takers[0][1]
            if wanted > share.of:
                taken = Counter[str]()
                for application, one in takers:
                    taken[application] += one.amount
                by = ", ".join(f"{application} {amount}" for application, amount in taken.items())
                self.note(share.path, f"is {share.of}, but {wanted} {what} may be needed on {host} ({by})")

    def note_who_would_wait_in_vain(self, after: Mapping[str, Sequence[str]], at_a_time: int) -> None:
        """Notes where hosts that must be changed at the same time cannot be.

        `after`: by host, those that are changed before it.
        """
        together = self._serving | self._waiting
        if len(together) > at_a_time:
            names = ", ".join(together)
            self.note("parallel.hosts", f"should be {len(together)} at least: {names} are changed at the same time")
        for host in self._serving:
            for other in sorted(_all_before(host, after) & self._waiting.keys() - {host}):
                self.note("policies.bucket.hosts", f"has {other} wait for {host}, which is only changed after {other}")

    def _serve(self, host: str, ask: Ask) -> None:
        if ask.together == "serves":
            self._serving[ask.host] = None
        elif ask.together == "waits":
            self._waiting[ask.host] = None
        elif ask.host != host:
            self._served[host, ask.host] = None
            if ask.first:
                self.needs[host][ask.host] = None

    def _want(self, place: Place, item: Item) -> None:
        items, applications = self._items[place.host], self._wanted_by[place.host].setdefault(item.id, {})
        applications[place.application] = None
        present = items.get(item.id)
        joined = item if present is None else joint(present, item)
        if joined is None:
            self.note(
                f"hosts.{place.host}",
                f"{item.id} is wanted differently by {next(iter(applications))} and {place.application}",
            )
        elif joined != present:
            if item.kind not in _STAYING:
                items.pop(item.id, None)
            items[item.id] = joined

    def _lead(self, place: Place, record: DnsRecord) -> None:
        application, host = leader = self._led_by.setdefault(record.name, (place.application, place.host))
        if leader != (place.application, place.host):
            other = f"{application} on {host}"
            self.note(f"placement.{place.application}", f"wants {record.name} on {place.host}, which leads to {other}")
        self.dns[record] = None

    def _take(self, place: Place, port: int, listener: str) -> None:
        other = self._listening.setdefault((place.host, port), listener)
        if other != listener:
            message = f"brings {listener}, which listens at port {port} of {place.host}, and so does {other}"
            self.note(f"placement.{place.application}", message)


def joint(first: Item, second: Item) -> Item | None:
    """What satisfies both wishes for the same item; None if nothing does.

    Users join their groups and keys, units what they watch. An item that grew so moves to the end of its host's list,
    where all of that is already there.
    """
    union = {name: _union(getattr(first, name), getattr(second, name)) for name in _JOINED.get(first.kind, ())}
    joined = first.model_copy(update=union)
    return joined if joined == second.model_copy(update=union) else None


def _all_before(host: str, after: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [host]
    while ahead:
        new = set(after[ahead.pop()]) - found
        found |= new
        ahead += new
    return found


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))
