"""Backups: what is kept of an application's data, how old it is, and what went wrong last, as values."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import Field

from fedikit.model.value import HostName, Value
from fedikit.results.upgrading import Outcome

AHEAD = timedelta(hours=1)
"""So far another clock than ours may be ahead."""


class PartSaved(Value):
    """A part of an application, as it is in a backup."""

    id: str
    kind: str = ""
    bytes: int = 0
    added: int = 0
    """By how much the repository grew for it."""
    counts: dict[str, int] = Field(default_factory=dict)
    """How many of what: rows, objects, files."""
    version: str = ""


class Proven(Value):
    """That a backup was restored elsewhere to prove it."""

    ended: datetime
    failed: bool


class Backup(Value):
    """A backup that is in the repository, with all its parts."""

    id: str
    reason: str = ""
    """schedule or now; restore or upgrade: what was there before one, a way back."""
    started: datetime
    ended: datetime
    images: dict[str, str] = Field(default_factory=dict)
    parts: tuple[PartSaved, ...] = ()
    bytes: int = 0
    added: int = 0
    proof: Proven | None = None
    """The last one; nothing if nobody tried."""

    @property
    def is_regular(self) -> bool:
        """Whether it is one of those that are made one after the other, and no way back."""
        return self.reason not in ("restore", "upgrade")

    @property
    def seconds(self) -> float:
        return max(0.0, (self.ended - self.started).total_seconds())

    @property
    def age(self) -> timedelta:
        return datetime.now(UTC) - self.ended


class LastRun(Value):
    """How the last attempt at a backup ended."""

    id: str = ""
    ended: datetime
    failed: bool
    error: str = ""
    part: str = ""

    @property
    def words(self) -> str:
        """What went wrong, and with which part."""
        return f"{self.part}: {self.error}" if self.part else self.error


class LastCheck(Value):
    """How the last look into the repository ended."""

    ended: datetime
    failed: bool
    error: str = ""


class ApplicationBackups(Value):
    """The backups of an application on a host, the newest first."""

    host: HostName
    application: str
    repository: str = ""
    backups: tuple[Backup, ...] = ()
    last: LastRun | None = None
    check: LastCheck | None = None
    notes: tuple[str, ...] = ()
    """What else is to be known, such as of what in the repository cannot be read."""
    error: str = ""
    """Why they could not be listed."""


class Backups(Value):
    """What is kept of a deployment's data."""

    deployment: str
    applications: tuple[ApplicationBackups, ...]

    @property
    def has_errors(self) -> bool:
        return any(one.error for one in self.applications)


class ApplicationBackedUp(Value):
    """What came of the backup of an application."""

    host: HostName
    application: str
    outcome: Outcome
    backup: Backup | None = None
    repository: str = ""
    note: str = ""
    """What else is to be known of the repository, though all went well."""
    error: str = ""
    seconds: float = 0.0


class BackupReport(Value):
    """What came of the backups that were asked for."""

    run: str
    applications: tuple[ApplicationBackedUp, ...]
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return all(one.outcome == "changed" for one in self.applications)


class BackupHealth(Value):
    """How it is about the backups of an application, by what its host noted."""

    application: str
    newest: Backup | None = None
    last: LastRun | None = None
    check: LastCheck | None = None
    max_age_hours: int
    since: datetime | None = None
    """Since when they are asked for."""
    proof: Proven | None = None
    """The last one, of whichever backup."""
    proof_days: int = 0
    """How old it may be; nobody asks if 0."""
    restoring: str = ""
    """The backup whose restore goes on, or was cut off."""
    error: str = ""
    """Why what the host noted cannot be read."""

    @property
    def is_well(self) -> bool:
        return not (self.words or self.doubt)

    @property
    def words(self) -> str:
        """What is not well about them, in words without the application's name; empty if all is."""
        if self.restoring:
            return f"a restore of {self.restoring} has not ended: if nobody is at it, run fedikit restore again"
        if self.error:
            return self.error
        if self.last and self.last.failed:
            return f"failed: {self.last.words}"
        if self.check and self.check.failed:
            return f"cannot all be read: {self.check.error}"
        return self._words_of_age(datetime.now(UTC))

    @property
    def doubt(self) -> str:
        """Why nobody should rely on restoring them, by their last proof; empty if there is no reason."""
        if self.proof and self.proof.failed:
            return f"the proof of {self.proof.ended:%d %b %Y} failed"
        return self._doubt_of_age(datetime.now(UTC)) if self.proof_days else ""

    def _doubt_of_age(self, now: datetime) -> str:
        limit = timedelta(days=self.proof_days)
        wanted = f"should be within {self.proof_days} days"
        if self.proof is None:
            is_due = self.since is None or now - self.since > limit
            return f"never proven, which {wanted}" if is_due else ""
        age = now - self.proof.ended
        if age < -AHEAD:
            return f"the proof is from the future, {self.proof.ended:%d %b %Y}: were all clocks right?"
        return f"proven {age.days} days ago, which {wanted}" if age > limit else ""

    def _words_of_age(self, now: datetime) -> str:
        limit = timedelta(hours=self.max_age_hours)
        if self.newest is None:
            is_due = self.since is None or now - self.since > limit
            return "there is none yet" if is_due else ""
        age = now - self.newest.ended
        if age < -AHEAD:
            return f"the newest is from the future, {self.newest.ended:%d %b %Y, %H:%M} UTC: is the host's clock right?"
        hours = f"{age.total_seconds() / 3600:.0f} hours old, and should be of the last {self.max_age_hours}"
        return f"the newest is {hours}" if age > limit else ""


def summed(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts as people read them: what is told table by table is added up."""
    tables = [count for name, count in counts.items() if name.startswith("table ")]
    others = {name: count for name, count in counts.items() if not name.startswith("table ")}
    return others | ({"tables": len(tables), "rows": sum(tables)} if tables else {})
