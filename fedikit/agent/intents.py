"""What is written to the ledger before anything is touched: what is about to happen, and what was there before."""

from .bystander import noted
from .compare import Change, Comparison, Wish, mended_items
from .eyes import ABSENT
from .file import brought_to_safety
from .hands import Hands
from .image import ids as image_ids
from .ledger import Ledger, Record
from .others import Others
from .parting import accounts
from .user import home_of
from .work import Work

MAKING = ("create", "update", "run", "adopt")


class Intents:
    """Of one apply."""

    def __init__(self, hands: Hands, wish: Wish, comparison: Comparison, ledger: Ledger, work: Work) -> None:
        self.hands = hands
        self.wish = wish
        self.comparison = comparison
        self.ledger = ledger
        self.work = work
        self.others = Others(hands, ledger)

    def write(self, debs: list[Record]) -> None:
        making = [change for change in self.comparison.wanted if change.action in MAKING]
        for change in making:
            entry = self.ledger.entries.setdefault(change.id, {"prior": self._prior_of(change), "done": None})
            if entry.get("item", change.item) != change.item:
                entry["was"] = [*entry.get("was", ()), entry["item"]]
            entry |= {"item": change.item, "state": "making"}
            if change.kind == "unit":
                entry["done"] = self._still_done(change.item, entry["done"])
        self._note_packages(debs)
        for image in [change.item for change in making if change.kind == "image"]:
            if image["config"] not in image_ids(self.hands):
                self.ledger.images[image["config"]] = image["reference"]
        if debs and self.ledger.accounts_before is None:
            self.ledger.accounts_before = accounts(self.hands)
        self._note_looks()
        if making or self.comparison.leaving:
            self.ledger.save()

    def _note_packages(self, debs: list[Record]) -> None:
        """What comes, before it comes; and what it would take along of others, if it comes for the first time."""
        coming = [deb for deb in debs if not self.hands.package(deb["name"])["installed"]]
        whole = [deb for deb in coming if "unfinished" not in self.hands.package(deb["name"])]
        known = self.others.debs() | self.ledger.debs.keys()
        self.ledger.bystanders |= noted(self.hands, whole, self.work.blobs, known=known)
        wanted = {item["name"] for item in self.wish.items if item["kind"] == "package"}
        for deb in coming:
            self.ledger.debs[deb["name"]] = {"version": deb["version"], "sha256": deb["sha256"]}
        self.ledger.unmarked = sorted({*self.ledger.unmarked, *(deb["name"] for deb in coming)} - wanted)

    def _note_looks(self) -> None:
        """How servers looked while it was known that nobody else is served; and what must not be purged."""
        self.ledger.seen = self.comparison.seen
        for name, stays in self.comparison.packages.unpurged.items():
            self.ledger.bystanders.setdefault(f"package:{name}", {"type": "package", "stays": stays})

    def _still_done(self, unit: Record, done: str | None) -> str | None:
        """What a unit runs with, less what is about to change under it: so that a restart is owed from now on."""
        mended = mended_items(self.comparison.wanted)
        if not done or mended.intersection(unit["restart_on"]):
            return None
        return done.split(":")[0] + ":" if mended.intersection(unit["reload_on"]) else done

    def _prior_of(self, change: Change) -> Record:
        """What is there before fedikit touches it, with its content brought to safety."""
        if (prior := self.others.prior_of(change.id)) is not None:
            return prior
        if change.kind == "user" and change.state == ABSENT and self.hands.exists(home_of(change.item)):
            return {**ABSENT, "home": True}
        if change.kind == "job" or (change.action == "adopt" and "seal" in change.item):
            return ABSENT
        if change.kind not in ("file", "symlink"):
            return change.state
        return brought_to_safety(self.hands, change.item["path"], self.work.blobs)
