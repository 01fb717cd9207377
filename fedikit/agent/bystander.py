"""Bystanders: what was there before a package of ours came, and what it would take along when it leaves.

Noted before the package is installed, in the ledger's `bystanders`:

    PATH           a file that the package replaces, or deletes when it is purged: its state, its content in the store
    unit:NAME      a unit of somebody else by a name of which the package brings one: whether it ran, and at each boot
    package:NAME   the package is never purged: `stays` says what it would take along that was there before
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from typing import Any

from .blobs import Blobs
from .control import Control, accounts_taken, control_of, files_taken, trees_taken
from .dpkg_status import paragraph
from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .paths import brought_to_safety, put_back
from .systemd import patience
from .trouble import Trouble

Record = dict[str, Any]
OWN_UNITS = "/etc/systemd/system"
UNIT_FOLDERS = ("/usr/lib/systemd/system/", "/lib/systemd/system/")
LISTS = "/var/lib/dpkg/info"
LARGEST = 256 << 20


def noted(hands: Hands, debs: list[Record], blobs: Blobs, *, known: set[str]) -> dict[str, State]:
    """What is there of others that these packages would take along, with contents brought to safety.

    Of those that were here before, as is `known`, configuration and data may be ours.
    """
    controls = {deb["name"]: control_of(blobs.path(deb["sha256"])) for deb in debs if blobs.has(deb["sha256"])}
    found: dict[str, State] = {}
    paths: set[str] = set()
    for name, control in controls.items():
        if name not in known and (stays := _reason_not_to_purge(hands, name, control)):
            found[f"package:{name}"] = {"type": "package", "stays": stays}
        found |= _units_before(hands, control)
        paths |= {*control.shipped} if name in known else _files_at_stake(control)
    paths = {path for path in paths if hands.exists(path)}
    strange = sorted(paths - owned(hands, paths))
    states = {path: brought_to_safety(hands, path, blobs) for path in strange if hands.size(path) <= LARGEST}
    return found | {path: state for path, state in states.items() if state["type"] in ("file", "symlink")}


def _files_at_stake(control: Control) -> set[str]:
    return {*control.shipped, *control.conffiles, *files_taken(control.postrm)}


def _reason_not_to_purge(eyes: Eyes, name: str, control: Control) -> str:
    if has_remains(eyes, name):
        return "its configuration"
    trees = {path for path in {*trees_taken(control.postrm), *_usual_places(name)} if has_content(eyes, path)}
    if strange := sorted(trees - owned(eyes, trees)):
        return strange[0]
    known = {*eyes.accounts("passwd"), *eyes.accounts("group")}
    people = sorted(accounts_taken(control.postrm) & known)
    return f"the user {people[0]}" if people else ""


def _usual_places(name: str) -> tuple[str, ...]:
    return (f"/etc/{name}", f"/var/lib/{name}", f"/var/log/{name}")


def has_content(eyes: Eyes, path: str) -> bool:
    """Whether a directory is there with something in it; also one that a symbolic link leads to."""
    return bool(eyes.names(path))


def has_remains(eyes: Eyes, name: str) -> bool:
    """Whether a package was removed, and its configuration is still there."""
    return paragraph(eyes.dpkg_status, name).get("Status", "").endswith(" config-files")


def info_file(eyes: Eyes, name: str, kind: str) -> bytes:
    """What dpkg keeps of a package, such as its `postrm`; empty if it keeps none.

    Of one that may be there for several architectures, the file bears its architecture too.
    """
    architecture = paragraph(eyes.dpkg_status, name).get("Architecture", "")
    paths = [f"{LISTS}/{spelling}.{kind}" for spelling in (name, f"{name}:{architecture}")]
    return next((eyes.read(path) for path in paths if eyes.exists(path)), b"")


def owned(eyes: Eyes, paths: Iterable[str]) -> set[str]:
    """Those of the paths that belong to packages which are there."""
    sought = {_merged(path).encode() for path in paths}
    found: set[bytes] = set()
    for name in eyes.names(LISTS) if sought else ():
        if name.endswith(".list"):
            found |= sought & {_merged_bytes(line) for line in eyes.read(f"{LISTS}/{name}").split(b"\n")}
    return {path for path in paths if _merged(path).encode() in found}


def _merged(path: str) -> str:
    """The path as it is where /bin, /sbin and /lib lead to /usr."""
    return f"/usr{path}" if path.startswith(("/bin/", "/sbin/", "/lib/", "/lib64/")) else path


def _merged_bytes(path: bytes) -> bytes:
    return b"/usr" + path if path.startswith((b"/bin/", b"/sbin/", b"/lib/", b"/lib64/")) else path


def _units_before(eyes: Eyes, control: Control) -> dict[str, State]:
    """Units that an administrator has made, and of which the package would stop and disable what has their name."""
    names = [os.path.basename(path) for path in control.shipped if path.startswith(UNIT_FOLDERS)]
    there = [name for name in names if "@." not in name and eyes.file_state(f"{OWN_UNITS}/{name}")["type"] == "file"]
    states = {name: eyes.unit(name) for name in there}
    return {
        f"unit:{name}": {"type": "unit", "active": state["active"], "enabled": state["enabled"]}
        for name, state in states.items()
    }


# When packages leave


def unpurged(bystanders: dict[str, State]) -> dict[str, str]:
    """The packages that are never purged, and what they would take along."""
    kept = {id: state for id, state in bystanders.items() if state["type"] == "package"}
    return {id.removeprefix("package:"): state["stays"] for id, state in kept.items()}


def renewed(hands: Hands, bystanders: dict[str, State], blobs: Blobs) -> dict[str, State]:
    """The files as they are now, unless they belong to a package: somebody may have edited them meanwhile."""
    paths = [path for path, state in bystanders.items() if state["type"] == "file" and hands.exists(path)]
    taken = owned(hands, paths) - _conffiles(hands).keys()
    states = {path: brought_to_safety(hands, path, blobs) for path in paths if path not in taken}
    return {path: state for path, state in states.items() if state["type"] == "file"}


def _conffiles(eyes: Eyes) -> dict[str, str]:
    """The configuration files of packages, with the MD5 as each was brought: what lies there may be anybody's."""
    lines = eyes.dpkg_status.decode(errors="surrogateescape").split("\n")
    rows = [line.split() for line in lines if line.startswith(" /")]
    return {row[0]: row[1] for row in rows if len(row) > 1}


