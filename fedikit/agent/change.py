"""What is asked for, what would change, and what becomes of what leaves: plain values."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .eyes import ABSENT, State

Item = dict[str, Any]
BEFORE = "was there before fedikit"
MAKING = ("create", "update", "run", "adopt")


class Wish(NamedTuple):
    """What the deployer asks for.

    `seals`: where it asks for what was wanted once, the secret contents that it has at hand, by the item's id.
    `resting`: by application, the ids of items that are left alone while it is closed.
    `closing`: by application, what closes it before anything of it is made: a migration, and its units and domains.
    """

    items: list[Item]
    purge: bool = False
    keep_drift: bool = False
    seals: dict[str, str] | None = None
    resting: dict[str, list[str]] | None = None
    closing: dict[str, Item] | None = None


class Change(NamedTuple):
    """What would happen to one item.

    action  create, update, run (a job), adopt (is there already, from now on ours), same,
            delete, restore (what was there before fedikit), release (stays, no longer ours),
            keep (edited by hand, or bears data), blocked (cannot be done)
    drift   somebody else changed it since the last apply
    was_secret  what is there may hold a secret, though what is wanted does not
    """

    item: Item
    action: str
    reasons: Sequence[str] = ()
    state: State = ABSENT
    is_drift: bool = False
    was_secret: bool = False

    @property
    def id(self) -> str:
        identity: str = self.item["id"]
        return identity

    @property
    def kind(self) -> str:
        kind: str = self.item["kind"]
        return kind

    @property
    def is_making(self) -> bool:
        return self.action in MAKING

    @property
    def may_show(self) -> bool:
        """Whether neither what is there nor what is wanted holds a secret."""
        return "seal" not in self.item and not self.was_secret


class Fate(NamedTuple):
    """What becomes of one item that is wanted no more, and why."""

    action: str
    reasons: list[str]
    state: State
    is_drift: bool = False


class Packages(NamedTuple):
    """What becomes of the packages that fedikit brought and nobody asks for any more.

    leaving   those that go
    staying   those that stay though nobody asks for them, and why
    unpurged  those that are never purged, and what a purge would take along
    """

    leaving: list[str]
    staying: dict[str, str]
    unpurged: dict[str, str]


class Comparison(NamedTuple):
    """All changes of a host, in the order of their making: what leaves comes first, but packages leave last."""

    leaving: list[Change]
    wanted: list[Change]
    packages: Packages
    candidates: set[str]
    seen: dict[str, list[str]]
    basis: str

    @property
    def changes(self) -> list[Change]:
        return [change for change in self.leaving + self.wanted if change.action != "same"]

    @property
    def making(self) -> list[Change]:
        return [change for change in self.wanted if change.is_making]

    @property
    def blocked(self) -> list[Change]:
        return [change for change in self.changes if change.action == "blocked"]
