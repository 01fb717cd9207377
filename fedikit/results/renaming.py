"""Renamings: a deployment on its way to another name, host by host."""

from typing import Literal

from fedikit.model.value import HostName, Value


class HostRenaming(Value):
    """How far one host is: "ready" to be renamed, "done", "nothing" is there of either name, "both" are there."""

    host: HostName
    state: Literal["ready", "done", "nothing", "both", "unknown"] = "unknown"
    items: int = 0
    """How many items the deployment has there."""
    busy: str = ""
    """Who changes the host just now."""
    error: str = ""
    """Why the host could not be asked, or not be changed."""

    @property
    def is_in_the_way(self) -> bool:
        return bool(self.error or self.busy) or self.state == "both"


class Renaming(Value):
    """How far a deployment is on its way from one name to another."""

    former: str
    name: str
    hosts: dict[HostName, HostRenaming]

    @property
    def is_refused(self) -> bool:
        """Whether it is not to be begun: on some host it could not be done, or the name is nowhere known."""
        return any(host.is_in_the_way for host in self.hosts.values()) or self.is_unknown

    @property
    def is_unknown(self) -> bool:
        """Whether there is nothing of either name anywhere."""
        return all(host.state == "nothing" for host in self.hosts.values())

    @property
    def has_changes(self) -> bool:
        return not self.is_refused and any(host.state == "ready" for host in self.hosts.values())

    @property
    def has_errors(self) -> bool:
        return self.is_refused
