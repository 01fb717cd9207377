"""Manifests: the one record of each backup, in the repository, written last. Without it there is no backup."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from .form import require_form
from .moments import IDENTITY, asked_moment, is_future, moment_of, now
from .part import Record, summary
from .places import remove_whole, write_whole
from .repository import Repository
from .trouble import Trouble

FORMAT = 1
TAG = "manifest"
FILE = "manifest.json"
REGULAR = ("schedule", "now")
"""Why backups are made that the rules for keeping are about; others are ways back."""


@dataclass(frozen=True)
class Manifest:
    """A backup: its parts by their ids, what was expected, counts and versions. Moments are in UTC."""

    id: str
    deployment: str
    application: str
    host: str
    reason: str
    started: str
    ended: str
    expected: list[str]
    images: Mapping[str, str]
    parts: list[dict[str, Any]]
    life: str

    @property
    def is_regular(self) -> bool:
        """Whether it is one of those that are made one after the other, and no way back."""
        return self.reason in REGULAR

    @property
    def snapshots(self) -> set[str]:
        """The ids of all snapshots that it names."""
        return {snapshot for part in self.parts for snapshot in part["snapshots"].values()}

    def of_part(self, part: str) -> Record | None:
        """The record of a part, if it is in this backup."""
        found = next((one for one in self.parts if one["id"] == part), None)
        return cast(Record, {name: found[name] for name in Record.__annotations__}) if found else None

    @property
    def bytes(self) -> int:
        return sum(part["bytes"] for part in self.parts)

    def told(self) -> dict[str, Any]:
        """All of it, with sums instead of a count for each table."""
        parts = [{**part, "counts": summary(part["counts"])} for part in self.parts]
        told = {name: value for name, value in asdict(self).items() if name != "life"}
        return {"format": FORMAT, **told, "parts": parts}


def read_manifest(text: str, snapshot: str) -> Manifest:
    """A manifest as it was written; raises Trouble if it is none."""
    try:
        raw = json.loads(text)
        if raw.pop("format") != FORMAT:
            raise Trouble(f"the manifest {snapshot[:8]} was written by a newer fedikit", hint="upgrade fedikit")
        manifest = Manifest(**raw)
        require_form(asdict(manifest))
        if not IDENTITY.fullmatch(manifest.id) or {part["id"] for part in manifest.parts} != set(manifest.expected):
            raise ValueError("its parts are not those that were expected")
        moment_of(manifest.started), moment_of(manifest.ended)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        hint = "see `restic snapshots` there; forget that snapshot if it is no backup"
        raise Trouble(f"the manifest {snapshot[:8]} in the repository cannot be read: {error}", hint=hint) from error
    return manifest


class Manifests:
    """The manifests of a repository; each is read once by whoever holds the lock, and remembered in the state."""

    def __init__(self, repository: Repository, application: str) -> None:
        self._repository = repository
        self._application = application
        self._folder = repository.state / "manifests"
        self.may_remember = False
        self.unreadable: dict[str, Trouble] = {}

    def write(self, manifest: Manifest) -> None:
        """Puts a manifest into the repository: from now on there is this backup."""
        text = json.dumps({"format": FORMAT, **asdict(manifest)}, ensure_ascii=False)
        draft = self._repository.state / FILE
        write_whole(draft, text)
        tags = [TAG, f"run={manifest.id}", f"reason={manifest.reason}"]
        size = len(text.encode())
        made = self._repository.snapshot_command(["cat", str(draft)], FILE, tags, size)
        self._remember(made.id, text)
        remove_whole(draft)

    def all(self) -> dict[str, Manifest]:
        """All manifests by their snapshots, the newest first; what is none goes to `unreadable`.

        Of those that ended in the same second, the one that restic has as the newer.
        """
        snapshots = [snapshot["id"] for snapshot in reversed(self._repository.snapshots([TAG]))]
        if self.may_remember:
            self._clear(snapshots)
        found = {}
        self.unreadable = {}
        for snapshot in snapshots:
            try:
                found[snapshot] = self._read(snapshot)
            except Trouble as trouble:
                self.unreadable[snapshot] = trouble
        return dict(sorted(found.items(), key=lambda item: item[1].ended, reverse=True))

    def _read(self, snapshot: str) -> Manifest:
        with contextlib.suppress(OSError, ValueError, Trouble):
            text = (self._folder / f"{snapshot}.json").read_text(encoding="utf-8")
            return self._require_own(read_manifest(text, snapshot), snapshot)
        text = self._repository.read(snapshot, f"/{FILE}")
        manifest = self._require_own(read_manifest(text, snapshot), snapshot)
        self._remember(snapshot, text)
        return manifest

    def _require_own(self, manifest: Manifest, snapshot: str) -> Manifest:
        """What another application's data is would take the place of this one's."""
        if manifest.application != self._application:
            words = (
                f"the manifest {snapshot[:8]} in the repository is {manifest.application}'s, not {self._application}'s"
            )
            raise Trouble(words, hint="see who else backs up to it: each application has a repository of its own")
        return manifest

    def _clear(self, snapshots: list[str]) -> None:
        for file in self._folder.glob("*.json"):
            if file.stem not in snapshots:
                file.unlink()

    def _remember(self, snapshot: str, text: str) -> None:
        if not self.may_remember:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(Path(self._folder / f"{snapshot}.json"), text)


def chosen(manifests: list[Manifest], at: str) -> Manifest:
    """The backup of that name, or the newest that ended not later than a time, now if none is given.

    What was saved on the way to something else is had by its name only.
    """
    if IDENTITY.fullmatch(at):
        found = [manifest for manifest in manifests if manifest.id == at]
    else:
        passed = [manifest for manifest in manifests if manifest.is_regular and not is_future(manifest.ended)]
        found = [one for one in passed if not at or moment_of(one.ended) <= asked_moment(at)]
    if not found:
        raise _no_backup(manifests, at)
    return found[0]


def _no_backup(manifests: list[Manifest], at: str) -> Trouble:
    see = "see which there are: fedikit backup list"
    if not manifests:
        return Trouble("there is no backup at all", hint=see)
    if all(is_future(one.ended) for one in manifests):
        words = (
            f"all backups are of the future, the oldest of {manifests[-1].ended}: it is {now()} by this host's clock"
        )
        return Trouble(words, hint=f"put the clock right; or else name a backup. {see.capitalize()}")
    wanted = f"named {at}" if IDENTITY.fullmatch(at) else f"of before {at or 'now'}"
    return Trouble(f"there is no backup {wanted}: the oldest ended {manifests[-1].ended}", hint=see)
