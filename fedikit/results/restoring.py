"""Restores: which data would take the place of which, application by application, and what came of it."""

from pydantic import Field

from fedikit.model.deployment import Deployment
from fedikit.model.value import HostName, Value, digest_of
from fedikit.results.backup import Backup
from fedikit.results.upgrading import Outcome


class Amount(Value):
    """How much there is of a part."""

    bytes: int = 0
    counts: dict[str, int] = Field(default_factory=dict)


class PartReplaced(Value):
    """A part, as it is now and as it would be."""

    id: str
    kind: str = ""
    was: Amount | None = None
    """What is there now, as far as it can be measured."""
    becomes: Amount | None = None
    """What is in the backup; nothing if it has no such part, which then stays as it is."""
    absent: bool = False
    """Whether there is nothing of it now."""


class ApplicationRestore(Value):
    """What a restore would do to an application on a host."""

    host: HostName
    application: str
    backup: Backup | None = None
    parts: tuple[PartReplaced, ...] = ()
    stop: tuple[str, ...] = ()
    """Units that stand still meanwhile."""
    after: tuple[str, ...] = ()
    """What is run when they are up again."""
    bytes: int = 0
    """How much is to be fetched."""
    free: int = 0
    interrupted: str = ""
    """The backup whose restore was cut off here: it goes on, or is given up if another one is restored."""
    notes: tuple[str, ...] = ()
    basis: str = ""
    """A digest of which backup it is and what the application consists of; a host that moved refuses."""
    error: str = ""
    """Why it could not be planned."""


class RestorePlan(Value):
    """What a restore would do. A pure value: it can be kept, looked at, and carried out later."""

    deployment: Deployment
    at: str = ""
    """The time, or the backup, that was asked for; empty for the newest."""
    saves: bool = True
    """Whether what is there now is backed up before; where that cannot be, it may be given up."""
    applications: tuple[ApplicationRestore, ...]
    seconds: float = 0.0

    @property
    def has_errors(self) -> bool:
        return any(one.error for one in self.applications)

    @property
    def has_changes(self) -> bool:
        return not self.has_errors and bool(self.applications)

    @property
    def is_refused(self) -> bool:
        """Whether it cannot be carried out: not every application can be restored."""
        return self.has_errors

    @property
    def is_noop(self) -> bool:
        return not self.applications

    @property
    def may_lose_data(self) -> bool:
        """What was written since the backup is replaced by it."""
        return self.has_changes

    @property
    def digest(self) -> str:
        """SHA-256 over what would be restored where; equal while nothing moves."""
        decisive = [(one.host, one.application, one.basis, one.error) for one in self.applications]
        return digest_of([self.deployment.digest, self.saves, decisive])


class ApplicationRestored(Value):
    """What came of one application."""

    host: HostName
    application: str
    outcome: Outcome
    backup: str = ""
    before: str = ""
    """The backup of what was replaced."""
    differences: tuple[str, ...] = ()
    """In what it is not as it was in the backup."""
    checks: int = 0
    """How many checks held afterwards."""
    error: str = ""
    seconds: float = 0.0


class RestoreReport(Value):
    """What came of a restore. It ends at the first application that fails: those after it are as they were."""

    run: str
    applications: tuple[ApplicationRestored, ...]
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return all(one.outcome == "changed" and not one.differences for one in self.applications)
