"""What would change on this host. Gets eyes only: it cannot change anything."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from .change import Change, Comparison, Packages, Wish
from .closed import closed_here
from .eyes import Eyes, State
from .kinds import by_kind, kind_of
from .ledger import Ledger, Record
from .others import Others

if TYPE_CHECKING:
    from .leaving import Departure

Item = dict[str, Any]
NOT_KEPT = "needs a secret content of that time, which no host keeps; to have it back, apply that configuration"


def compare(eyes: Eyes, wish: Wish, ledger: Ledger, others: Others) -> Comparison:
    """Holds what is wanted against what is there, and against what the ledgers say is ours, and others'."""
    _look_ahead(eyes, wish, ledger)
    owners, keepers = others.at_work(), others.keepers()
    left_alone = frozenset().union(*(one.ids for one in closed_here(eyes, ledger, wish.resting)))
    judged = [_judge_wanted(eyes, wish, item, ledger, owners) for item in wish.items if item["id"] not in left_alone]
    wanted = with_owed([_taken_over(change, keepers) for change in judged])
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


def with_owed(wanted: list[Change]) -> list[Change]:
    """Items that hold, and that others are made for them to take up, are worked on too."""
    mended = mended_items(wanted)
    owed = [kind_of(c.item).owed(c.item, mended) if c.action in ("same", "adopt") else [] for c in wanted]
    return [
        Change(change.item, "update", reasons, change.state) if reasons else change
        for change, reasons in zip(wanted, owed, strict=True)
    ]


def mended_items(wanted: list[Change]) -> set[str]:
    """The ids of what is made or made good, or done anew."""
    return {change.id for change in wanted if change.action in ("create", "update", "run")}


def _look_ahead(eyes: Eyes, wish: Wish, ledger: Ledger) -> None:
    for kind, items in by_kind(wish.items + [entry["item"] for entry in ledger.entries.values()]):
        kind.look_ahead(eyes, items)


def _judge_wanted(eyes: Eyes, wish: Wish, item: Item, ledger: Ledger, others: dict[str, str]) -> Change:
    kind, entry = kind_of(item), ledger.entries.get(item["id"])
    state = kind.observe(eyes, item)
    if item["id"] in others and not kind.may_be_shared:
        return Change(item, "blocked", [kind.held_by(others[item["id"]])], state)
    if conflict := kind.conflict(item, state):
        return Change(item, "blocked", [conflict], state)
    done = (entry or {}).get("done") or ""
    reasons = kind.differences(item, state, done) or _other_secret(wish, item, state, entry)
    if not reasons or kind.is_done_already(eyes, item, done):
        return Change(item, "same" if entry and entry["state"] != "kept" and not reasons else "adopt", [], state)
    is_drift = _is_drift(eyes, entry)
    was_secret = any("seal" in former for former in former_items(entry))
    if is_drift and wish.keep_drift:
        return Change(item, "keep", ["edited by hand", *reasons], state, is_drift, was_secret)
    if "seal" in item and wish.seals is not None and wish.seals.get(item["id"]) != item["seal"]:
        return Change(item, "blocked", [NOT_KEPT], state)
    return Change(item, kind.making(item, state), reasons, state, is_drift, was_secret)


def _taken_over(change: Change, keepers: dict[str, Ledger]) -> Change:
    """The same; says from whom, if another deployment has left it and only keeps it."""
    if change.id not in keepers or not change.is_making:
        return change
    return change._replace(reasons=[*change.reasons, f"taken over from {keepers[change.id].deployment}"])


def _other_secret(wish: Wish, item: Item, state: State, entry: Record | None) -> list[str]:
    """Where nobody can look at a secret for want of the key: whether another was wanted last than is wanted again."""
    is_unseen = wish.seals is not None and "seal" in state and state["seal"] is None
    return ["content"] if is_unseen and entry and entry["item"].get("seal") != item.get("seal") else []


def _is_drift(eyes: Eyes, entry: Record | None) -> bool:
    """Whether somebody else made of it what it is: it is neither as we wanted it nor as it was before fedikit."""
    if entry is None or not kind_of(entry["item"]).has_state:
        return False
    if any(_holds(eyes, item, entry.get("done") or "") for item in former_items(entry)):
        return False
    return entry["state"] == "held" or _is_strange(eyes, entry)


def _holds(eyes: Eyes, item: Item, done: str) -> bool:
    """Looks for itself: a file with secrets is observed in another way than the same file without them."""
    kind = kind_of(item)
    return not kind.differences(item, kind.observe(eyes, item), done)


def _is_strange(eyes: Eyes, entry: Record) -> bool:
    return kind_of(entry["item"]).is_strange(eyes, entry)


def former_items(entry: Record | None) -> list[Item]:
    """What was wanted last, and in the applies before it that did not go through."""
    return [entry["item"], *entry.get("was", ())] if entry else []


def _basis(wish: Wish, changes: list[Change], packages: Packages, ledger: Ledger) -> str:
    """A digest of everything that a plan rests on: when it differs later, the host has moved."""
    rows = [[change.id, change.action, change.reasons, change.state] for change in changes]
    content = json.dumps([wish.purge, wish.keep_drift, wish.items, rows, packages, ledger.generation], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
