"""Container images in Podman's store.

An image is known by the SHA-256 of its configuration, which Podman calls its id; its name is only a label on it.
"""

import os
from typing import TYPE_CHECKING, Any

from ..blobs import Blobs, remove_if_there
from ..change import Change
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..podman import PODMAN, STORAGE, ids, lacking_layers, leave, parts_of, records
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..batch import Batch

Item = dict[str, Any]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LOADING_SECONDS = 1800
SHORT = 12


class ImageKind(Kind):
    may_be_shared = True
    leaves_late = True

    def observe(self, eyes: Eyes, item: Item) -> State:
        found = [image["id"] for image in records(eyes, "images") if item["reference"] in image.get("names", ())]
        return {"type": "image", "id": found[0]} if found else ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        wanted = item["config"]
        return [] if state["id"] == wanted else [f"is another image: {state['id'][:SHORT]} → {wanted[:SHORT]}"]

    def conflict(self, item: Item, state: State) -> str:
        if "config" in item:
            return ""
        return f"this host needs it for {item['lacks']}, the deployer's store has it for {', '.join(item['builds'])}"

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if self.differences(item, self.observe(hands, item), ""):
            if item["config"] not in ids(hands):
                _load(hands, item, work.blobs)
            hands.run(["podman", "tag", item["config"], item["reference"]])
        if differences := self.differences(item, self.observe(hands, item), ""):
            raise Trouble(
                f"is not as wanted after Podman took it: {', '.join(differences)}",
                hint="Podman must keep its images in " + STORAGE,
            )
        for sha256 in parts_of(item):
            remove_if_there(work.blobs.path(sha256))

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """Takes only its name away, or gives it back; the image itself leaves with `leave`."""
        state, before = self.observe(hands, item), work.prior.get("id", "")
        if state == ABSENT or not hands.exists(PODMAN):
            return ""
        if before in ids(hands):
            hands.run(["podman", "tag", before, item["reference"]])
        else:
            hands.run(["podman", "untag", state["id"], item["reference"]])
        return ""

    def for_this_machine(self, item: Item) -> Item:
        """With the build for this machine's architecture; one that has none says so."""
        if "builds" not in item:
            return item
        architecture = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
        build = item["builds"].get(architecture)
        if build is None:
            return {**item, "lacks": architecture}
        return {**{key: value for key, value in item.items() if key != "builds"}, **build}

    def contents(self, eyes: Eyes, item: Item) -> set[str]:
        """What has to be brought so that Podman can take it in."""
        if item["config"] in ids(eyes):
            return set()
        return {item["manifest"], item["config"], *(layer["sha256"] for layer in lacking_layers(eyes, item))}

    def unpacked(self, eyes: Eyes, item: Item) -> list[Item]:
        return lacking_layers(eyes, item)

    def announce(self, batch: "Batch", making: list[Change]) -> None:
        """Images that fedikit brings: their names may go to others, and they are known by their ids then."""
        for image in (change.item for change in making):
            if image["config"] not in ids(batch.hands):
                batch.ledger.images[image["config"]] = image["reference"]

    def after_leaving_late(self, batch: "Batch") -> None:
        """Images that we brought leave, if neither this state nor the one before it needs them."""
        if leaving := batch.ledger.images.keys() - _in_use(batch):
            for id in leave(batch.hands, leaving):
                del batch.ledger.images[id]
            batch.ledger.save()


KIND = ImageKind()


def _in_use(batch: "Batch") -> set[str]:
    """Those of the wanted state, of the one to go back to, and of other deployments; without Podman none stays."""
    items = batch.wish.items + [item for _, item in batch.others.items()]
    items += [change.item for change in batch.comparison.leaving if change.action in ("keep", "release")]
    items += [entry["item"] for entry in batch.ledger.entries.values() if entry["state"] == "kept"]
    if "podman" not in batch.comparison.packages.leaving:
        items = items + _items_before(batch)
    return {item["config"] for item in items if "config" in item}


def _items_before(batch: "Batch") -> list[Item]:
    """The newest generation in which something else was wanted."""
    for number in reversed(batch.ledger.generations()):
        items: list[Item] = batch.ledger.read_generation(number)["items"]
        if items != batch.wish.items:
            return items
    return []


def _load(hands: Hands, item: Item, blobs: Blobs) -> None:
    """Has Podman take the image from a folder of links; layers that its store has need not be in there."""
    import tempfile  # slow, and needed for changes only

    parts = [sha256 for sha256 in parts_of(item) if blobs.has(sha256)]
    with tempfile.TemporaryDirectory(dir=blobs.directory) as folder:
        for sha256 in parts:
            name = "manifest.json" if sha256 == item["manifest"] else sha256
            os.link(blobs.path(sha256), os.path.join(folder, name))
        with open(os.path.join(folder, "version"), "w", encoding="utf-8") as file:
            file.write("Directory Transport Version: 1.1\n")
        try:
            hands.run(["podman", "pull", "--quiet", f"dir:{folder}"], seconds=LOADING_SECONDS)
        except Trouble:
            for sha256 in parts:
                blobs.verify(sha256)
            raise
