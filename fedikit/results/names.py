"""Names: where they should lead, and where they do; what an update of a DNS server would change."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.host import DnsRecord
from fedikit.model.value import DomainName, Value


class NameFound(Value):
    """One name of the deployment, and where a resolver says that it leads."""

    name: DomainName
    wanted: tuple[str, ...]
    found: tuple[str, ...] = ()
    problem: str = ""
    """Why nothing was found."""

    @property
    def leads_there(self) -> bool:
        """Whether every way leads to the hosts, and none elsewhere: visitors would take that one, too."""
        return set(self.wanted) == set(self.found)

    @property
    def seen(self) -> str:
        """What is wrong, in words; empty if nothing is."""
        if self.leads_there:
            return ""
        if not self.found:
            return self.problem or "is not known"
        elsewhere = [address for address in self.found if address not in self.wanted]
        lacking = [address for address in self.wanted if address not in self.found]
        words = [
            f"leads to {', '.join(elsewhere)}" if elsewhere else "",
            f"not to {', '.join(lacking)}" if lacking else "",
        ]
        return ", ".join(word for word in words if word)


class NamesFound(Value):
    """All names of a deployment."""

    names: tuple[NameFound, ...]
    records: tuple[DnsRecord, ...]
    """Those that should be set."""
    ttl: int

    @property
    def lacking(self) -> tuple[NameFound, ...]:
        return tuple(name for name in self.names if not name.leads_there)

    @property
    def lead_there(self) -> bool:
        return not self.lacking


Action = Literal["create", "update", "delete", "same", "leave", "refused"]


class DnsChange(Value):
    """What would become of the records of one type that a name has."""

    name: str
    type: Literal["A", "AAAA", "CNAME"]
    action: Action
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    why: str = ""

    @property
    def changes(self) -> bool:
        return self.action in ("create", "update", "delete")


class ZonePlan(Value):
    """What would change in one zone, in one update."""

    zone: str
    changes: tuple[DnsChange, ...]
    owned_before: tuple[str, ...] = ()
    """What stands in the zone's record of who owns which names."""
    owned_after: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        return self.owned_before != self.owned_after or any(change.changes for change in self.changes)


class DnsPlan(Value):
    """What would change at the DNS server."""

    server: str
    ttl: Annotated[int, Field(ge=0)]
    zones: tuple[ZonePlan, ...]
    elsewhere: tuple[DnsRecord, ...] = ()
    """Records in zones that the environment does not name."""

    @property
    def has_changes(self) -> bool:
        return any(zone.has_changes for zone in self.zones)

    @property
    def refused(self) -> tuple[DnsChange, ...]:
        return tuple(change for zone in self.zones for change in zone.changes if change.action == "refused")
