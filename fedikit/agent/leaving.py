"""What becomes of what is wanted no more: gone, put back as it was, kept for a purge, or left to who else needs it."""

from collections.abc import Callable
from typing import Any

from .bystander import has_remains, info_file, unpurged
from .change import BEFORE, Fate, Packages
from .control import files_taken, trees_taken
from .eyes import ABSENT, BARRED, Eyes, State
from .household import Household
from .kinds import kind_of
from .ledger import Ledger, Record
from .others import Others, is_below
from .packages import dispensable, marked_manual, needed_by, on_hold, parse_status, used_by
from .servers import SERVERS

Item = dict[str, Any]


class Departure:
    """All that leaves this host in one apply, looked at together."""

    def __init__(self, eyes: Eyes, wanted: list[Item], ledger: Ledger, others: Others, *, purge: bool) -> None:
        self.eyes = eyes
        self._ledger = ledger
        self._others = others
        self._purge = purge
        self._names = {item["id"] for item in wanted}
        self.entries = [entry for id, entry in reversed(ledger.entries.items()) if id not in self._names]
        self.seen: dict[str, list[str]] = {}
        candidates = self.candidates() if self.entries else set()
        self._held = self._servers_that_stay(candidates)
        self.packages = self._packages(candidates) if candidates else Packages([], {}, {})

    def candidates(self) -> set[str]:
        """The packages that fedikit brought, for whichever deployment, and that none asks for any more."""
        kept = {id for id, entry in self._ledger.entries.items() if entry["state"] == "kept" and not self._purge}
        asked_for = self._names | kept | self._others.owners().keys()
        brought = self._ledger.debs.keys() | self._others.debs()
        return {name for name in brought if f"package:{name}" not in asked_for}

    # Servers that serve somebody else

    def _servers_that_stay(self, candidates: set[str]) -> list[tuple[Any, str]]:
        items = [entry["item"] for entry in self.entries]
        there = {name for name in candidates if self._is_there(name)}
        house = Household(self.eyes, self._ledger, self._others)
        leaving = [server for server in SERVERS if server.is_leaving(items, there)]
        found = [(server, server.stays(house)) for server in leaving]
        looks = {server.name: server.look(self.eyes) for server, reason in found if not reason}
        self.seen = {name: look for name, look in looks.items() if look is not None}
        return [(server, reason) for server, reason in found if reason]

    def _is_there(self, name: str) -> bool:
        state = self.eyes.package(name)
        return state["installed"] or "unfinished" in state or has_remains(self.eyes, name)

    # Items

    def fate(self, entry: Record, is_drift: Callable[[Record], bool]) -> Fate | None:
        """What becomes of an item; nothing, if it is kept since an earlier time."""
        item, prior = entry["item"], entry.get("prior") or ABSENT
        if entry["state"] == "kept" and not self._purge:
            return None
        kind = kind_of(item)
        state = kind.observe(self.eyes, item)
        if holder := self._others.holder(item):
            return Fate("release", [holder], state)
        if special := kind.fate(self, item, prior, state):
            return special
        if reason := self._needed_by_a_server(item):
            return Fate("release" if self._purge else "keep", [reason], state)
        if reason := self._reason_to_keep(item, prior, state):
            return Fate("keep", [reason], state)
        if state["type"] == BARRED:
            return Fate("blocked" if self._purge else "keep", [state["why"]], state)
        if not self._purge and is_drift(entry):
            return Fate("keep", ["edited by hand"], state, is_drift=True)
        reasons = kind.parting_words(item, prior, state)
        return Fate("delete" if prior["type"] == "absent" else "restore", reasons, state)

    def _needed_by_a_server(self, item: Item) -> str:
        return next((reason for server, reason in self._held if server.needs(self.eyes, item)), "")

    def _reason_to_keep(self, item: Item, prior: State, state: State) -> str:
        if not item.get("data") or state == ABSENT:
            return ""
        if prior["type"] != "absent":
            return BEFORE if self._purge or kind_of(item).is_given_back else f"bears data, and {BEFORE}"
        return kind_of(item).reason_it_cannot_go(self, item, state) if self._purge else "bears data"

    def is_leaving(self, identity: str) -> bool:
        """Whether an item of ours leaves too."""
        return any(entry["item"]["id"] == identity for entry in self.entries)

    def is_purged(self, names: str) -> bool:
        """Whether the data of packages whose names begin so go with packages of ours that are purged now."""
        return any(
            name.startswith(names) and has_remains(self.eyes, name)
            for name in self.candidates() - self.packages.staying.keys() - self.packages.unpurged.keys()
        )

    # Packages

    def fate_of_package(self, name: str, prior: State, state: State) -> Fate:
        """What becomes of a package that is an item itself."""
        if prior.get("installed"):
            return Fate("release", [BEFORE], state)
        if reason := self.packages.staying.get(name, ""):
            is_for_later = not self._purge and any(server.has_package(name) for server, _ in self._held)
            return Fate("keep" if is_for_later else "release", [reason], state)
        if name not in self.packages.leaving and state["installed"]:
            return Fate("release", ["is not fedikit's: it was installed by somebody else since"], state)
        brought = self._ledger.debs.get(name, {}).get("version", "")
        other = state.get("version", brought) not in (brought, "")
        since = [f"fedikit brought {brought}, somebody upgraded it since"] if other and brought else []
        kept = self.packages.unpurged.get(name, "")
        return Fate("delete", since + ([f"{kept} stays: it {BEFORE}"] if kept else []), state)

    def _packages(self, candidates: set[str]) -> Packages:
        installed = parse_status(self.eyes.dpkg_status)
        present = candidates & installed.keys()
        staying = {name: reason for name in candidates if (reason := self._reason_to_stay(name, installed))}
        users = used_by(installed, staying.keys() & installed.keys())
        staying |= {name: f"is used by {users[name]}" for name in present & users.keys() - staying.keys()}
        leaving = dispensable(installed, present - staying.keys())
        needed = {name: f"is needed by {needed_by(name, installed, leaving)}" for name in present - leaving}
        return Packages(sorted(leaving), needed | staying, self._unpurged(candidates))

    def _reason_to_stay(self, name: str, installed: dict[str, Any]) -> str:
        served = [reason for server, reason in self._held if server.has_package(name)]
        if served:
            return served[0]
        if name not in installed:
            return ""
        if on_hold(installed[name]):
            return "is on hold: apt-mark unhold lets it go"
        is_marked = name in self._automatic() and marked_manual(self.eyes, name)
        return "was installed by hand since, with apt" if is_marked else ""

    def _automatic(self) -> set[str]:
        return {name for ledger in (self._ledger, *self._others.ledgers) for name in ledger.automatic}

    def _unpurged(self, candidates: set[str]) -> dict[str, str]:
        """What was noted before packages came, and what others hold, or had before us, where a purge would delete."""
        found: dict[str, str] = {}
        for ledger in (self._ledger, *self._others.ledgers):
            found |= unpurged(ledger.bystanders)
        at_stake = {*self._others.places_held(), *self._places_from_before()}
        for name in sorted(candidates - found.keys()) if at_stake else ():
            if path := self._taken(name, at_stake):
                found[name] = path
        return {name: stays for name, stays in found.items() if name in candidates}

    def _places_from_before(self) -> set[str]:
        ours = [e for e in self._ledger.entries.values() if (e.get("prior") or ABSENT)["type"] != "absent"]
        return {e["item"]["path"] for e in ours if kind_of(e["item"]).is_given_back}

    def _taken(self, name: str, at_stake: set[str]) -> str:
        """One of the paths that a package's script would delete."""
        script = info_file(self.eyes, name, "postrm").decode(errors="surrogateescape")
        trees = trees_taken(script)
        hit = [path for path in sorted(at_stake) if any(path == tree or is_below(path, tree) for tree in trees)]
        hit += [path for path in sorted(at_stake) if path in files_taken(script)]
        return hit[0] if hit else ""
