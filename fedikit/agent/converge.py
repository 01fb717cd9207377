"""Makes the host as it is wanted. May be killed anywhere and run again: the end is the same.

Order: what is about to happen is written to the ledger; what leaves is removed, in the reverse order of its making;
what is wanted is made, in its order; images that leave, and packages that nobody needs any more; then the generation is
written. Images wait that long because what runs of them must be able to start again should the making fail.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .bystander import wake
from .compare import Change, Comparison, Wish
from .eyes import ABSENT
from .file import put_back
from .hands import Hands
from .image import leave as leave_images
from .intents import MAKING, Intents
from .kinds import kind_of
from .leaving import BEFORE
from .ledger import Ledger, Record, contents_of, neighbours
from .package import install, mark_automatic
from .parting import Parting, accounts
from .trouble import Trouble, trouble_from
from .unit import bring_back, settle
from .work import Work

Tell = Callable[[dict[str, Any]], None]
UNIT_FILES = ("/etc/systemd/system/", "/etc/containers/systemd/")


class Convergence:
    """One apply on this host."""

    def __init__(self, hands: Hands, wish: Wish, comparison: Comparison, ledger: Ledger, work: Work) -> None:
        self.hands = hands
        self.wish = wish
        self.comparison = comparison
        self.ledger = ledger
        self.work = work
        self.parting = Parting(hands, wish, comparison, ledger, work)
        self._returning = [change for change in comparison.leaving if _is_returning(change, ledger)]
        self._woken = [c for c in comparison.leaving if c.kind == "unit" and c.action == "restore"]
        self._units_files = [change for change in comparison.leaving if _is_units_file(change)]
        self._restored = [change for change in comparison.leaving if _is_put_back(change)]

    def run(self, debs: list[Record], about: Record, tell: Tell) -> None:
        """Does everything; raises `Trouble`, with the item's id, at the first thing that cannot be done."""
        Intents(self.hands, self.wish, self.comparison, self.ledger, self.work).write(debs)
        for change in self.comparison.leaving:
            if change.kind != "image":
                self._let_go(change, tell)
        self._bring_units_back()
        self._make_wanted(debs, tell)
        self._note_accounts(debs)
        self._let_images_go(tell)
        self._let_packages_go(tell)
        self._forget_what_came_back()
        self._settle_units()
        self._finish(about)

    # What leaves

    def _let_go(self, change: Change, tell: Tell) -> None:
        entry = self.ledger.entries[change.id]
        if change.action == "keep" and change.reasons != [BEFORE]:
            entry["state"] = "kept"
            if self.wish.purge:
                _tell_that_it_stays(change, tell=tell)
        elif change.action == "release":
            _tell_that_it_stays(change, tell=tell)
            if change.kind != "package":
                del self.ledger.entries[change.id]
        elif change.kind != "package":
            with _told(change, tell=tell) as result:
                self.work.entry = entry
                result["kept"] = self._remove(change, entry) or _words_of_what_stays(change)
            if change not in self._woken + self._units_files + self._restored:
                del self.ledger.entries[change.id]
        self.ledger.save()

    def _remove(self, change: Change, entry: Record) -> str:
        """Puts back what was there before; a home that was there before its user is not taken away as a whole."""
        self.work.purge = self.wish.purge and not (entry.get("prior") or ABSENT).get("home")
        try:
            return kind_of(change.item).remove(self.hands, change.item, self.work)
        finally:
            self.work.purge = self.wish.purge

    def _bring_units_back(self) -> None:
        """Has systemd forget the units whose files are gone; a generator's would stay until it reads all anew."""
        if self._returning or self._units_files:
            self.hands.run(["systemctl", "daemon-reload"])
            bring_back(self.hands, [change.item for change in self._returning])

    def _forget_what_came_back(self) -> None:
        """What packages may have taken along when they left is put back once more; then nothing is owed."""
        if self.comparison.candidates:
            self._put_back_once_more()
        if owed := [*self._woken, *self._units_files, *self._restored]:
            for id in {change.id for change in owed}:
                del self.ledger.entries[id]
            self.ledger.save()

    def _put_back_once_more(self) -> None:
        for change in self._restored:
            prior = self.ledger.entries[change.id]["prior"]
            if self.hands.file_state(change.item["path"]) != prior:
                put_back(self.hands, change.item["path"], prior, self.work.blobs)
        if self._woken or self._units_files:
            self.hands.run(["systemctl", "daemon-reload"])
        for change in self._woken:
            wake(self.hands, change.item["name"], self.ledger.entries[change.id]["prior"])

    def _let_images_go(self, tell: Tell) -> None:
        """Names of images leave, and images that we brought and that neither this nor the state before it needs."""
        for change in self.comparison.leaving:
            if change.kind == "image":
                self._let_go(change, tell)
        if leaving := self.ledger.images.keys() - self._images_in_use():
            for id in leave_images(self.hands, leaving):
                del self.ledger.images[id]
            self.ledger.save()

    def _images_in_use(self) -> set[str]:
        """Those of the wanted state, of the one to go back to, and of other deployments; without Podman none stays."""
        others = [Ledger(self.ledger.home, name) for name in neighbours(self.ledger.home, self.ledger.deployment)]
        items = self.wish.items + [entry["item"] for other in others for entry in other.entries.values()]
        items += [change.item for change in self.comparison.leaving if change.action in ("keep", "release")]
        items += [entry["item"] for entry in self.ledger.entries.values() if entry["state"] == "kept"]
        if "podman" not in self.comparison.packages.leaving:
            items = items + self._items_before()
        return {item["config"] for item in items if item["kind"] == "image"}

    def _items_before(self) -> list[Record]:
        """The newest generation in which something else was wanted."""
        for number in reversed(self.ledger.generations()):
            items: list[Record] = self.ledger.read_generation(number)["items"]
            if items != self.wish.items:
                return items
        return []

    def _let_packages_go(self, tell: Tell) -> None:
        packages = [change for change in self.comparison.leaving if change.kind == "package"]
        leaving = [change for change in packages if change.action == "delete"]
        if packages or self.comparison.candidates:
            with _told(*leaving, tell=tell) as result:
                result["kept"] = self.parting.let_packages_go()
            self.parting.forget([change.id for change in packages if change.action != "keep"])

    # What is wanted

    def _make_wanted(self, debs: list[Record], tell: Tell) -> None:
        is_installed = False
        for change in self.comparison.wanted:
            if change.kind == "package" and not is_installed:
                self._install(debs, tell)
                is_installed = True
            if change.action in MAKING:
                self._make(change, tell)

    def _install(self, debs: list[Record], tell: Tell) -> None:
        arriving = [c for c in self.comparison.wanted if c.kind == "package" and c.action in ("create", "update")]
        if arriving:
            with _told(*arriving, tell=tell):
                install(self.hands, debs, self.work.blobs, ours={*self.parting.ours(), *(d["name"] for d in debs)})
        if self.ledger.unmarked:
            mark_automatic(self.hands, self.ledger.unmarked, self.work.blobs)
            self.ledger.automatic = sorted({*self.ledger.automatic, *self.ledger.unmarked})
            self.ledger.unmarked = []

    def _make(self, change: Change, tell: Tell) -> None:
        self.work.entry = self.ledger.entries[change.id]
        if change.kind == "package" or change.action == "adopt":
            kind_of(change.item).converge(self.hands, change.item, self.work)
            return
        with _told(change, tell=tell) as result:
            if change.is_drift:
                result["saved"] = self._save_edited(change)
            kind_of(change.item).converge(self.hands, change.item, self.work)
        if change.kind in ("unit", "job"):
            self.ledger.save()

    def _save_edited(self, change: Change) -> str:
        """Keeps what somebody wrote into a file of ours; not of files with secrets. Returns where."""
        is_secret = "seal" in change.item or change.was_secret
        if change.kind != "file" or is_secret or change.state.get("type") != "file":
            return ""
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + change.item["path"].replace("/", "_")
        folder = os.path.join(self.ledger.directory, "edited")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.hands.copy(change.item["path"], os.path.join(folder, name))
        return os.path.join(folder, name)

    # After

    def _note_accounts(self, debs: list[Record]) -> None:
        """Remembers which users and groups came with the packages."""
        before = self.ledger.accounts_before
        if before is None:
            return
        ours = {item["name"] for item in self.wish.items if item["kind"] == "user"}
        for database, names in accounts(self.hands).items():
            new = set(names) - set(before[database]) - ours
            self.ledger.accounts[database] = sorted({*self.ledger.accounts[database], *new})
        self.ledger.accounts_before = None

    def _settle_units(self) -> None:
        settle(self.hands, [c.item for c in self.comparison.wanted if c.kind == "unit" and c.action in MAKING])

    def _finish(self, about: Record) -> None:
        for entry in self.ledger.entries.values():
            entry["state"] = "held" if entry["state"] == "making" else entry["state"]
            entry.pop("was", None)
        self._put_entries_in_order()
        newest = self.ledger.read_generation(self.ledger.generation)
        if newest["items"] != self.wish.items:
            self.ledger.add_generation(self.wish.items, about)
        self.ledger.save()
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


