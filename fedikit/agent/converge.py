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

from .bystander import bring_back as bring_bystanders_back
from .bystander import bring_links_back, moved_directories, noted
from .compare import Change, Comparison, Wish, foreign_owners, mended_items, package_candidates
from .eyes import ABSENT
from .file import brought_to_safety
from .hands import Hands
from .image import clear_storage
from .image import ids as image_ids
from .image import leave as leave_images
from .kinds import kind_of
from .ledger import Ledger, Record, neighbours
from .package import install, leave, purge_remains
from .trouble import Trouble, trouble_from
from .unit import bring_back, settle
from .work import Work

Tell = Callable[[dict[str, Any]], None]
MAKING = ("create", "update", "run", "adopt")
UNIT_FILES = ("/etc/systemd/system/", "/etc/containers/systemd/")
PEOPLE = 1000
"""The first number of users who are people, or our own."""


class Convergence:
    """One apply on this host."""

    def __init__(self, hands: Hands, wish: Wish, comparison: Comparison, ledger: Ledger, work: Work) -> None:
        self.hands = hands
        self.wish = wish
        self.comparison = comparison
        self.ledger = ledger
        self.work = work
        self._returning = [change for change in comparison.leaving if _is_returning(change, ledger)]
        self._units_files = [change for change in comparison.leaving if _is_units_file(change)]

    def run(self, debs: list[Record], about: Record, tell: Tell) -> None:
        """Does everything; raises `Trouble`, with the item's id, at the first thing that cannot be done."""
        self._write_intents(debs)
        for change in self.comparison.leaving:
            if change.kind != "image":
                self._let_go(change, tell)
        self._bring_units_back()
        self._make_wanted(debs, tell)
        self._note_accounts(debs)
        self._let_images_go(tell)
        self._let_packages_go(tell)
        self._settle_units()
        self._finish(about)

    # Before

    def _write_intents(self, debs: list[Record]) -> None:
        making = [change for change in self.comparison.wanted if change.action in MAKING]
        for change in making:
            entry = self.ledger.entries.setdefault(change.id, {"prior": self._prior_of(change), "done": None})
            if entry.get("item", change.item) != change.item:
                entry["was"] = [*entry.get("was", ()), entry["item"]]
            entry |= {"item": change.item, "state": "making"}
            if change.kind == "unit":
                entry["done"] = self._still_done(change.item, entry["done"])
        for deb in debs:
            if not self.hands.package(deb["name"])["installed"]:
                self.ledger.debs[deb["name"]] = {"version": deb["version"], "sha256": deb["sha256"]}
                self.ledger.bystanders |= noted(self.hands, {deb["name"]}, self.work.blobs)
        for image in [change.item for change in making if change.kind == "image"]:
            if image["config"] not in image_ids(self.hands):
                self.ledger.images[image["config"]] = image["reference"]
        if debs and self.ledger.accounts_before is None:
            self.ledger.accounts_before = self._accounts()
        if making or self.comparison.leaving:
            self.ledger.save()

    def _still_done(self, unit: Record, done: str | None) -> str | None:
        """What a unit runs with, less what is about to change under it: so that a restart is owed from now on."""
        mended = mended_items(self.comparison.wanted)
        if not done or mended.intersection(unit["restart_on"]):
            return None
        return done.split(":")[0] + ":" if mended.intersection(unit["reload_on"]) else done

    def _prior_of(self, change: Change) -> Record:
        """What is there before fedikit touches it, with its content brought to safety."""
        if change.kind == "job" or (change.action == "adopt" and "seal" in change.item):
            return ABSENT
        if change.kind not in ("file", "symlink"):
            return change.state
        return brought_to_safety(self.hands, change.item["path"], self.work.blobs)

    def _accounts(self) -> dict[str, list[str]]:
        """The system's own users and groups: packages make no others."""
        return {
            database: sorted(name for name, row in self.hands.accounts(database).items() if int(row[2]) < PEOPLE)
            for database in ("passwd", "group")
        }

    # What leaves

    def _let_go(self, change: Change, tell: Tell) -> None:
        entry = self.ledger.entries[change.id]
        if change.action == "keep":
            entry["state"] = "kept"
        elif change.kind != "package":
            with _told(change, tell=tell) as result:
                self.work.entry = entry
                result["kept"] = kind_of(change.item).remove(self.hands, change.item, self.work)
            if change not in self._returning + self._units_files:
                del self.ledger.entries[change.id]
        self.ledger.save()

    def _bring_units_back(self) -> None:
        """Has systemd forget the units whose files are gone; a generator's would stay until it reads all anew."""
        if not (owed := self._returning + self._units_files):
            return
        self.hands.run(["systemctl", "daemon-reload"])
        bring_back(self.hands, [change.item for change in self._returning])
        for change in owed:
            del self.ledger.entries[change.id]
        self.ledger.save()

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
        if "podman" not in self.comparison.leaving_packages:
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
        """Packages leave last, when nothing of ours uses them; with their configuration, unless data is kept."""
        leaving = [change for change in self.comparison.leaving if change.kind == "package"]
        purge = self.wish.purge or not self._is_data_kept()
        candidates = package_candidates(self.wish, self.ledger, foreign_owners(self.ledger))
        if leaving or candidates:
            with _told(*leaving, tell=tell) as result:
                self._note_links(candidates)
                removed = leave(self.hands, candidates, purge=purge)
                if purge:
                    purge_remains(self.hands, candidates)
                    bring_bystanders_back(self.hands, self.ledger.bystanders, self.work.blobs)
                result["kept"] = bring_links_back(self.hands, self.ledger.bystanders)
                if "podman" in candidates:
                    clear_storage(self.hands)
            self._forget_packages([change.id for change in leaving], removed, candidates, purge=purge)

    def _note_links(self, packages: set[str]) -> None:
        """Remembers the links to moved data that dpkg would take for directories of these packages."""
        if links := moved_directories(self.hands, packages):
            self.ledger.bystanders |= links
            self.ledger.save()

    def _forget_packages(self, ids: list[str], removed: set[str], candidates: set[str], *, purge: bool) -> None:
        for id in ids:
            del self.ledger.entries[id]
        gone = {name for name in candidates if not self.hands.package(name)["installed"]} if purge else set()
        for name in gone & (removed | candidates):
            self.ledger.debs.pop(name, None)
        if purge:
            self._remove_accounts()
        self.ledger.save()

    def _is_data_kept(self) -> bool:
        return any(entry["state"] == "kept" for entry in self.ledger.entries.values())

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
                install(self.hands, debs, self.work.blobs)

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
        for database, names in self._accounts().items():
            new = set(names) - set(before[database]) - ours
            self.ledger.accounts[database] = sorted({*self.ledger.accounts[database], *new})
        self.ledger.accounts_before = None

    def _remove_accounts(self) -> None:
        """Users and groups that came with packages leave with the last of these."""
        if self.ledger.debs or self._is_data_kept():
            return
        self.hands.look_afresh()
        for database, command in (("passwd", "userdel"), ("group", "groupdel")):
            for name in self.ledger.accounts[database]:
                if name in self.hands.accounts(database):
                    self.hands.run([command, name])
                    self.hands.look_afresh()
            self.ledger.accounts[database] = []

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
    return change.kind == "file" and change.action != "keep" and change.item["path"].startswith(UNIT_FILES)


def _is_returning(change: Change, ledger: Ledger) -> bool:
    """Whether it is a unit that ran before fedikit, and is to run again with what it had then."""
    return change.kind == "unit" and change.action == "restore" and bool(ledger.entries[change.id]["prior"]["active"])


def contents_of(ledger: Ledger) -> set[str]:
    """The contents that a deployment may still need."""
    generations = [ledger.read_generation(number) for number in ledger.generations()]
    records = [item for generation in generations for item in generation["items"]]
    records += [deb for generation in generations for deb in generation["debs"].values()]
    records += [*ledger.debs.values()]
    records += [*ledger.bystanders.values()]
    for entry in ledger.entries.values():
        records += [entry["item"], entry.get("prior") or ABSENT]
    return {record["sha256"] for record in records if "sha256" in record}


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
