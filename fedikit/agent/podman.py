"""Podman's store. What is there is read from its own records, without running Podman."""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

from .eyes import Eyes
from .hands import Hands
from .trouble import Trouble

Item = dict[str, Any]
STORAGE = "/var/lib/containers/storage"
QUADLETS = "/etc/containers/systemd"
PODMAN = "/usr/bin/podman"
REMAINS = (STORAGE, "/var/lib/containers/cache", "/run/containers", "/run/libpod", "/run/crun", "/run/podman")
RECORDS = {"images": "images.json", "layers": "layers.json", "containers": "containers.json"}


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


def container_by_hand(eyes: Eyes, path: str) -> str:
    """The container that somebody made by the name that a file for systemd's generator would give to its own."""
    name = path.removeprefix(f"{QUADLETS}/").removesuffix(".container")
    if path != f"{QUADLETS}/{name}.container" or not any(
        name in record.get("names", ()) for record in records(eyes, "containers")
    ):
        return ""
    return "" if eyes.unit(f"{name}.service")["active"] else name


def parts_of(item: Item) -> list[str]:
    """Everything that the image consists of, by SHA-256."""
    return [item["manifest"], item["config"], *(layer["sha256"] for layer in item["layers"])]


def lacking_layers(eyes: Eyes, item: Item) -> list[Item]:
    """The image's layers that are not in Podman's store; none if the whole image is."""
    if item["config"] in ids(eyes):
        return []
    layers = [layer for layer in records(eyes, "layers") if not layer.get("flags", {}).get("incomplete")]
    fields = ("compressed-diff-digest", "diff-digest")
    there = {layer[field].removeprefix("sha256:") for layer in layers for field in fields if field in layer}
    return [layer for layer in item["layers"] if layer["sha256"] not in there]


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
