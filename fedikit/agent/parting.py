"""Packages leave: last, when nothing of ours uses them, and so that what others have is as it was before they came."""

import re
from typing import Any

from .boot_places import boot_places, clear_boot_places
from .bystander import LISTS, bring_back, renewed
from .compare import Comparison, Wish
from .hands import Hands
from .image import clear_storage
from .ledger import Ledger, Record
from .moved import bring_links_back, moved_directories
from .others import Others
from .package import leave, purge_remains
from .work import Work

PEOPLE = 1000
"""The first number of users who are people, or our own."""
SCRIPTS = (".preinst", ".postinst", ".prerm", ".postrm")
SYSUSERS = "/usr/lib/sysusers.d"


class Parting:
    """What is done when packages leave."""

    def __init__(self, hands: Hands, wish: Wish, comparison: Comparison, ledger: Ledger, work: Work) -> None:
        self.hands = hands
        self.wish = wish
        self.packages = comparison.packages
        self.candidates = comparison.candidates
        self.ledger = ledger
        self.others = Others(hands, ledger)
        self.work = work

    def let_packages_go(self) -> str:
        """Exactly those that the plan named; with their configuration, unless data is kept. Says what stays."""
        purge = self._is_purge()
        self._note_links()
        if purge:
            self.ledger.bystanders |= renewed(self.hands, self.ledger.bystanders, self.work.blobs)
            self.ledger.save()
        unpurged = set(self.packages.unpurged)
        places = boot_places(self.hands, self.packages.leaving)
        leave(self.hands, set(self.packages.leaving), unpurged, ours=self.ours(), purge=purge)
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

    def ours(self) -> set[str]:
        """The packages that fedikit brought or was asked for."""
        wanted = {item["name"] for item in self.wish.items if item["kind"] == "package"}
        return wanted | self.ledger.debs.keys() | self.others.debs()

    def _is_purge(self) -> bool:
        return self.wish.purge or not self._is_data_kept()

    def _is_data_kept(self) -> bool:
        return any(entry["state"] == "kept" for entry in self.ledger.entries.values())

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
        texts = [self._text(f"{LISTS}/{name}{script}") for name in names for script in SCRIPTS]
        texts += [self._text(f"{SYSUSERS}/{name}.conf") for name in names]
        return {word for text in texts for word in re.findall(r"[\w.-]+", text)}

    def _text(self, path: str) -> str:
        return self.hands.read(path).decode(errors="replace") if self.hands.exists(path) else ""


def accounts(hands: Hands) -> dict[str, list[str]]:
    """The system's own users and groups: packages make no others."""
    return {
        database: sorted(name for name, row in hands.accounts(database).items() if int(row[2]) < PEOPLE)
        for database in ("passwd", "group")
    }


def _without(bystanders: dict[str, Any], gone: set[str]) -> dict[str, Record]:
    return {id: state for id, state in bystanders.items() if id.removeprefix("package:") not in gone}
