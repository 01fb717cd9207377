"""What would change on this host. Gets eyes only: it cannot change anything."""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .eyes import ABSENT, Eyes, State
from .job import GLANCE_SECONDS, is_first
from .kinds import kind_of
from .ledger import Ledger, Record
from .others import MAY_BE_SHARED, Others
from .package import Packages

if TYPE_CHECKING:
    from .leaving import Departure

Item = dict[str, Any]
NOT_KEPT = "needs a secret content of that time, which no host keeps; to have it back, apply that configuration"


class Wish(NamedTuple):
    """What the deployer asks for.

    `seals`: where it asks for what was wanted once, the secret contents that it has at hand, by the item's id.
    """

    items: list[Item]
    purge: bool = False
    keep_drift: bool = False
    seals: dict[str, str] | None = None


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
    def blocked(self) -> list[Change]:
        return [change for change in self.changes if change.action == "blocked"]


def compare(eyes: Eyes, wish: Wish, ledger: Ledger) -> Comparison:
    """Holds what is wanted against what is there, and against what the ledger says is ours."""
    _look_at_all_units(eyes, wish, ledger)
    others = Others(eyes, ledger)
    owners = others.at_work()
    wanted = with_owed_restarts([_judge_wanted(eyes, wish, item, ledger, owners) for item in wish.items])
    leaving, packages, candidates, seen = _judge_leaving(eyes, wish, ledger, others)
    basis = _basis(wish, leaving + wanted, packages, ledger)
    return Comparison(leaving, wanted, packages, candidates, seen, basis)


def _judge_leaving(
    eyes: Eyes, wish: Wish, ledger: Ledger, others: Others
) -> tuple[list[Change], Packages, set[str], dict[str, list[str]]]:
    """What becomes of what is wanted no more, and of the packages that nobody asks for any more."""
    if not ledger.entries.keys() - {item["id"] for item in wish.items}:
        return [], Packages([], {}, {}), set(), {}
    from .leaving import Departure  # seldom needed

    departure = Departure(eyes, wish.items, ledger, others, purge=wish.purge)
    leaving = [change for entry in departure.entries if (change := _leaving(eyes, departure, entry))]
    return leaving, departure.packages, departure.candidates(), departure.seen


def _leaving(eyes: Eyes, departure: "Departure", entry: Record) -> Change | None:
    fate = departure.fate(entry, lambda entry: _is_drift(eyes, entry) and _is_strange(eyes, entry))
    return fate and Change(entry["item"], fate.action, fate.reasons, fate.state, fate.is_drift)


def with_owed_restarts(wanted: list[Change]) -> list[Change]:
    """A unit whose files are as wanted by its fingerprint still has to take up those that are mended now."""
    mended = mended_items(wanted)
    return [
        Change(change.item, "update", ["to restart or reload"], change.state)
        if change.kind == "unit"
        and change.action == "same"
        and change.item["active"]
        and mended & watched_by(change.item)
        else change
        for change in wanted
    ]


def mended_items(wanted: list[Change]) -> set[str]:
    """The ids of what is made or made good, or done anew."""
    return {change.id for change in wanted if change.action in ("create", "update", "run")}


def watched_by(unit: Item) -> set[str]:
    """The ids of the items that a unit answers to."""
    return {*unit["restart_on"], *unit["reload_on"]}


def _look_at_all_units(eyes: Eyes, wish: Wish, ledger: Ledger) -> None:
    items = wish.items + [entry["item"] for entry in ledger.entries.values()]
    eyes.look_at_units(sorted({item["name"] for item in items if item["kind"] == "unit"}))


def _judge_wanted(eyes: Eyes, wish: Wish, item: Item, ledger: Ledger, others: dict[str, str]) -> Change:
    kind, entry = kind_of(item), ledger.entries.get(item["id"])
    state = kind.observe(eyes, item)
    if item["id"] in others and item["kind"] not in MAY_BE_SHARED:
        return Change(item, "blocked", [f"belongs to the deployment {others[item['id']]}"], state)
    if conflict := kind.conflict(item, state):
        return Change(item, "blocked", [conflict], state)
    reasons = kind.differences(item, state, (entry or {}).get("done") or "") or _other_secret(wish, item, state, entry)
    if not reasons or _is_done_already(eyes, item, entry):
        return Change(item, "same" if entry and entry["state"] != "kept" and not reasons else "adopt", [], state)
    is_drift = _is_drift(eyes, entry)
    was_secret = any("seal" in former for former in former_items(entry))
    if is_drift and wish.keep_drift:
        return Change(item, "keep", ["edited by hand", *reasons], state, is_drift, was_secret)
    if "seal" in item and wish.seals is not None and wish.seals.get(item["id"]) != item["seal"]:
        return Change(item, "blocked", [NOT_KEPT], state)
    return Change(item, _making(item, state), reasons, state, is_drift, was_secret)


def _other_secret(wish: Wish, item: Item, state: State, entry: Record | None) -> list[str]:
    """Where nobody can look at a secret for want of the key: whether another was wanted last than is wanted again."""
    is_unseen = wish.seals is not None and "seal" in state and state["seal"] is None
    return ["content"] if is_unseen and entry and entry["item"].get("seal") != item.get("seal") else []


def _is_done_already(eyes: Eyes, item: Item, entry: Record | None) -> bool:
    """Whether a job's effect is there though it has not run; cannot be told here if its check needs a secret."""
    if item["kind"] != "job" or not item["check"] or "seal" in item or "sha256" in item:
        return False
    if not is_first(item, (entry or {}).get("done") or ""):
        return False
    return eyes.holds(item["check"], stdin=b"", user=item["user"], seconds=min(item["deadline"], GLANCE_SECONDS))


def _making(item: Item, state: State) -> str:
    if item["kind"] == "job":
        return "run"
    is_there = state != ABSENT and state.get("installed", True)
    return "update" if is_there else "create"


def _is_drift(eyes: Eyes, entry: Record | None) -> bool:
    """Whether somebody else made of it what it is: it is neither as we wanted it nor as it was before fedikit."""
    if entry is None or entry["item"]["kind"] == "job":
        return False
    if any(_holds(eyes, item, entry.get("done") or "") for item in former_items(entry)):
        return False
    return entry["state"] == "held" or (entry["item"]["kind"] == "file" and _is_strange(eyes, entry))


def _holds(eyes: Eyes, item: Item, done: str) -> bool:
    """Looks for itself: a file with secrets is observed in another way than the same file without them."""
    kind = kind_of(item)
    return not kind.differences(item, kind.observe(eyes, item), done)


def _is_strange(eyes: Eyes, entry: Record) -> bool:
    """Whether a file is there that is not the one from before fedikit."""
    return eyes.file_state(entry["item"]["path"]) not in (ABSENT, entry.get("prior"))


def former_items(entry: Record | None) -> list[Item]:
    """What was wanted last, and in the applies before it that did not go through."""
    return [entry["item"], *entry.get("was", ())] if entry else []


def _basis(wish: Wish, changes: list[Change], packages: Packages, ledger: Ledger) -> str:
    """A digest of everything that a plan rests on: when it differs later, the host has moved."""
    rows = [[change.id, change.action, change.reasons, change.state] for change in changes]
    content = json.dumps([wish.purge, wish.keep_drift, wish.items, rows, packages, ledger.generation], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
