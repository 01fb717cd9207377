"""Hosts: how each is reached, what shall be on it, and which names lead there.

A deployment type is a class here: adding one is adding a class with a `type` of its own to `Connection`.
"""

import ipaddress
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from fedikit.model.account import Account
from fedikit.model.data import ApplicationData
from fedikit.model.item import Items
from fedikit.model.item_kind import ItemId
from fedikit.model.ssh_server import SshServer, is_ip_address
from fedikit.model.value import DomainName, HostName, IpAddress, Value, Written


def _several(hosts: Any) -> Any:
    """One host is as good as a list of one."""
    if not isinstance(hosts, str | list | tuple):
        raise ValueError("should be a host's name, or a list of them")
    return (hosts,) if isinstance(hosts, str) else tuple(hosts)


def _different(hosts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(hosts)) < len(hosts):
        raise ValueError("should name each host once")
    return hosts


HostNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_several, json_schema_input_type=HostName | list[HostName]),
    AfterValidator(_different),
]
"""Names of hosts that exist."""


class Reached(Written):
    """What all hosts have in common, however they are reached."""

    after: HostNames = Field((), description="Hosts that are changed before this one.")
    patience: Annotated[int, Field(ge=5, le=3600)] = Field(
        60,
        description="How many seconds it may take to answer, and later be silent, before all counts as failed.",
    )


class Local(Reached):
    """This very machine, without a connection."""

    model_config = ConfigDict(json_schema_extra={"required": ["type"]})

    type: Literal["local"] = Field("local", title="Deployment type", description="How the host is reached: not at all.")
    address: IpAddress = Field("127.0.0.1", description="The IP address at which its web sites are found.")

    @property
    def public_addresses(self) -> tuple[str, ...]:
        """The IP addresses that the names of its web sites lead to."""
        return (self.address,)


class DirectoryHost(Reached):
    """A directory of this machine in which the real agent works as if it were a host; its services are simulated."""

    model_config = ConfigDict(json_schema_extra={"required": ["type"]})

    type: Literal["directory"] = Field(
        "directory", title="Deployment type", description="How the host is reached: it is a directory, for trying out."
    )
    path: Annotated[str, Field(min_length=1)]
    """The directory, relative to the environment's file; it is made if it is not there."""
    address: IpAddress = Field("127.0.0.1", description="The IP address that names of its web sites would lead to.")

    @property
    def public_addresses(self) -> tuple[str, ...]:
        """The IP addresses that the names of its web sites lead to."""
        return (self.address,)


class Ssh(SshServer, Reached):
    """A machine that is reached over SSH."""

    type: Literal["ssh"] = Field("ssh", title="Deployment type", description="How the host is reached: over SSH.")
    public_address: IpAddress | None = None
    """Where the host's web sites are found, if not at `address`."""

    @property
    def public_addresses(self) -> tuple[str, ...]:
        """The IP addresses that the names of its web sites lead to; none when only a name is known."""
        address = self.public_address or self.address
        return (address,) if is_ip_address(address) and "%" not in address else ()


def _deployment_type(host: Any) -> Any:
    return host.get("type", "ssh") if isinstance(host, dict) else getattr(host, "type", "ssh")


Connection = Annotated[
    Annotated[Ssh, Tag("ssh")] | Annotated[Local, Tag("local")] | Annotated[DirectoryHost, Tag("directory")],
    Discriminator(_deployment_type),
]


class DnsRecord(Value):
    """A name that shall lead to a host."""

    name: DomainName
    type: Literal["A", "AAAA"]
    address: IpAddress


def records_at(name: str, addresses: Iterable[str]) -> tuple[DnsRecord, ...]:
    """The records by which a name leads to IP addresses."""
    return tuple(
        DnsRecord(name=name, type="A" if ipaddress.ip_address(address).version == 4 else "AAAA", address=address)
        for address in addresses
    )


class MovedSite(Value):
    """A web site that comes to a host, from another one where there is one that has it."""

    domain: DomainName
    application: str
    source: str = ""
    """The host to which its name leads; none if no host has it yet."""
    target: HostName


class HostState(Items):
    """How a host is reached, and everything that shall be on it."""

    connection: Connection
    applications: tuple[str, ...] = ()
    """Which applications are placed there."""
    domains: dict[str, DomainName] = Field(default_factory=dict)
    """By application, the domain that its users and posts are known by; also of `NAME's handles` or `web address`."""
    accounts: dict[str, Account] = Field(default_factory=dict)
    """By application, the initial user's account."""
    data: dict[str, ApplicationData] = Field(default_factory=dict)
    """By application, the data that it has there."""
    belongings: dict[ItemId, tuple[str, ...]] = Field(default_factory=dict)
    """By the id of an item, the applications for which it is there; also of what would be there for those that rest."""
    served_by: tuple[HostName, ...] = ()
    """Hosts with servers that must be there first, such as a shared database's."""

    @property
    def after(self) -> tuple[str, ...]:
        """Hosts that are changed before this one."""
        return tuple(dict.fromkeys(self.connection.after + self.served_by))
