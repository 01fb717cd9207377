"""What would change on this host. Gets eyes only: it cannot change anything."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from .eyes import ABSENT, BARRED, Eyes, State
from .kinds import kind_of
from .ledger import Ledger, Record, neighbours
from .package import dispensable, parse_status

Item = dict[str, Any]
SHARED_KINDS = ("package", "directory", "image")


class Wish(NamedTuple):
    """What the deployer asks for."""

    items: list[Item]
    purge: bool = False
    keep_drift: bool = False


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
    leaving_packages: list[str]
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
    others = foreign_owners(ledger)
    wanted = with_owed_restarts([_judge_wanted(eyes, wish, item, ledger, others) for item in wish.items])
    names = {item["id"] for item in wish.items}
    gone = [entry for id, entry in reversed(ledger.entries.items()) if id not in names]
    leaving = [change for entry in gone if (change := _judge_leaving(eyes, wish, entry))]
    packages = (
        sorted(dispensable(parse_status(eyes.dpkg_status), package_candidates(wish, ledger, others))) if gone else []
    )
    return Comparison(leaving, wanted, packages, _basis(wish, leaving + wanted, ledger))


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
    """The ids of what is made or made good."""
    return {change.id for change in wanted if change.action in ("create", "update")}


def watched_by(unit: Item) -> set[str]:
    """The ids of the items that a unit answers to."""
    return {*unit["restart_on"], *unit["reload_on"]}


def _look_at_all_units(eyes: Eyes, wish: Wish, ledger: Ledger) -> None:
    items = wish.items + [entry["item"] for entry in ledger.entries.values()]
    eyes.look_at_units(sorted({item["name"] for item in items if item["kind"] == "unit"}))


def foreign_owners(ledger: Ledger) -> dict[str, str]:
    """Which other deployment of this host owns an item, by the item's id."""
    others = [Ledger(ledger.home, name) for name in neighbours(ledger.home, ledger.deployment)]
    return {id: other.deployment for other in others for id in other.entries}


def package_candidates(wish: Wish, ledger: Ledger, others: dict[str, str]) -> set[str]:
    """The packages that fedikit brought and that nobody asks for any more."""
    asked_for = {item["name"] for item in wish.items if item["kind"] == "package"}
    asked_for |= {id.removeprefix("package:") for id in others if id.startswith("package:")}
    return ledger.debs.keys() - asked_for


def _judge_wanted(eyes: Eyes, wish: Wish, item: Item, ledger: Ledger, others: dict[str, str]) -> Change:
    kind, entry = kind_of(item), ledger.entries.get(item["id"])
    state = kind.observe(eyes, item)
    if item["id"] in others and item["kind"] not in SHARED_KINDS:
        return Change(item, "blocked", [f"belongs to the deployment {others[item['id']]}"], state)
    if conflict := kind.conflict(item, state):
        return Change(item, "blocked", [conflict], state)
    reasons = kind.differences(item, state, (entry or {}).get("done") or "")
    if not reasons or _is_done_already(eyes, item, entry):
        return Change(item, "same" if entry and entry["state"] != "kept" and not reasons else "adopt", [], state)
    is_drift = _is_drift(eyes, entry)
    was_secret = any("seal" in former for former in _former_items(entry))
    if is_drift and wish.keep_drift:
        return Change(item, "keep", ["edited by hand", *reasons], state, is_drift, was_secret)
    return Change(item, _making(item, state), reasons, state, is_drift, was_secret)


def _is_done_already(eyes: Eyes, item: Item, entry: Record | None) -> bool:
    """Whether a job's effect is there though it has not run; cannot be told here if its check needs a secret."""
    if item["kind"] != "job" or not item["check"] or "seal" in item or "sha256" in item or (entry or {}).get("done"):
        return False
    return eyes.holds(item["check"], stdin=b"", user=item["user"], seconds=item["deadline"])


def _making(item: Item, state: State) -> str:
    if item["kind"] == "job":
        return "run"
    is_there = state != ABSENT and state.get("installed", True)
    return "update" if is_there else "create"


def _is_drift(eyes: Eyes, entry: Record | None) -> bool:
    """Whether somebody else made of it what it is: it is neither as we wanted it nor as it was before fedikit."""
    if entry is None or entry["item"]["kind"] == "job":
        return False
    if any(_holds(eyes, item, entry.get("done") or "") for item in _former_items(entry)):
        return False
    return entry["state"] == "held" or (entry["item"]["kind"] == "file" and _is_strange(eyes, entry))


def _holds(eyes: Eyes, item: Item, done: str) -> bool:
    """Looks for itself: a file with secrets is observed in another way than the same file without them."""
    kind = kind_of(item)
    return not kind.differences(item, kind.observe(eyes, item), done)


def _is_strange(eyes: Eyes, entry: Record) -> bool:
    """Whether a file is there that is not the one from before fedikit."""
    return eyes.file_state(entry["item"]["path"]) not in (ABSENT, entry.get("prior"))


def _former_items(entry: Record | None) -> list[Item]:
    """What was wanted last, and in the applies before it that did not go through."""
    return [entry["item"], *entry.get("was", ())] if entry else []


def _judge_leaving(eyes: Eyes, wish: Wish, entry: Record) -> Change | None:
    """What happens to something that left the configuration; nothing, if it is kept since an earlier time."""
    item, prior = entry["item"], entry.get("prior") or ABSENT
    if entry["state"] == "kept" and not wish.purge:
        return None
    state = kind_of(item).observe(eyes, item)
    if item.get("data") and not wish.purge and state != ABSENT:
        return Change(item, "keep", ["bears data"], state)
    if state["type"] == BARRED:
        return Change(item, "blocked" if wish.purge else "keep", [state["why"]], state)
    if item["kind"] == "file" and not wish.purge and _is_drift(eyes, entry) and _is_strange(eyes, entry):
        return Change(item, "keep", ["edited by hand"], state, is_drift=True)
    if item["kind"] == "package":
        return Change(item, "release" if prior.get("installed") else "delete", [], state)
    if prior["type"] != "absent":
        return Change(item, "restore", [], state)
    is_elsewhere = wish.purge and item.get("data") and "link" in state
    return Change(item, "delete", [f"with all in {state['link']}, where it leads"] if is_elsewhere else [], state)


def _basis(wish: Wish, changes: list[Change], ledger: Ledger) -> str:
    """A digest of everything that a plan rests on: when it differs later, the host has moved."""
    rows = [[change.id, change.action, change.reasons, change.state] for change in changes]
    content = json.dumps([wish.purge, wish.keep_drift, wish.items, rows, ledger.generation], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
