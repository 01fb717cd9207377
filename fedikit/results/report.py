"""Reports: what an apply did, host by host and item by item."""

from typing import Literal

from fedikit.model.value import HostName, Value
from fedikit.results.verdict import Verdict


class ItemReport(Value):
    """What was done to one item."""

    id: str
    action: str
    seconds: float
    failed: bool = False
    kept: str = ""
    """What of it was left in place, in words."""
    saved: str = ""
    """Where on the host somebody's edition of the file was saved."""


class HostReport(Value):
    """What was done on one host."""

    host: HostName
    outcome: Literal["changed", "same", "failed", "skipped"]
    items: tuple[ItemReport, ...] = ()
    generation: int = 0
    seconds: float = 0.0
    unit: str = ""
    """The unit of systemd's in which the work was done; nothing if there was none to shelter it."""
    error: str = ""


class Returned(Value):
    """An application that went back to the version and the data of before, since another version failed."""

    host: HostName
    application: str
    backup: str
    """The name of the backup that its data is from."""
    before: str = ""
    """The name of the backup of what was there when it failed."""
    error: str = ""
    """Why it could not go back."""


class Report(Value):
    """What was done everywhere."""

    purpose: str
    run: str
    hosts: dict[HostName, HostReport]
    seconds: float
    returned: tuple[Returned, ...] = ()
    verdict: Verdict | None = None
    """After a rollback: whether what served then serves again."""

    @property
    def succeeded(self) -> bool:
        return all(host.outcome in ("changed", "same") for host in self.hosts.values())