def _is_units_file(change: Change) -> bool:
    """Whether it is a file that leaves, and of which systemd or a generator of it makes a unit."""
    return (
        change.kind == "file" and change.action in ("delete", "restore") and change.item["path"].startswith(UNIT_FILES)
    )


def _is_put_back(change: Change) -> bool:
    """Whether it is a file or link in whose place there was another before fedikit."""
    return change.kind in ("file", "symlink") and change.action == "restore"


def _is_returning(change: Change, ledger: Ledger) -> bool:
    """Whether it is a unit that ran before fedikit, and is to run again with what it had then."""
    return change.kind == "unit" and change.action == "restore" and bool(ledger.entries[change.id]["prior"]["active"])


def _tell_that_it_stays(change: Change, *, tell: Tell) -> None:
    with _told(change, tell=tell) as result:
        result["kept"] = _words_of_what_stays(change)


def _words_of_what_stays(change: Change) -> str:
    return ", ".join(change.reasons) if change.action in ("keep", "release") else ""


@contextmanager
def _told(*changes: Change, tell: Tell) -> Iterator[Record]:
    """Tells when work on the items begins and ends; names the first of them in trouble."""
    result: Record = {}
    for change in changes:
        tell({"event": "item", "phase": "start", "id": change.id, "action": change.action})
    start, failed = time.monotonic(), True
    try:
        yield result
        failed = False
    except Trouble as trouble:
        trouble.item = changes[0].id if changes else "packages"
        raise
    except OSError as error:
        failure = trouble_from(error)
        failure.item = changes[0].id if changes else "packages"
        raise failure from error
    finally:
        seconds = round(time.monotonic() - start, 3)
        for change in changes:
            told = {"event": "item", "phase": "end", "id": change.id, "action": change.action}
            tell(
                {**told, "seconds": seconds, "failed": failed, **{key: value for key, value in result.items() if value}}
            )
