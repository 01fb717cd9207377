"""Upgrades of the packages that fedikit brought: what the deployer needs to know to resolve them, and the doing.

May be killed anywhere and run again: packages in pieces are ended or come anew, and units that run old code are found
by the code that they run.
"""

import hashlib
import json
import os
import zlib
from binascii import b2a_base64

from .batch import Batch, Tell
from .blobs import Blobs
from .change import Change, Comparison, Packages, Wish
from .distribution import release
from .eyes import Eyes
from .hands import Hands
from .kinds import package
from .ledger import Ledger, Record, contents_of
from .lock import describe, lock_holder
from .others import Others
from .packages import end_interrupted, install, on_hold, parse_status
from .parting import Parting
from .pending import may_be_restarted, pending
from .systemd import tell as tell_systemd
from .telling import told
from .trouble import Trouble
from .work import Work

NOTHING = Comparison([], [], Packages([], {}, {}), set(), {}, "")
NAMED = 20
"""So many packages are named in the note of an upgrade."""


def upgradable(eyes: Eyes, ledger: Ledger) -> Record:
    """What the deployer has to know; `basis` differs once packages have moved."""
    ledgers = [ledger, *Others(eyes, ledger).ledgers]
    brought = sorted({name for one in ledgers for name in one.debs})
    there = parse_status(eyes.dpkg_status)
    holder = lock_holder(ledger.home)
    return {
        "event": "upgradable",
        "basis": basis_of(eyes, ledger),
        "generation": ledger.generation,
        "busy": describe(holder) if holder else "",
        **release(eyes),
        "dpkg_status": b2a_base64(zlib.compress(eyes.dpkg_status.lstrip()), newline=False).decode(),
        "store": sorted(Blobs(os.path.join(ledger.home, "store")).names()),
        "ours": [name for name in brought if name in there],
        "held": [name for name in brought if name in there and on_hold(there[name])],
        "pinned": _pinned(ledgers),
        **pending(eyes, ledger),
    }


def basis_of(eyes: Eyes, ledger: Ledger) -> str:
    """A digest of what an upgrade rests on."""
    words = json.dumps([ledger.debs, ledger.generation], sort_keys=True)
    return hashlib.sha256(eyes.dpkg_status + words.encode()).hexdigest()


def _pinned(ledgers: list[Ledger]) -> list[str]:
    """The packages of ours that a lock has at a version."""
    items = [item for ledger in ledgers for item in ledger.read_generation(ledger.generation)["items"]]
    return sorted({item["name"] for item in items if _is_package(item) and item["version"]})


def _is_package(item: Record) -> bool:
    return bool(item["id"] == f"package:{item.get('name')}")


class Upgrading:
    """One upgrade on this host, under its lock."""

    def __init__(self, hands: Hands, ledger: Ledger, tell: Tell) -> None:
        self.hands = hands
        self.ledger = ledger
        self.tell = tell
        self.others = Others(hands, ledger)
        self.blobs = Blobs(os.path.join(ledger.home, "store"))

    def run(self, order: Record, note: Record) -> None:
        """Brings the packages, then restarts what runs old code; raises `Trouble` at the first that cannot be done."""
        debs: list[Record] = order["debs"]
        if debs:
            self._bring(debs, note)
        self._restart(has_consent=order["restart_others"])

    def _bring(self, debs: list[Record], note: Record) -> None:
        ours = {deb["name"] for deb in debs}
        batch = self._batch(debs)
        before = {name: self.hands.package(name).get("version", "") for name in ours}
        end_interrupted(self.hands, ours)
        self.hands.look_afresh()
        package.KIND.announce(batch, [])
        self._note_versions(debs)
        with told(Change({"id": "packages", "kind": "package"}, "update"), tell=self.tell):
            install(self.hands, debs, self.blobs, ours=ours)
            self._require_versions(debs)
        package.KIND.prepare(batch, [])
        Parting(batch).note_accounts()
        self._follow(debs)
        self.ledger.note({**note, "note": _words(debs, before)})

    def _note_versions(self, debs: list[Record]) -> None:
        """Where fedikit brought a package for several deployments, each record names the version that comes."""
        for ledger in self._ledgers:
            for deb in debs:
                if deb["name"] in ledger.debs:
                    ledger.debs[deb["name"]] = {"version": deb["version"], "sha256": deb["sha256"]}
            ledger.save()

    @property
    def _ledgers(self) -> list[Ledger]:
        return [self.ledger, *self.others.ledgers]

    def _batch(self, debs: list[Record]) -> Batch:
        """As an apply has it, in which nothing but packages is done."""
        wish = Wish([entry["item"] for entry in self.ledger.entries.values()])
        work = Work(self.blobs, {}, False, self.ledger.save)
        return Batch(self.hands, wish, NOTHING, self.ledger, work, self.others, debs, self.tell)

    def _require_versions(self, debs: list[Record]) -> None:
        for deb in debs:
            found = self.hands.package(deb["name"]).get("version", "not installed")
            if found != deb["version"]:
                raise Trouble(f"{deb['name']} is {found} after the upgrade, not {deb['version']}")

    def _follow(self, debs: list[Record]) -> None:
        """The records and their newest generations name the versions that are here now."""
        versions = {deb["name"]: deb["version"] for deb in debs}
        for ledger in self._ledgers:
            for entry in ledger.entries.values():
                _move_pin(entry["item"], versions)
            ledger.renew_generation(lambda item: _move_pin(item, versions))
            ledger.save()
        self.blobs.keep_only(set().union(*map(contents_of, self._ledgers)))

    def _restart(self, *, has_consent: bool) -> None:
        """What runs old code: ours; others' units too, if that was consented to."""
        self.hands.look_afresh()
        found = pending(self.hands, self.ledger)
        units = found["old_ours"] + (found["old_others"] if has_consent else [])
        if units:
            self.hands.run(["systemctl", "daemon-reload"])
        for unit in filter(may_be_restarted, units):
            with told(Change({"id": f"unit:{unit}", "kind": "unit"}, "update"), tell=self.tell):
                tell_systemd(self.hands, "restart", unit)


def reboot(hands: Hands, ledger: Ledger, note: Record) -> None:
    """Reboots the machine; who asked for it is noted."""
    ledger.note({**note, "note": "rebooted"})
    hands.run(["systemctl", "--no-block", "reboot"])


def _move_pin(item: Record, versions: dict[str, str]) -> None:
    """An item with a version of its own has the one that came."""
    if _is_package(item) and item["version"] and item["name"] in versions:
        item["version"] = versions[item["name"]]


def _words(debs: list[Record], before: dict[str, str]) -> str:
    """What came, for people to read."""
    parts = [f"{deb['name']} {before[deb['name']] or 'new'} → {deb['version']}" for deb in debs[:NAMED]]
    more = f" and {len(debs) - NAMED} more" if len(debs) > NAMED else ""
    return f"upgraded {', '.join(parts)}{more}"
