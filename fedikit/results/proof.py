"""Proofs: what restoring a backup into machines without a way out came to, as values."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Literal

from fedikit.model.value import HostName, Value
from fedikit.results.backup import Backup, summed

DATABASES = ("postgresql", "mariadb")


class BackupProven(Value):
    """One backup, and how it came out of its repository."""

    host: HostName
    backup: Backup
    differences: tuple[str, ...] = ()
    """In what it is not as its manifest says."""
    error: str = ""
    """Why it could not be restored."""


class Proof(Value):
    """What a proof of an application's backup came to: it holds only if nothing at all was wrong."""

    format: Literal[1] = 1
    deployment: str
    application: str
    fedikit: str
    """The version that proved it."""
    ended: datetime
    seconds: float = 0.0
    backups: tuple[BackupProven, ...]
    """One for each host that the application is on."""
    checks: int = 0
    """How many checks held on what was restored."""
    failures: tuple[str, ...] = ()
    """What was wrong besides, in words."""
    post: str = ""
    """The address of the newest public post, which was opened."""
    no_post: str = ""
    """Why there was none to open."""
    picture: str = ""
    """The file, beside this record, that shows the newest post, or a page where there is none."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that was wrong."""
        of_backups = [words for one in self.backups for words in (*one.differences, one.error) if words]
        return (*of_backups, *self.failures)

    @property
    def succeeded(self) -> bool:
        return not self.findings


class Proofs(Value):
    """The proofs of several applications."""

    proofs: tuple[Proof, ...]
    notes: tuple[str, ...] = ()
    """Where they could not be written down."""

    @property
    def succeeded(self) -> bool:
        return all(proof.succeeded for proof in self.proofs)


def doubts_about(backup: Backup, expected: Collection[str]) -> Iterator[str]:
    """What is wrong with a backup by its manifest alone, where these parts are expected in it."""
    there = [part.id for part in backup.parts]
    for lost in expected:
        if lost not in there:
            yield f"{lost} is not in the backup {backup.id}, and would be lost"
    for part in backup.parts:
        if part.id not in expected:
            yield f"{part.id} is in the backup, and no part of the application any more"
        elif part.kind in DATABASES and not summed(part.counts).get("rows"):
            yield f"{part.id} holds no row in the backup"
        elif not part.bytes and not any(part.counts.values()) and len(backup.parts) == 1:
            yield f"{part.id} is empty in the backup, and there is nothing else in it"