def is_as_packaged(eyes: Eyes, path: str) -> bool:
    """Whether a package's configuration file is as the package brought it."""
    brought = _conffiles(eyes).get(path)
    return bool(brought) and hashlib.md5(eyes.read(path), usedforsecurity=False).hexdigest() == brought


def bring_back(hands: Hands, bystanders: dict[str, State], blobs: Blobs) -> None:
    """Puts files back that are gone, and has units run again that are still there."""
    is_file = {path for path, state in bystanders.items() if state["type"] in ("file", "symlink")}
    for path, state in bystanders.items():
        above = hands.folder_state(os.path.dirname(path))
        if (
            path in is_file
            and "moved" not in state
            and hands.file_state(path) == ABSENT
            and above["type"] == "directory"
        ):
            put_back(hands, path, state, blobs)
    units = {id.removeprefix("unit:"): state for id, state in bystanders.items() if state["type"] == "unit"}
    if units:
        hands.run(["systemctl", "daemon-reload"])
    for name, state in units.items():
        wake(hands, name, state)


def wake(hands: Hands, name: str, before: State) -> None:
    """Enables and starts a unit that is there and was so before; one that cannot run any more is left as it is."""
    hands.look_afresh()
    state = hands.unit(name)
    if not state["exists"]:
        return
    if before["enabled"] and not state["enabled"]:
        hands.run(["systemctl", "--quiet", "enable", name])
    if before["active"] and not state["active"]:
        with contextlib.suppress(Trouble):
            hands.run(["systemctl", "reset-failed", name])
        hands.run(["systemctl", "start", name], seconds=patience(hands, "start", name))
