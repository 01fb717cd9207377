"""Container images in Podman's store. What is there is read from the store's own records, without running Podman.

An image is known by the SHA-256 of its configuration, which Podman calls its id; its name is only a label on it.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from typing import Any

from .blobs import Blobs, remove_if_there
from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .trouble import Trouble
from .work import Work

Item = dict[str, Any]
STORAGE = "/var/lib/containers/storage"
PODMAN = "/usr/bin/podman"
REMAINS = (STORAGE, "/var/lib/containers/cache", "/run/containers", "/run/libpod", "/run/crun", "/run/podman")
RECORDS = {"images": "images.json", "layers": "layers.json", "containers": "containers.json"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LOADING_SECONDS = 1800
SHORT = 12


class ImageKind:
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


def records(eyes: Eyes, what: str) -> list[Item]:
    """What Podman's store says of its images, layers or containers, whichever driver it uses."""
    found: list[Item] = []
    for folder in eyes.names(STORAGE):
        path = f"{STORAGE}/{folder}/{RECORDS[what]}"
        if folder.endswith(f"-{what}") and eyes.exists(path):
            found += json.loads(eyes.read(path) or b"[]") or []
    return found


def ids(eyes: Eyes) -> set[str]:
    """The ids of all images in Podman's store, with a name or without."""
    return {image["id"] for image in records(eyes, "images")}


def for_this_machine(items: list[Item]) -> list[Item]:
    """The items, with each image's build for this machine's architecture; one that has none says so."""
    architecture = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    return [_built_for(architecture, item) if "builds" in item else item for item in items]


def _built_for(architecture: str, item: Item) -> Item:
    build = item["builds"].get(architecture)
    if build is None:
        return {**item, "lacks": architecture}
    common = {key: value for key, value in item.items() if key != "builds"}
    return {**common, **build}


def parts_of(item: Item) -> list[str]:
    """Everything that the image consists of, by SHA-256."""
    return [item["manifest"], item["config"], *(layer["sha256"] for layer in item["layers"])]


def lacking_layers(eyes: Eyes, item: Item) -> list[Item]:
    """The image's layers that are not in Podman's store; none if the whole image is."""
    if item["config"] in ids(eyes):
        return []
    layers = [layer for layer in records(eyes, "layers") if not layer.get("flags", {}).get("incomplete")]
    kinds = ("compressed-diff-digest", "diff-digest")
    there = {layer[kind].removeprefix("sha256:") for layer in layers for kind in kinds if kind in layer}
    return [layer for layer in item["layers"] if layer["sha256"] not in there]


def lacking_parts(eyes: Eyes, items: Iterable[Item]) -> set[str]:
    """What has to be brought so that Podman can take the images in."""
    parts: set[str] = set()
    for item in items:
        if item["config"] not in ids(eyes):
            parts |= {item["manifest"], item["config"], *(layer["sha256"] for layer in lacking_layers(eyes, item))}
    return parts


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


def leave(hands: Hands, brought: Iterable[str]) -> set[str]:
    """Removes images that fedikit brought; returns what is gone. Those that others use or named stay."""
    for id in sorted(ids(hands) & set(brought)):
        with contextlib.suppress(Trouble):
            hands.run(["podman", "image", "rm", id])
    return set(brought) - ids(hands)


def clear_storage(hands: Hands) -> None:
    """Takes away what a Podman that has left wrote, unless somebody's containers, images or volumes are in it."""
    is_used = records(hands, "images") or records(hands, "containers") or hands.names(f"{STORAGE}/volumes")
    if is_used or hands.exists(PODMAN):
        return
    for place in _mounted_below(hands, STORAGE):
        hands.run(["umount", place])
    for path in REMAINS:
        hands.delete_tree(path)
    hands.delete_empty_directory(STORAGE.rpartition("/")[0])


def _mounted_below(eyes: Eyes, path: str) -> list[str]:
    places = [line.split()[1] for line in eyes.read("/proc/self/mounts").decode(errors="surrogateescape").splitlines()]
    return [place for place in reversed(places) if place.startswith(path + "/")]
