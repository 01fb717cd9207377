"""Packages leave: last, when nothing of ours uses them, and so that what others have is as it was before they came."""

import re
from typing import Any

from .batch import Batch
from .boot_places import boot_places, clear_boot_places
from .bystander import bring_back, info_file, renewed
from .kinds import kind_of
from .ledger import Record
from .moved import bring_links_back, moved_directories
from .packages import accounts, leave, purge_remains, wanted_packages
from .podman import clear_storage

SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
SYSUSERS = "/usr/lib/sysusers.d"


class Parting:
    """What is done when packages leave."""

    def __init__(self, batch: Batch) -> None:
        self.hands = batch.hands
        self.wish = batch.wish
        self.packages = batch.comparison.packages
        self.candidates = batch.comparison.candidates
        self.ledger = batch.ledger
        self.others = batch.others
        self.work = batch.work

    def let_packages_go(self) -> str:
        """Exactly those that the plan named; with their configuration, unless data is kept. Says what stays."""
        purge = self._is_purge()
        self._note_links()
        if purge:
            self.ledger.bystanders |= renewed(self.hands, self.ledger.bystanders, self.work.blobs)
            self.ledger.save()
        unpurged = set(self.packages.unpurged)
        places = boot_places(self.hands, self.packages.leaving)
        leave(self.hands, set(self.packages.leaving), unpurged, ours=self._ours(), purge=purge)
        if purge:
            purge_remains(self.hands, self.candidates - unpurged - self.packages.staying.keys())
        if purge or self.packages.leaving:
            bring_back(self.hands, self.ledger.bystanders, self.work.blobs)
        if "podman" in self.packages.leaving or (purge and "podman" in self.candidates):
            clear_storage(self.hands)
        clear_boot_places(self.hands, places)
        return bring_links_back(self.hands, self.ledger.bystanders)

    def _note_links(self) -> None:
        """Remembers the links to moved data that dpkg would take for directories of these packages."""
        if links := moved_directories(self.hands, {*self.packages.leaving, *self.candidates}):
            self.ledger.bystanders |= links
            self.ledger.save()

    def _ours(self) -> set[str]:
        """The packages that fedikit brought or was asked for."""
        return wanted_packages(self.wish.items) | self.ledger.debs.keys() | self.others.debs()

    def _is_purge(self) -> bool:
        return self.wish.purge or not self._is_data_kept()

    def _is_data_kept(self) -> bool:
        return any(entry["state"] == "kept" for entry in self.ledger.entries.values())

    # Before

    def note_accounts(self) -> None:
        """Remembers which users and groups came with packages; those that are items themselves did not."""
        before = self.ledger.accounts_before
        if before is None:
            return
        ours = {kind_of(item).account(item) for item in self.wish.items}
        for database, names in accounts(self.hands).items():
            new = set(names) - set(before[database]) - ours
            self.ledger.accounts[database] = sorted({*self.ledger.accounts[database], *new})
        self.ledger.accounts_before = None

    # Afterwards

    def forget(self, ids: list[str]) -> None:
        """Drops the items, and the packages that are not there any more, from the record; accounts go with them."""
        for id in ids:
            del self.ledger.entries[id]
        if self._is_purge():
            gone = {name for name in self.candidates if not self.hands.package(name)["installed"]}
            self._forget_packages(gone - self.packages.staying.keys())
            self._remove_accounts()
        self.ledger.save()

    def _forget_packages(self, gone: set[str]) -> None:
        for ledger in (self.ledger, *self.others.ledgers):
            if gone & ledger.debs.keys():
                ledger.debs = {name: deb for name, deb in ledger.debs.items() if name not in gone}
                ledger.automatic = [name for name in ledger.automatic if name not in gone]
                ledger.bystanders = _without(ledger.bystanders, gone) if ledger.debs else {}
                ledger.save()

    def _remove_accounts(self) -> None:
        """Users and groups that came with packages leave, unless one that is still there speaks of them."""
        if self._is_data_kept():
            return
        self.hands.look_afresh()
        spoken_of = self._words_of_packages()
        for database, command in (("passwd", "userdel"), ("group", "groupdel")):
            staying = [name for name in self.ledger.accounts[database] if name in spoken_of]
            for name in self.ledger.accounts[database]:
                if name not in staying and name in self.hands.accounts(database):
                    self.hands.run([command, name])
                    self.hands.look_afresh()
            self.ledger.accounts[database] = staying

    def _words_of_packages(self) -> set[str]:
        """The words in the scripts of those of our packages that are there, or that left their configuration."""
        names = {*self.ledger.debs, *self.others.debs(), *self.packages.unpurged}
        texts = [_text(info_file(self.hands, name, script)) for name in names for script in SCRIPTS]
        rules = [path for name in names if self.hands.exists(path := f"{SYSUSERS}/{name}.conf")]
        texts += [_text(self.hands.read(path)) for path in rules]
        return {word for text in texts for word in re.findall(r"[\w.-]+", text)}


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _without(bystanders: dict[str, Any], gone: set[str]) -> dict[str, Record]:
    return {id: state for id, state in bystanders.items() if id.removeprefix("package:") not in gone}
