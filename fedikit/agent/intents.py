"""What is written to the ledger before anything is touched: what is about to happen, and what was there before."""

from .batch import Batch
from .change import Change
from .compare import mended_items
from .eyes import ABSENT
from .kinds import by_kind, kind_of
from .ledger import Record


def write_intents(batch: Batch) -> None:
    """Of one apply."""
    making, ledger = batch.comparison.making, batch.ledger
    mended = mended_items(batch.comparison.wanted)
    for change in making:
        entry = ledger.entries.setdefault(change.id, {"prior": _prior_of(batch, change), "done": None})
        if entry.get("item", change.item) != change.item:
            entry["was"] = [*entry.get("was", ()), entry["item"]]
        entry |= {"item": change.item, "state": "making"}
        kind_of(change.item).clear(entry, mended)
    for kind, changes in by_kind(making):
        kind.announce(batch, changes)
    _note_looks(batch)
    if making or batch.comparison.leaving:
        ledger.save()


def _note_looks(batch: Batch) -> None:
    """How servers looked while it was known that nobody else is served; and what must not be purged."""
    batch.ledger.seen = batch.comparison.seen
    for name, stays in batch.comparison.packages.unpurged.items():
        batch.ledger.bystanders.setdefault(f"package:{name}", {"type": "package", "stays": stays})


def _prior_of(batch: Batch, change: Change) -> Record:
    """What is there before fedikit touches it."""
    if (prior := batch.others.prior_of(change.id)) is not None:
        return prior
    if change.action == "adopt" and "seal" in change.item:
        return ABSENT
    return kind_of(change.item).prior(batch.hands, change, batch.work.blobs)
