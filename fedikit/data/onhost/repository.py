"""A repository of restic: an application's own, with a password of its own.

Nothing secret is on a command line. Every call has a deadline, or ends when it no longer gets on.
"""

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
from .command import Finished, Hear
from .disks import NO_ROOM, free_at
from .other import GateSecrets
from .places import write_whole
from .said import AWAY, NONE_THERE, SOME_UNREAD, Snapshot, Told, trouble_of
from .settings import Secrets
from .trouble import Overdue, Trouble, hint_of_room

SILENCE_SECONDS = 1800
"""For how long restic may not get on: one that cannot upload may wait for ever."""
ANSWER_SECONDS = 600
REACH_SECONDS = 60
"""For how long a repository may not answer its first question; restic asks again for a quarter of an hour."""
LONG_SECONDS = 12 * 3600
MOUNT_SECONDS = 60
_MANY = 200
_WRITING = ("init", "backup")


@dataclass(frozen=True)
class Repository:
    """One repository, worked upon in the name of one host; `state` keeps restic's cache.

    `reads_only`: nothing is ever written there, not even a lock. `reads_all`: a restore shows that all can be read.
    `is_others`: who filled it is not trusted.
    """

    settings: Mapping[str, Any]
    secrets: Secrets | GateSecrets
    state: Path
    host: str
    reads_only: bool = False
    reads_all: bool = False
    is_others: bool = False
    _paths: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    """What each snapshot is of that was told of so far."""

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        return str(self.settings["url"])

    # What restic is called with

    def environment(self) -> dict[str, str]:
        """What restic reads from its environment, secrets among it."""
        wanted = {
            "RESTIC_REPOSITORY": self.url,
            "RESTIC_PASSWORD_FILE": str(self.secrets.path("repository-password")),
            "RESTIC_CACHE_DIR": str(self.state / "cache"),
            "RESTIC_PROGRESS_FPS": "0.2",
        }
        if self.url.startswith("s3:"):
            wanted["AWS_ACCESS_KEY_ID"] = self.settings["access_key"]
            wanted["AWS_SECRET_ACCESS_KEY"] = self.secrets.read("s3-secret")
        if self.url.startswith("rest:") and self.settings["user"]:
            wanted["RESTIC_REST_USERNAME"] = self.settings["user"]
            wanted["RESTIC_REST_PASSWORD"] = self.secrets.read("rest-password")
        return wanted

    def _options(self) -> list[str]:
        limits = [("--limit-upload", "upload_kib"), ("--limit-download", "download_kib")]
        words = [word for option, name in limits if self.settings[name] for word in (option, str(self.settings[name]))]
        words += ["--no-lock"] if self.reads_only else []
        return [*words, *(["-o", f"sftp.args={self._ssh()}"] if self.url.startswith("sftp:") else [])]

    def _ssh(self) -> str:
        """What ssh is told: to accept the one key that is known, to ask nobody, and to wait for nobody for ever."""
        options = {
            "IdentityFile": self.secrets.path("ssh-key"),
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.secrets.path("known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 20,
            "ServerAliveInterval": 20,
            "ServerAliveCountMax": 6,
        }
        return " ".join(
            ["-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
        )

    def words(self, *words: str) -> list[str]:
        """A command line of restic."""
        return ["restic", *self._options(), *words]

    def run(
        self,
        *words: str,
        seconds: float = ANSWER_SECONDS,
        hear: Hear | None = None,
        silence: float = 0,
        environment: Mapping[str, str] | None = None,
        may_end_with: tuple[int, ...] = (0,),
        folder: str = "",
    ) -> Finished:
        """Runs restic; raises Trouble in words unless it ends with one of these statuses.

        `folder`: what it reads or writes, where others may be at work; it follows no link there.
        """
        self._require_folder()
        if words[0] in _WRITING:
            self._require_room()
        everything = {**self.environment(), **(environment or {})}
        finished = command.run(
            self.words(*words), seconds=seconds, environment=everything, hear=hear, silence=silence, folder=folder
        )  # fmt: skip
        if finished.status not in may_end_with:
            raise trouble_of(finished, words[0], self.url)
        return finished

    def _require_folder(self) -> None:
        if self.url.startswith("/") and not Path(self.url).is_dir():
            raise Trouble(
                f"the repository's folder {self.url} is not there", hint=f"mount its disk: {Path(self.url).parent}"
            )

    def _require_room(self) -> None:
        """On a disk of this host: restic tries again for a quarter of an hour before it says that there is none."""
        if self.url.startswith("/") and free_at(Path(self.url)) < NO_ROOM:
            raise Trouble(f"the repository's disk is full: {self.url}", hint=hint_of_room())

    def _make_folder(self) -> None:
        """The first time, an application's own folder on a disk of this host; the one above it must be there."""
        folder = Path(self.url)
        if self.url.startswith("/") and folder.parent.is_dir() and not self._known():
            folder.mkdir(mode=0o700, exist_ok=True)

    # The repository as a whole

    def exists(self) -> bool:
        """Whether it is there; raises Trouble if one was there and is gone, or is another one than it was."""
        was = self._known()
        try:
            finished = self.run("cat", "--no-lock", "config", seconds=REACH_SECONDS, may_end_with=(0, NONE_THERE))
        except Overdue as late:
            raise Trouble(f"the repository {self.url} does not answer", hint=AWAY, tail=late.tail) from late
        if finished.status == NONE_THERE:
            if was:
                back = "mount its disk" if self.url.startswith("/") else "see its address in policies.backup"
                hint = f"{back}, or bring it back; to begin anew without earlier backups, remove {self._record}"
                raise Trouble(f"the repository {self.url} is gone: there were backups in it", hint=hint)
            return False
        found = str(json.loads(finished.output)["id"])
        if was and was != found:
            hint = f"see what lies there now; if that is right, remove {self._record}"
            raise Trouble(f"another repository lies at {self.url} than before", hint=hint)
        return True

    def open(self) -> None:
        """Requires that it is there, and frees what killed ones locked."""
        if not self.exists():
            hint = "the first backup makes it: fedikit backup now"
            raise Trouble(f"there is no repository at {self.url} yet", hint=hint)
        self.unlock()

    def initialise(self) -> None:
        """Opens it, and makes it when it truly is not there and never was."""
        self._make_folder()
        if not self.exists():
            self.run("init")
        if not self._known():
            config = json.loads(self.run("cat", "--no-lock", "config").output)
            write_whole(self._record, json.dumps({"url": self.url, "id": config["id"]}))
        self.unlock()

    @property
    def _record(self) -> Path:
        return self.state / "repository.json"

    def _known(self) -> str:
        """The id of the repository that this host has put backups into, at this address."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            record = json.loads(self._record.read_text(encoding="utf-8"))
            return str(record["id"]) if record.get("url") == self.url else ""
        return ""

    def unlock(self) -> None:
        """Takes away locks whose holders are gone; those of others at work stay."""
        if not self.reads_only:
            self.run("unlock")

    def check(self, n: int, t: int) -> None:
        """Checks the structure, and reads the n-th of t shares of the contents; raises Trouble if they are damaged."""
        words = ("check", f"--read-data-subset={n}/{t}")
        self.run(*words, seconds=2 * LONG_SECONDS)

    def forget(self, ids: Sequence[str]) -> None:
        """Forgets snapshots; their contents stay until a prune. Where nothing may be deleted, they stay too."""
        for start in range(0, len(ids), _MANY):
            self.run("forget", *ids[start : start + _MANY], seconds=LONG_SECONDS, may_end_with=(0, SOME_UNREAD))

    def prune(self) -> None:
        """Removes what no snapshot needs."""
        self.run("prune", seconds=LONG_SECONDS)

    def kept_by(self, keep: Mapping[str, int], tags: Sequence[str]) -> list[str]:
        """The ids of the snapshots with one of these tags that the rules for keeping do not let go."""
        rules = [f"--keep-{name}={number}" for name, number in keep.items() if number]
        finished = self.run("forget", "--dry-run", "--json", "--group-by=", *(f"--tag={tag}" for tag in tags), *rules)
        groups = json.loads(finished.output.strip() or "null") or []
        return [snapshot["id"] for group in groups for snapshot in group["keep"] or []]

    def snapshots(self, tags: Sequence[str] = ()) -> list[dict[str, Any]]:
        """All snapshots that have all of these tags, as restic tells them, the oldest first."""
        finished = self.run("snapshots", "--no-lock", "--json")
        found: list[dict[str, Any]] = json.loads(finished.output.strip() or "null") or []
        self._paths.update((snapshot["id"], snapshot["paths"]) for snapshot in found)
        fitting = [snapshot for snapshot in found if set(tags) <= set(snapshot.get("tags") or ())]
        return sorted(fitting, key=lambda snapshot: datetime.fromisoformat(snapshot["time"]))

    # Snapshots

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

        Nothing is written in the repository, whose disk may be full.
        `exclude` are patterns of restic's, below `path`: what they name stays as it is.
        """
        words = ["--no-lock", "--verify", *(["--delete"] if delete else [])]
        words += [f"--exclude={pattern}" for pattern in exclude]
        self.run(
            "restore", "--json", f"{snapshot}:{path}", f"--target={target}", *words,
            seconds=2 * LONG_SECONDS, hear=Told().hear, silence=SILENCE_SECONDS, folder=target,
        )  # fmt: skip

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
