"""An application's repository as a whole: whether it is the one that it was, and what is kept in it."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .places import write_whole
from .restic import LONG_SECONDS
from .said import AWAY, NONE_THERE
from .snapshots import Snapshots
from .trouble import Overdue, Trouble

REACH_SECONDS = 60
"""For how long a repository may not answer its first question; restic asks again for a quarter of an hour."""


@dataclass(frozen=True)
class Repository(Snapshots):
    """A repository of restic: an application's own, with a password of its own."""

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

    def unlock(self) -> None:
        """Takes away locks whose holders are gone; those of others at work stay."""
        if not self.reads_only:
            self.run("unlock")

    def check(self, n: int, t: int) -> None:
        """Checks the structure, and reads the n-th of t shares of the contents; raises Trouble if they are damaged."""
        words = ("check", f"--read-data-subset={n}/{t}")
        self.run(*words, seconds=2 * LONG_SECONDS)

    def prune(self) -> None:
        """Removes what no snapshot needs."""
        self.run("prune", seconds=LONG_SECONDS)

    def kept_by(self, keep: Mapping[str, int], tags: Sequence[str]) -> list[str]:
        """The ids of the snapshots with one of these tags that the rules for keeping do not let go."""
        rules = [f"--keep-{name}={number}" for name, number in keep.items() if number]
        finished = self.run("forget", "--dry-run", "--json", "--group-by=", *(f"--tag={tag}" for tag in tags), *rules)
        groups = json.loads(finished.output.strip() or "null") or []
        return [snapshot["id"] for group in groups for snapshot in group["keep"] or []]

    def _make_folder(self) -> None:
        """The first time, an application's own folder on a disk of this host; the one above it must be there."""
        folder = Path(self.url)
        if self.url.startswith("/") and folder.parent.is_dir() and not self._known():
            folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def _record(self) -> Path:
        return self.state / "repository.json"

    def _known(self) -> str:
        """The id of the repository that this host has put backups into, at this address."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            record = json.loads(self._record.read_text(encoding="utf-8"))
            return str(record["id"]) if record.get("url") == self.url else ""
        return ""
