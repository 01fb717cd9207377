"""Upgrades of Debian packages: what would come, host by host, and what came of it. Making a plan changes nothing."""

from typing import Literal

from pydantic import Field

from fedikit.model.deployment import Deployment
from fedikit.model.value import HostName, Value, digest_of
from fedikit.results.pending import NewerPackage, Pending
from fedikit.results.plan import PlannedDeb

Outcome = Literal["changed", "same", "failed", "skipped"]


class HostUpgrade(Value):
    """What an upgrade would do on one host."""

    host: HostName
    packages: tuple[NewerPackage, ...] = ()
    """What comes, with what that needs besides."""
    debs: tuple[PlannedDeb, ...] = ()
    bytes_to_send: int = 0
    staying: dict[str, str] = Field(default_factory=dict)
    """Packages of fedikit's that stay at their version, though there is a newer one, and why."""
    pending: Pending = Pending()
    basis: str = ""
    """The digest of the host's packages; it refuses the upgrade if they have moved."""
    boot: str = ""
    """Which boot of the machine it is."""
    note: str = ""
    error: str = ""
    """Why it could not be planned."""


class UpgradePlan(Value):
    """What an upgrade would do, in this order: one host after the other."""

    deployment: Deployment
    reboot: bool = False
    """Whether machines that need it are rebooted."""
    restart_others: bool = False
    """Whether units that are not fedikit's are restarted, too."""
    hosts: dict[HostName, HostUpgrade]
    seconds: float = 0.0

    def has_work(self, host: HostUpgrade) -> bool:
        """Whether there is something to do on a host."""
        pending = host.pending
        is_owed = pending.units or (self.restart_others and pending.other_units) or (self.reboot and pending.reboot)
        return not host.error and bool(host.debs or is_owed)

    @property
    def is_noop(self) -> bool:
        return not any(host.error or self.has_work(host) for host in self.hosts.values())

    @property
    def has_changes(self) -> bool:
        return not self.has_errors and not self.is_noop

    @property
    def has_errors(self) -> bool:
        return any(host.error for host in self.hosts.values())

    @property
    def digest(self) -> str:
        """SHA-256 over what would be done where; equal while nothing moves."""
        decisive = {"packages", "debs", "basis", "error"}
        hosts = {name: host.model_dump(mode="json", include=decisive) for name, host in self.hosts.items()}
        reboots = {name: bool(host.pending.reboot) for name, host in self.hosts.items()}
        return digest_of([self.deployment.digest, self.reboot, self.restart_others, hosts, reboots])


class HostUpgraded(Value):
    """What came of one host."""

    host: HostName
    outcome: Outcome
    packages: tuple[NewerPackage, ...] = ()
    restarted: tuple[str, ...] = ()
    """Units that were restarted."""
    rebooted: bool = False
    left: Pending = Pending()
    """What is still pending there."""
    checks: int = 0
    """How many checks held afterwards."""
    error: str = ""
    seconds: float = 0.0


class UpgradeReport(Value):
    """What came of an upgrade. It ends at the first host that fails: those after it are as they were."""

    run: str
    hosts: dict[HostName, HostUpgraded]
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return all(host.outcome in ("changed", "same") for host in self.hosts.values())
