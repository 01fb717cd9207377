"""Whose things are whose on this host, and what a server is asked before it leaves with packages of ours."""

import re
from typing import Any, NamedTuple, Protocol

from .eyes import Eyes
from .kinds import is_a, kind_of
from .ledger import Ledger, Record
from .others import Others, is_below

Item = dict[str, Any]


class Household(NamedTuple):
    """Whose things are whose on this host."""

    eyes: Eyes
    ledger: Ledger
    others: Others

    def entries(self, kind: str) -> list[Record]:
        """Ours of a kind."""
        return [entry for entry in self.ledger.entries.values() if is_a(entry["item"], kind)]

    def items(self, kind: str) -> list[Item]:
        return [entry["item"] for entry in self.entries(kind)]

    def paths(self) -> set[str]:
        """Where things of fedikit lie, ours and those of other deployments."""
        ours = [entry["item"] for entry in self.ledger.entries.values()]
        return {item["path"] for item in ours if "path" in item} | self.others.places_held().keys()


def is_new(entry: Record) -> bool:
    """Whether there was nothing in its place before fedikit."""
    return bool((entry.get("prior") or {"type": "absent"})["type"] == "absent")


class Server(Protocol):
    """A kind of server.

    is_leaving  whether it is about to leave: by our items that leave, and the packages that nobody asks for any more
    name        what its looks are noted under
    look        what its data look like, to be noted when nobody else is served
    has_package whether a package is part of it
    needs       whether it cannot be as it is without an item of ours
    stays       why it stays; empty if nobody else is served
    """

    name: str

    def look(self, eyes: Eyes) -> list[str] | None: ...
    def is_leaving(self, items: list[Item], packages: set[str]) -> bool: ...
    def has_package(self, name: str) -> bool: ...
    def needs(self, eyes: Eyes, item: Item) -> bool: ...
    def stays(self, house: Household) -> str: ...


class Packaged:
    """A server by Debian's packages."""

    def __init__(self, title: str, packages: str, unit: str, folders: tuple[str, ...]) -> None:
        self.title = title
        self.name = title.lower()
        self._packages = re.compile(packages)
        self._unit = unit
        self._folders = folders

    def look(self, eyes: Eyes) -> list[str] | None:
        return None

    def is_leaving(self, items: list[Item], packages: set[str]) -> bool:
        return any(self.has_package(name) for name in packages)

    def has_package(self, name: str) -> bool:
        return bool(self._packages.match(name))

    def needs(self, eyes: Eyes, item: Item) -> bool:
        if unit := kind_of(item).unit(item):
            return bool(self._unit) and unit.startswith(self._unit)
        path = item.get("path", "")
        return any(path == folder or is_below(path, folder) for folder in self._folders)

    def serves(self, guests: list[str]) -> str:
        return f"{self.title} stays: it serves {', '.join(guests)}" if guests else ""
