"""What is told of the generations that this host keeps: when, by whom, and what became another in each."""

from typing import Any

from .ledger import Ledger, Record

Item = dict[str, Any]
TOLD = ("number", "time", "run", "note", "who")
MOST_TOLD = 200
"""No more ids of a sort are told: `items` says how much there is."""


def told_of(ledger: Ledger) -> list[Record]:
    """Each of them, the oldest first. What came before the oldest is not known, unless it is the first."""
    told: list[Record] = []
    before: list[Item] | None = None
    for number in ledger.generations():
        generation = ledger.read_generation(number)
        if number == 1:
            before = []
        about = {key: generation.get(key, "") for key in TOLD} | {"items": len(generation["items"])}
        told.append(about if before is None else about | {"moves": _moves(before, generation["items"])})
        before = generation["items"]
    return told


def _moves(before: list[Item], after: list[Item]) -> Record:
    """The ids of items that came, became another, or went."""
    was, now = ({item["id"]: item for item in items} for items in (before, after))
    moves = {
        "added": [id for id in now if id not in was],
        "changed": [id for id in now if id in was and now[id] != was[id]],
        "removed": [id for id in was if id not in now],
    }
    return {sort: ids[:MOST_TOLD] for sort, ids in moves.items()} | {
        "counts": {sort: len(ids) for sort, ids in moves.items()}
    }
