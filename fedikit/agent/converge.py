"""Makes the host as it is wanted. May be killed anywhere and run again: the end is the same.

Order: what is about to happen is written to the ledger, and that what comes by a migration is closed; what leaves is
removed, in the reverse order of its making; what is wanted is made, in its order; what leaves late, and packages that
nobody needs any more; then the generation is written. Images leave late because what runs of them must be able to start
again should the making fail.
"""

import contextlib
import hashlib
import os
import time

from .batch import Batch
from .change import BEFORE, Change
from .intents import write_intents
from .kinds import by_kind, kind_of
from .ledger import Ledger, Record, contents_of
from .parting import Parting
from .telling import tell_that_it_stays, told, words_of_what_stays
from .trouble import Trouble


class Convergence:
    """One apply on this host."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.hands = batch.hands
        self.wish = batch.wish
        self.ledger = batch.ledger
        self.work = batch.work
        self.parting = Parting(batch)
        leaving = batch.comparison.leaving
        self._together = [change for change in leaving if kind_of(change.item).goes_together]
        self._late = [change for change in leaving if kind_of(change.item).leaves_late]
        self._first = [change for change in leaving if change not in self._late]
        self._owed = [change for change in leaving if kind_of(change.item).is_owed(change)]

    def run(self, about: Record) -> None:
        """Does everything; raises `Trouble`, with the item's id, at the first thing that cannot be done."""
        write_intents(self.batch)
        self._close_what_comes()
        self._let_first_go()
        self._make_wanted()
        self.parting.note_accounts()
        self._let_late_go()
        self._let_packages_go()
        self._forget_what_came_back()
        for kind, changes in by_kind(self.batch.comparison.wanted):
            kind.finish(self.batch, changes)
        self._finish(about)

    def _close_what_comes(self) -> None:
        if self.wish.closing:
            from .closing import close_at_once  # seldom needed

            close_at_once(self.batch)

    # What leaves

    def _let_first_go(self) -> None:
        for change in self._first:
            self._let_go(change)
        for kind, changes in by_kind(self._first):
            kind.after_leaving(self.batch, changes)

    def _let_late_go(self) -> None:
        for change in self._late:
            self._let_go(change)
        for kind, _ in by_kind(self.batch.comparison.leaving + self.batch.comparison.wanted):
            kind.after_leaving_late(self.batch)

    def _let_go(self, change: Change) -> None:
        entry, is_single = self.ledger.entries[change.id], change not in self._together
        if change.action == "keep" and change.reasons != [BEFORE]:
            entry["state"] = "kept"
            if self.wish.purge:
                tell_that_it_stays(change, tell=self.batch.tell)
        elif change.action == "release":
            tell_that_it_stays(change, tell=self.batch.tell)
            if is_single:
                del self.ledger.entries[change.id]
        elif is_single:
            self._remove(change, entry)
            if change not in self._owed:
                del self.ledger.entries[change.id]
        self.ledger.save()

    def _remove(self, change: Change, entry: Record) -> None:
        with told(change, tell=self.batch.tell) as result:
            self.work.entry = entry
            kept = kind_of(change.item).remove(self.hands, change.item, self.work)
            result["kept"] = kept or words_of_what_stays(change)

    def _let_packages_go(self) -> None:
        leaving = [change for change in self._together if change.action == "delete"]
        if self._together or self.batch.comparison.candidates:
            with told(*leaving, tell=self.batch.tell) as result:
                result["kept"] = self.parting.let_packages_go()
            self.parting.forget([change.id for change in self._together if change.action != "keep"])

    def _forget_what_came_back(self) -> None:
        """What packages may have taken along when they left is put back once more; then nothing is owed."""
        if self.batch.comparison.candidates:
            for kind, changes in by_kind(self._owed):
                kind.once_more(self.batch, changes)
        for change in self._owed:
            del self.ledger.entries[change.id]
        if self._owed:
            self.ledger.save()

    # What is wanted

    def _make_wanted(self) -> None:
        made: list[Change] = []
        try:
            self._make_all(made)
        except Trouble:
            with contextlib.suppress(Trouble):  # the first is the one that is told
                self._after_making(made)
            raise
        self._after_making(made)

    def _make_all(self, made: list[Change]) -> None:
        kinds = dict(by_kind(self.batch.comparison.wanted))
        for change in self.batch.comparison.wanted:
            kind = kind_of(change.item)
            if changes := kinds.pop(kind, None):
                kind.prepare(self.batch, changes)
            if change.is_making:
                self._make(change)
                made.append(change)

    def _after_making(self, made: list[Change]) -> None:
        for kind, changes in by_kind(made):
            kind.after_making(self.batch, changes)

    def _make(self, change: Change) -> None:
        kind = kind_of(change.item)
        entry = self.work.entry = self.ledger.entries[change.id]
        done = entry.get("done")
        if change.action == "adopt" or kind.goes_together:
            kind.converge(self.hands, change.item, self.work)
        else:
            with told(change, tell=self.batch.tell) as result:
                result["saved"] = self._save_edited(kind.edited_file(change)) if change.is_drift else ""
                kind.converge(self.hands, change.item, self.work)
        if entry.get("done") != done:
            self.ledger.save()

    def _save_edited(self, path: str) -> str:
        """Keeps what somebody wrote into a file of ours. Returns where."""
        if not path:
            return ""
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + _as_one_name(path)
        folder = os.path.join(self.ledger.directory, "edited")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.hands.copy(path, os.path.join(folder, name))
        return os.path.join(folder, name)

    # After

    def _finish(self, about: Record) -> None:
        for entry in self.ledger.entries.values():
            entry["state"] = "held" if entry["state"] == "making" else entry["state"]
            entry.pop("was", None)
        self._put_entries_in_order()
        newest = self.ledger.read_generation(self.ledger.generation)
        if newest["items"] != self.wish.items:
            self.ledger.add_generation(self.wish.items, about)
        self.ledger.save()
        self.batch.others.hand_over(self.ledger)
        self.work.blobs.keep_only(self._contents_in_use())

    def _put_entries_in_order(self) -> None:
        """Kept ones first, then in the order of their making: things leave in the reverse of it."""
        entries, wanted = self.ledger.entries, [item["id"] for item in self.wish.items]
        others = [id for id in entries if id not in set(wanted)]
        self.ledger.entries = {id: entries[id] for id in [*others, *wanted] if id in entries}

    def _contents_in_use(self) -> set[str]:
        """What any deployment's entries, their prior states and the kept generations refer to."""
        home = self.ledger.home
        names = os.listdir(os.path.join(home, "deployments"))
        return set().union(*(contents_of(Ledger(home, name)) for name in names))


def _as_one_name(path: str) -> str:
    """The path as a file's name; of one that is too long for that its end, and what tells it from others."""
    name = path.replace("/", "_")
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return name if len(os.fsencode(name)) <= 200 else f"_{digest}…{name[-150:]}"
