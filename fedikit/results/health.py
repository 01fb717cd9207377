"""Health: how well that is what fedikit holds on a host, as values."""

from datetime import UTC, datetime, timedelta

from fedikit.model.value import Value
from fedikit.results.disk import Disk
from fedikit.results.pending import Pending

FALLEN = ("failed", "restarting")
"""States of units that nobody wants."""
LEAST_FREE_PART, LEAST_FREE_BYTES = 0.05, 5_000_000_000
"""A disk is nearly full that has less left than both."""
RENEWED_BY = 1 / 6
"""With so much of its life left, a certificate's renewal must have failed for long: Caddy begins at a third."""


class UnitHealth(Value):
    """A unit as systemd has it: for how many seconds it has been so, and how often it had to be started again."""

    name: str
    state: str
    """active, inactive, failed, restarting, masked, missing, or another of systemd's words; or closed."""
    seconds: float
    restarts: int
    reasons: tuple[str, ...] = ()
    """In what it is not as wanted."""

    @property
    def is_well(self) -> bool:
        return not self.reasons and self.state not in FALLEN


class Drift(Value):
    """An item that is no longer as the last apply left it, and in what."""

    id: str
    reasons: tuple[str, ...]


class DiskHealth(Disk):
    """A disk, by the first place on it that matters."""

    place: str

    @property
    def is_well(self) -> bool:
        return self.free >= min(self.size * LEAST_FREE_PART, LEAST_FREE_BYTES)


class CertificateHealth(Value):
    """A site's certificate, as it lies on the host; without times if it cannot be read."""

    site: str
    begins: datetime | None = None
    expires: datetime | None = None

    @property
    def left(self) -> timedelta:
        return self.expires - datetime.now(UTC) if self.expires else timedelta()

    @property
    def is_well(self) -> bool:
        life = self.expires - self.begins if self.expires and self.begins else timedelta()
        return self.left > life * RENEWED_BY


class Health(Value):
    """Everything that a host knows of how well its items are."""

    units: tuple[UnitHealth, ...] = ()
    drift: tuple[Drift, ...] = ()
    disks: tuple[DiskHealth, ...] = ()
    certificates: tuple[CertificateHealth, ...] = ()
    pending: Pending = Pending()
    """What waits for an upgrade, a restart or a reboot: worth knowing, and no illness."""

    @property
    def parts(self) -> tuple[UnitHealth | DiskHealth | CertificateHealth, ...]:
        """What is well or not by itself."""
        return (*self.units, *self.disks, *self.certificates)

    @property
    def is_well(self) -> bool:
        return not self.drift and all(part.is_well for part in self.parts)
