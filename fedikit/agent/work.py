"""What an item is worked on with: its entry in the ledger, and the contents that it needs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .blobs import Blobs
from .trouble import Trouble

if TYPE_CHECKING:
    from .settling import Settling

Record = dict[str, Any]


class Work:
    """The contents at hand, and the entry of the item being worked on.

    `entry` is changed in place: a unit or job notes there what it has done. `save` writes all entries to the disk.
    `tell` says something to the deployer. `settling` are the units that were started, from when they were.
    """

    def __init__(
        self,
        blobs: Blobs,
        secrets: dict[str, str],
        purge: bool,
        save: Callable[[], None] = lambda: None,
        tell: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self.blobs = blobs
        self.secrets = secrets
        self.purge = purge
        self.save = save
        self.tell = tell
        self.entry: Record = {}
        self.settling: Settling | None = None

    @property
    def prior(self) -> Record:
        """What was there before fedikit."""
        prior: Record = self.entry.get("prior") or {"type": "absent"}
        return prior

    @property
    def done(self) -> str:
        """The fingerprint that a unit or job has been acted upon with."""
        return self.entry.get("done") or ""

    def content(self, item: Record) -> bytes:
        """The content of a file, or a job's standard input."""
        if "seal" in item:
            if item["id"] not in self.secrets:
                raise Trouble(
                    "its secret content is not at hand",
                    hint="secrets are not kept on the host: apply the configuration that holds it",
                )
            return self.secrets[item["id"]].encode()
        return self.blobs.read(item["sha256"]) if "sha256" in item else b""
