"""What the other deployments of this host hold: it is theirs too, whatever their items are called."""

import os
from collections.abc import Iterator
from typing import Any

from .eyes import Eyes
from .kinds import kind_of
from .ledger import Ledger, Record, neighbours

Item = dict[str, Any]


class Others:
    """The ledgers of the other deployments here, asked who holds what; what is only kept is held as well."""

    def __init__(self, eyes: Eyes, ledger: Ledger) -> None:
        self._eyes = eyes
        self.ledgers = [Ledger(ledger.home, name) for name in neighbours(ledger.home, ledger.deployment)]

    def items(self) -> Iterator[tuple[str, Item]]:
        """Each item of theirs, with the name of its deployment."""
        for other in self.ledgers:
            for entry in other.entries.values():
                yield other.deployment, entry["item"]

    def owners(self) -> dict[str, str]:
        """Which of them holds an item, by the item's id."""
        return {item["id"]: name for name, item in self.items()}

    def at_work(self) -> dict[str, str]:
        """Which of them holds an item and has not left it; what is only kept may be taken over."""
        return {
            identity: other.deployment
            for other in self.ledgers
            for identity, entry in other.entries.items()
            if entry["state"] != "kept"
        }

    def keepers(self) -> dict[str, Ledger]:
        """Who has left an item and only keeps it, where nobody else has it at work, by the item's id."""
        busy = self.at_work()
        return {id: other for other in reversed(self.ledgers) for id in other.entries if id not in busy}

    def hand_over(self, ledger: Ledger) -> None:
        """What others only kept and this one holds now is its alone; who has nothing else left is forgotten."""
        held = {id for id, entry in ledger.entries.items() if entry["state"] == "held"}
        for other in self.ledgers:
            taken = {id for id, entry in other.entries.items() if entry["state"] == "kept"} & held
            other.entries = {id: entry for id, entry in other.entries.items() if id not in taken}
            if taken and other.entries:
                other.save()
            elif taken:
                other.forget()

    def prior_of(self, identity: str) -> Record | None:
        """What was there before fedikit, as who came first has noted it."""
        found = [other.entries[identity] for other in self.ledgers if identity in other.entries]
        return (found[0].get("prior") or {"type": "absent"}) if found else None

    def debs(self) -> set[str]:
        """The packages that fedikit brought for them."""
        return {name for other in self.ledgers for name in other.debs}

    def holder(self, item: Item) -> str:
        """Why an item that leaves is to stay: who of them holds it, or lives in it; empty if nobody does."""
        for name, theirs in self.items():
            if theirs["id"] == item["id"]:
                return f"is held by the deployment {name}"
            if reason := self._clash(item, theirs):
                return f"is held by the deployment {name}: {reason}"
        return ""

    def _clash(self, item: Item, theirs: Item) -> str:
        """Where their item has to do with the same place, or the same user."""
        kind, other = kind_of(item), kind_of(theirs)
        if (account := kind.account(item)) and account in other.users(theirs):
            return f"{theirs['id']} needs it"
        ours, others = self._place(kind.place(item)), self._place(other.place(theirs))
        if not ours or not others:
            return ""
        if ours == others and kind.is_at_its_place_alone() and other.is_at_its_place_alone():
            return f"it is its {theirs['kind']}"
        if kind.may_hold and is_below(others, ours):
            return f"{theirs['id']} lies in it"
        return f"it lies in {theirs['path']}" if theirs.get("data") and is_below(ours, others) else ""

    def _place(self, path: str) -> str:
        """Where a path leads, by way of no symbolic link."""
        real = self._eyes.real(path)
        return os.path.join(os.path.realpath(os.path.dirname(real)), os.path.basename(real)) if path else ""

    def places_held(self) -> dict[str, str]:
        """The paths of theirs, with the name of their deployment."""
        return {item["path"]: name for name, item in self.items() if "path" in item}


def is_below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")
