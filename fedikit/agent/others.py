"""What the other deployments of this host hold: it is theirs too, whatever their items are called."""

import os
from collections.abc import Iterator
from typing import Any

from .eyes import Eyes
from .ledger import Ledger, Record, neighbours

Item = dict[str, Any]
PLACES = ("file", "directory", "symlink")
MAY_BE_SHARED = ("package", "directory", "image")
"""Kinds of which several deployments may hold one and the same."""


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
        if item["kind"] == "user" and item["name"] in _users_of(theirs):
            return f"{theirs['id']} needs it"
        ours, others = self._place(item), self._place(theirs)
        if not ours or not others:
            return ""
        if ours == others and "user" not in (item["kind"], theirs["kind"]):
            return f"it is its {theirs['kind']}"
        if item["kind"] in ("directory", "user") and is_below(others, ours):
            return f"{theirs['id']} lies in it"
        return f"it lies in {theirs['path']}" if theirs.get("data") and is_below(ours, others) else ""

    def _place(self, item: Item) -> str:
        """Where an item lies, by way of no symbolic link; empty for what lies nowhere."""
        path = item["path"] if item["kind"] in PLACES else _home_of(item) if item["kind"] == "user" else ""
        real = self._eyes.real(path)
        return os.path.join(os.path.realpath(os.path.dirname(real)), os.path.basename(real)) if path else ""

    def places_held(self) -> dict[str, str]:
        """The paths of theirs, with the name of their deployment."""
        return {item["path"]: name for name, item in self.items() if item["kind"] in PLACES}


def is_below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def _home_of(item: Item) -> str:
    return str(item["home"] or f"/home/{item['name']}")


def _users_of(item: Item) -> set[str]:
    """The users and groups without whom an item cannot be as it is wanted."""
    return {item.get(field, "") for field in ("owner", "group", "user")} if item["kind"] != "database" else set()
