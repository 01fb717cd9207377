"""What is asked, and what is answered: what would change on this host, and what would have to be sent for it."""

import os
from contextlib import suppress
from functools import cached_property

from .blobs import Blobs
from .change import Change, Comparison, Wish
from .closed import closed_here
from .eyes import Eyes
from .kinds import by_kind, kind_of
from .ledger import NO_GENERATION, Ledger, Record
from .lock import describe, lock_holder
from .others import Others
from .trouble import Trouble


class Question:
    """What the deployer asks for; `target` is the generation to go back to, if that is it."""

    def __init__(self, eyes: Eyes, request: Record, ledger: Ledger) -> None:
        self.eyes = eyes
        self.request = request
        self.ledger = ledger
        self.is_rollback = bool(request["op"] == "rollback")
        self.target = self._target() if self.is_rollback else None
        self.generation = ledger.read_generation(self.target) if self.target is not None else NO_GENERATION
        self.wish = self._wish()

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(os.path.join(self.ledger.home, "store"))

    @cached_property
    def others(self) -> Others:
        return Others(self.eyes, self.ledger)

    def _target(self) -> int:
        ledger = self.ledger
        if self.request.get("to") is not None:
            return int(self.request["to"])
        last = ledger.last_run() or {}
        if last.get("state", "done") != "done":
            return int(last.get("target", ledger.generation))  # the state that stood, or where a rollback was going
        if ledger.read_generation(ledger.generation).get("run") != last.get("run"):
            return ledger.generation  # the last run only mended what others had changed
        return ([0] + [number for number in ledger.generations() if number < ledger.generation])[-1]

    def _wish(self) -> Wish:
        purge, keep_drift = self.request.get("purge", False), self.request.get("keep_drift", False)
        resting = self.request.get("resting")
        if self.target is None:
            items, closing = _for_this_machine(self.request["items"]), self.request.get("closing")
            return Wish(items, purge, keep_drift, None, resting, closing)
        seals = {item["id"]: item["seal"] for item in self.request.get("items", ()) if "seal" in item}
        return Wish(_for_this_machine(self.generation["items"]), purge, keep_drift, seals, resting)


def answer_to(question: Question, comparison: Comparison) -> Record:
    ledger = question.ledger
    answer: Record = {
        "event": "answer",
        "changes": [_described(question, change) for change in comparison.changes],
        "same": len(comparison.wanted) - sum(change.action != "same" for change in comparison.wanted),
        "basis": comparison.basis,
        "generation": ledger.generation,
        "unfinished": _is_unfinished(question),
        "kept": [id for id, entry in ledger.entries.items() if entry["state"] == "kept"],
        "last_run": ledger.last_run(),
    }
    answer |= _identity(question, comparison)
    if holder := lock_holder(ledger.home):
        answer["busy"] = describe(holder)
    if comparison.blocked:
        owners = question.others.at_work()
        answer["owners"] = sorted({owners[change.id] for change in comparison.blocked if change.id in owners})
    if question.target is not None:
        images = [_told(item) for item in question.wish.items if "layers" in item]
        answer |= {"target": question.target, "images": images}
        answer |= {key: value for key, value in question.generation.items() if key == "checks"}
    if closed := closed_here(question.eyes, ledger, question.wish.resting):
        answer |= {"closed": [one.words for one in closed], "at_rest": [one.application for one in closed]}
    return answer | _for_changes(question, comparison) if comparison.changes else answer


def _for_changes(question: Question, comparison: Comparison) -> Record:
    """What has to be known besides where something would change."""
    answer = _needs(question, comparison) | _facts(question)
    return answer | ({"concerns": words} if (words := _concerns(question)) else {})


def _facts(question: Question) -> Record:
    """What this host has, if that is asked too; where it cannot be said, the deployer asks for it by itself."""
    if not (wanted := question.request.get("facts")):
        return {}
    from .facts import facts_of  # needed only where something would change

    with suppress(Trouble, OSError):
        return {"facts": facts_of(question.eyes, wanted)}
    return {}


def _concerns(question: Question) -> list[str]:
    """What other deployments here have that this one should know of."""
    ours = {item["id"] for item in question.wish.items}
    theirs = ((name, item) for name, item in question.others.items() if item["id"] not in ours)
    return list(dict.fromkeys(words for name, item in theirs if (words := kind_of(item).concerns(name))))


def _identity(question: Question, comparison: Comparison) -> Record:
    """What data is known by, which is here, or would be taken over from other deployments."""
    former: Record = {}
    keepers = question.others.keepers()
    for change in comparison.making:
        if change.id in keepers and keepers[change.id].bears_data(change.id):
            former |= keepers[change.id].identity
    identity = former | question.ledger.identity
    return {"identity": identity, "has_data": bool(former) or question.ledger.has_data()} if identity else {}


def _is_unfinished(question: Question) -> bool:
    """Whether an earlier run is still owed its end: the record of it, or that the record goes."""
    ledger = question.ledger
    if lock_holder(ledger.home):
        return False
    has_stopped = (ledger.last_run() or {}).get("state") in ("running", "failed")
    return has_stopped or (question.request.get("forget", False) and ledger.is_left_over())


def _described(question: Question, change: Change) -> Record:
    described: Record = {"id": change.id, "action": change.action}
    if change.reasons:
        described["reasons"] = change.reasons
    if change.is_drift:
        described["drift"] = True
    if change.item.get("data"):
        described["data"] = True
    blobs = question.blobs if question.is_rollback else None
    return described | kind_of(change.item).shown(question.eyes, change, blobs)


def _needs(question: Question, comparison: Comparison) -> Record:
    """What the deployer has to send along, should it order these changes."""
    eyes, blobs, making = question.eyes, question.blobs, comparison.making
    contents = {sha256 for c in making for sha256 in kind_of(c.item).contents(eyes, c.item)}
    needs: Record = {
        "contents": sorted(sha256 for sha256 in contents if not blobs.has(sha256)),
        "secrets": [change.id for change in making if "seal" in change.item and change.action != "adopt"],
        "leaving_packages": comparison.packages.leaving,
        "staying_packages": comparison.packages.staying,
    }
    for kind, changes in by_kind(making):
        needs |= kind.asks(eyes, changes, question.ledger, question.target)
    return needs


def _for_this_machine(items: list[Record]) -> list[Record]:
    return [kind_of(item).for_this_machine(item) for item in items]


def _told(image: Record) -> Record:
    """What the deployer has to know of an image that a rollback wants back."""
    layers = [layer["sha256"] for layer in image["layers"]]
    return {**{key: image[key] for key in ("reference", "manifest", "config")}, "layers": layers}
