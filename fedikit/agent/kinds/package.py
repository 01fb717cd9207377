"""Debian packages: resolved by the deployer, installed together, and the last to leave."""

import os
import zlib
from binascii import b2a_base64
from typing import TYPE_CHECKING, Any

from ..blobs import Blobs
from ..change import Change, Fate
from ..distribution import release
from ..eyes import Eyes, State
from ..hands import Hands
from ..ledger import Ledger, Record
from ..others import Others
from ..packages import accounts, install, mark_automatic, wanted_packages
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..batch import Batch
    from ..leaving import Departure

Item = dict[str, Any]


class PackageKind(Kind):
    may_be_shared = True
    goes_together = True

    def observe(self, eyes: Eyes, item: Item) -> State:
        return {"type": "package", **eyes.package(item["name"])}

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if not state["installed"]:
            return ["half installed"] if "unfinished" in state else ["absent"]
        wanted = item["version"] or state["version"]
        return [] if state["version"] == wanted else [f"version {state['version']} → {wanted}"]

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        """All packages are installed together beforehand, by `prepare`; here it only has to be true."""
        if differences := self.differences(item, self.observe(hands, item), ""):
            raise Trouble(f"is not as wanted after the installation: {', '.join(differences)}")

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """All packages leave together afterwards, by `Parting`."""
        return ""

    def shown(self, eyes: Eyes, change: Change, blobs: Blobs | None) -> Record:
        return {"version": change.state.get("version", "")} if change.action == "delete" else {}

    def asks(self, eyes: Eyes, making: list[Change], ledger: Ledger, target: int | None) -> Record:
        """What is needed to resolve them elsewhere; packages that are `ours` may get another version on the way."""
        packages = {change.item["name"]: change.item["version"] for change in making if change.action != "adopt"}
        if not packages:
            return {}
        held = [id.removeprefix("package:") for id in ledger.entries if id.startswith("package:")]
        return {
            "packages": packages,
            **release(eyes),
            "dpkg_status": b2a_base64(zlib.compress(eyes.dpkg_status.lstrip()), newline=False).decode(),
            "store": sorted(Blobs(os.path.join(ledger.home, "store")).names()),
            "ours": sorted({*ledger.debs, *Others(eyes, ledger).debs(), *held}),
            "debs": ledger.read_generation(target)["debs"] if target is not None else {},
        }

    def announce(self, batch: "Batch", making: list[Change]) -> None:
        """What comes, before it comes; and what it would take along of others, if it comes for the first time."""
        from ..bystander import noted  # not needed to plan

        hands, ledger, debs = batch.hands, batch.ledger, batch.debs
        coming = [deb for deb in debs if not hands.package(deb["name"])["installed"]]
        whole = [deb for deb in coming if "unfinished" not in hands.package(deb["name"])]
        known = batch.others.debs() | ledger.debs.keys()
        ledger.bystanders |= noted(hands, whole, batch.work.blobs, known=known)
        for deb in coming:
            ledger.debs[deb["name"]] = {"version": deb["version"], "sha256": deb["sha256"]}
        ledger.unmarked = sorted(
            {*ledger.unmarked, *(deb["name"] for deb in coming)} - wanted_packages(batch.wish.items)
        )
        if debs and ledger.accounts_before is None:
            ledger.accounts_before = accounts(hands)

    def prepare(self, batch: "Batch", wanted: list[Change]) -> None:
        """Installs them all in one go."""
        from ..telling import told  # not needed to plan

        hands, ledger, blobs = batch.hands, batch.ledger, batch.work.blobs
        arriving = [change for change in wanted if change.action in ("create", "update")]
        ours = {
            *wanted_packages(batch.wish.items),
            *ledger.debs,
            *batch.others.debs(),
            *(deb["name"] for deb in batch.debs),
        }
        if arriving:
            with told(*arriving, tell=batch.tell):
                install(hands, batch.debs, blobs, ours=ours)
        if ledger.unmarked:
            mark_automatic(hands, ledger.unmarked, blobs)
            ledger.automatic = sorted({*ledger.automatic, *ledger.unmarked})
            ledger.unmarked = []

    def fate(self, departure: "Departure", item: Item, prior: State, state: State) -> Fate | None:
        return departure.fate_of_package(item["name"], prior, state)


KIND = PackageKind()
