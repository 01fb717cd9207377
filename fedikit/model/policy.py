"""Policies: how a hosting provider makes one kind of request available on a host, and by which means."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field

from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.check import Check
from fedikit.model.function import TypedFunction
from fedikit.model.host import Connection, DnsRecord
from fedikit.model.item import Items
from fedikit.model.request import OpenPort, Request
from fedikit.model.text import Fact, number
from fedikit.model.value import HostName, Line, Port, Protocol, Value


class CannotFulfil(ConfigurationError):
    """A request that this environment's policy or host cannot fulfil; `path` leads into the environment."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__("environment", [Mistake(path, message)])


RequestT = TypeVar("RequestT")


class Opening(Value):
    """A port of a host that is to be reached from elsewhere, where a firewall would close it."""

    host: HostName
    port: Port
    protocol: Protocol = "tcp"
    clients: tuple[HostName, ...] | None = None
    """The hosts that reach it; everybody does if absent."""
    what: Line
    """What answers there."""


class Place(Value):
    """For whom a request is fulfilled, and on which host."""

    application: str
    host: HostName
    hosts: dict[HostName, Connection]
    """Every host of the environment."""
    facts: dict[tuple[str, str], Fact] = Field(default_factory=dict)
    """What policies told of the application's resources there so far."""

    @property
    def connection(self) -> Connection:
        """How the host is reached."""
        return self.hosts[self.host]

    def at(self, host: str) -> "Place":
        """The same application, on another host; there it is not the one who asks, and nothing told to it counts."""
        return self.model_copy(update={"host": host, "facts": {}})

    def opens(self, ports: Iterable[OpenPort], what: str) -> tuple[Opening, ...]:
        """The ports of the host that are for everybody, and what answers there."""
        return tuple(
            Opening(host=self.host, port=number(one.port, self.facts), protocol=one.protocol, what=what)
            for one in ports
        )


class Ask(Value):
    """A request that a policy makes in turn, of the same host or another."""

    host: HostName
    request: Request
    first: bool = False
    """It must be fulfilled there before this host is changed. Without it, it is so unless hosts would wait for each
    other."""
    together: Literal["serves", "waits"] | None = None
    """Neither host is changed before the other: those that serve, and those that wait for all that serve, are at it at
    the same time."""


class Share(Value):
    """A part of something of a host of which there is only so much."""

    host: HostName
    what: str
    """What it is a part of, in the plural."""
    path: str
    """Where the environment says how much there is."""
    amount: int
    of: int
    """How much there is."""


class Provision(Items):
    """What fulfils a request: items for the host, further requests, names that lead there, and checks that show it."""

    asks: tuple[Ask, ...] = ()
    """What else it takes, fulfilled before the items, in this order."""
    facts: dict[str, Fact] = Field(default_factory=dict)
    """What the application may know of the resource."""
    ports: dict[Port, str] = Field(default_factory=dict)
    """The host's ports that are taken by it, and what listens there."""
    opens: tuple[Opening, ...] = ()
    """Ports that must be reached from elsewhere for it."""
    shares: tuple[Share, ...] = ()
    """What it takes of what the host has only so much of."""
    dns: tuple[DnsRecord, ...] = ()
    checks: tuple[Check, ...] = ()


class Policy(ABC, Generic[RequestT]):
    """A way to fulfil one kind of request."""

    fulfils: ClassVar[Any]
    """The type of the requests."""

    @abstractmethod
    def provide(self, request: RequestT, place: Place) -> Provision:
        """What fulfils the request there."""

    def typed(self, place: Place) -> TypedFunction[RequestT, Provision]:
        """`provide` as a typed function of the request."""
        return TypedFunction(
            f"{type(self).__name__} (for {place.application})",
            self.fulfils,
            Provision,
            lambda request: self.provide(request, place),
        )
