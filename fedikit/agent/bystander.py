"""Bystanders: files of others that a package takes along when it is purged, though it did not bring them."""

from typing import Any

from .blobs import Blobs
from .eyes import ABSENT, State
from .file import put_back
from .hands import Hands

BYSTANDERS = {"locales": ("/etc/locale.conf", "/etc/default/locale")}


def noted(hands: Hands, packages: set[str], blobs: Blobs) -> dict[str, State]:
    """What is there of the files that these packages would take along, with its content brought to safety."""
    paths = [path for package in packages & BYSTANDERS.keys() for path in BYSTANDERS[package]]
    states = {path: hands.file_state(path) for path in paths}
    for path, state in states.items():
        if state["type"] == "file" and not blobs.has(state["sha256"]):
            blobs.add(state["sha256"], [hands.read(path)])
    return {path: state for path, state in states.items() if state["type"] in ("file", "symlink")}


def bring_back(hands: Hands, bystanders: dict[str, Any], blobs: Blobs) -> None:
    """Puts those back that are gone."""
    for path, state in bystanders.items():
        if hands.file_state(path) == ABSENT:
            put_back(hands, path, state, blobs)
