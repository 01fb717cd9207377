"""The snapshots of a repository: made, looked into, and put back."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import command
from .restic import ANSWER_SECONDS, LONG_SECONDS, SILENCE_SECONDS, Restic
from .said import SOME_UNREAD, Snapshot, Told
from .trouble import Trouble

MOUNT_SECONDS = 60
_MANY = 200


@dataclass(frozen=True)
class Snapshots(Restic):
    """What restic keeps in a repository."""

    _paths: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    """What each snapshot is of that was told of so far."""

    def snapshots(self, tags: Sequence[str] = ()) -> list[dict[str, Any]]:
        """All snapshots that have all of these tags, as restic tells them, the oldest first."""
        finished = self.run("snapshots", "--no-lock", "--json")
        found: list[dict[str, Any]] = json.loads(finished.output.strip() or "null") or []
        self._paths.update((snapshot["id"], snapshot["paths"]) for snapshot in found)
        fitting = [snapshot for snapshot in found if set(tags) <= set(snapshot.get("tags") or ())]
        return sorted(fitting, key=lambda snapshot: datetime.fromisoformat(snapshot["time"]))

    def path_of(self, snapshot: str) -> str:
        """The one folder or file that a snapshot is of, where it lay then; asked for once, for that never changes."""
        if snapshot not in self._paths:
            self.snapshots()
        if snapshot not in self._paths:
            raise Trouble(f"the repository {self.url} has no snapshot {snapshot}, which the backup names")
        return self._paths[snapshot][0]

    def snapshot_command(
        self,
        words: Sequence[str],
        filename: str,
        tags: Sequence[str],
        minimum_bytes: int,
        environment: Mapping[str, str] | None = None,
    ) -> Snapshot:
        """A snapshot of what a command prints, as the file `/filename`; there is none if the command fails.

        Raises Trouble also when it is fewer bytes than the least that can be whole.
        """
        made = self._snapshot(
            [f"--stdin-filename={filename}", "--stdin-from-command", "--", *words], tags, environment
        )  # fmt: skip
        if made.bytes < minimum_bytes:
            self.forget([made.id])
            raise Trouble(
                f"`{command.named(words)}` gave {made.bytes} bytes only, at least {minimum_bytes} were expected"
            )
        return made

    def snapshot_path(
        self, path: str, tags: Sequence[str], exclude: Sequence[str] = (), options: Sequence[str] = (),
        *, looks_itself: bool = False,
    ) -> Snapshot:  # fmt: skip
        """A snapshot of a folder; `exclude` are patterns of restic's. What vanishes meanwhile is no failure.

        Nor is anything else that could not be read, if the caller `looks_itself` at what came in.
        """
        excludes = [f"--exclude={pattern}" for pattern in exclude]
        words = [*options, *excludes, "--", path]
        return self._snapshot(words, tags, None, looks_itself=looks_itself, folder=path)

    def _snapshot(
        self, words: Sequence[str], tags: Sequence[str], environment: Mapping[str, str] | None,
        *, looks_itself: bool = False, folder: str = "",
    ) -> Snapshot:  # fmt: skip
        told = Told()

        def hear(line: str) -> bool:
            if not line.startswith("{"):  # it says that something does not go well
                self._require_room()
            return told.hear(line)

        marks = [f"--tag={tag}" for tag in tags]
        finished = self.run(
            "backup", "--json", f"--host={self.host}", *marks, *words,
            seconds=2 * LONG_SECONDS, hear=hear, silence=SILENCE_SECONDS, environment=environment,
            may_end_with=(0, SOME_UNREAD), folder=folder,
        )  # fmt: skip
        if finished.status == SOME_UNREAD and not looks_itself:
            told.require_that_all_vanished(finished.tail)
        if not told.snapshot:
            raise Trouble("restic told of no snapshot, though it did not fail", tail=finished.tail)
        return told.snapshot

    def entries(self, snapshot: str, take: Callable[[dict[str, Any]], None]) -> None:
        """Tells each file and folder of a snapshot, as restic does: type, path, mode, uid, gid, size."""

        def hear(line: str) -> bool:
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("struct_type") == "node":
                    take(entry)
            return True

        self.run("ls", "--no-lock", "--json", snapshot, seconds=LONG_SECONDS, hear=hear, silence=SILENCE_SECONDS)

    def dump(self, snapshot: str, path: str) -> "subprocess.Popen[bytes]":
        """A running restic whose standard output is a file of a snapshot; whoever reads it looks at its status."""
        self._require_folder()
        words = self.words("dump", "--no-lock", snapshot, path)
        return command.start(words, self.environment(), stdout=subprocess.PIPE)

    def read(self, snapshot: str, path: str) -> str:
        """A small file of a snapshot."""
        return self.run("dump", "--no-lock", snapshot, path).output

    def restore(
        self, snapshot: str, path: str, target: str, *, delete: bool = True, exclude: Sequence[str] = ()
    ) -> None:
        """Makes the folder `target` as `path` was in a snapshot, and reads it again; all else goes, if `delete`.

        What is zeros takes no room there. Nothing is written in the repository, whose disk may be full.
        `exclude` are patterns of restic's, below `path`: what they name stays as it is.
        """
        words = ["--no-lock", "--verify", "--sparse", *(["--delete"] if delete else [])]
        words += [f"--exclude={pattern}" for pattern in exclude]
        self.run(
            "restore", "--json", f"{snapshot}:{path}", f"--target={target}", *words,
            seconds=2 * LONG_SECONDS, hear=Told().hear, silence=SILENCE_SECONDS, folder=target,
        )  # fmt: skip

    def forget(self, ids: Sequence[str]) -> None:
        """Forgets snapshots; their contents stay until a prune. Where nothing may be deleted, they stay too."""
        for start in range(0, len(ids), _MANY):
            self.run("forget", *ids[start : start + _MANY], seconds=LONG_SECONDS, may_end_with=(0, SOME_UNREAD))

    @contextlib.contextmanager
    def mount(self, folder: Path) -> Iterator[Path]:
        """The snapshots as files: `ids/SNAPSHOT/…` below a folder that is there; it is free again afterwards."""
        process = command.start(
            self.words("mount", "--no-lock", str(folder)), self.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + MOUNT_SECONDS
            while not os.path.ismount(folder):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Trouble(f"the repository {self.url} could not be mounted", hint="see that fuse3 is there")
                time.sleep(0.05)
            yield folder
        finally:
            command.run(["umount", "--lazy", str(folder)], seconds=ANSWER_SECONDS)
            command.end(process)
