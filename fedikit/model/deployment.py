"""The deployment: what shall be on each host, which names lead there, and what shows that it works."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, model_validator

from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.check import Check
from fedikit.model.diagram import counted, mermaid
from fedikit.model.host import DnsRecord, HostState
from fedikit.model.lock import Lock
from fedikit.model.value import (
    ArchiveUrl,
    Certificates,
    HostName,
    IpAddress,
    Line,
    SecretReference,
    Value,
    Written,
    digest_of,
)


class Network(Written):
    """How the deployer's checks find their way, where the world's own DNS and CAs do not serve."""

    dns: IpAddress | None = Field(
        None, title="DNS server", description="The DNS server that checks ask; this machine's own if absent."
    )
    trust: Certificates | None = Field(
        None,
        title="Trusted CAs",
        description="A PEM file, beside this one, with certificates that checks trust besides the well-known CAs.",
    )


def _several(files: Any) -> Any:
    """One file is as good as a list of one."""
    if not isinstance(files, str | list | tuple):
        raise ValueError("should be a file's name, or a list of them")
    return (files,) if isinstance(files, str) else tuple(files)


_FileName = Annotated[Line, Field(min_length=1)]
FileNames = Annotated[
    tuple[_FileName, ...], BeforeValidator(_several, json_schema_input_type=_FileName | list[_FileName])
]


class Secrets(Written):
    """Where secrets come from."""

    master_key: SecretReference = Field(
        "file:master.key",
        description="The key from which all secrets are derived: file:PATH, command:COMMAND or env:NAME.",
        examples=["file:master.key", "command:pass show fedikit"],
    )
    versions: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="By the name of a secret, its version: raise it to rotate the secret.",
        examples=[{"mastodon/database": 2}],
    )
    given: dict[str, SecretReference] = Field(
        default_factory=dict,
        description="Where secrets are that somebody else made, by their name.",
        examples=[{"mail/password": "file:mail.password"}],
    )
    sealed: FileNames = Field(
        (),
        description="Files, beside this one, with the secrets that applications had at another provider.",
        examples=["mastodon.sealed"],
    )


class PackageSources(Written):
    """Where Debian packages are found that the deployer's own mirrors no longer have."""

    snapshots: tuple[ArchiveUrl, ...] = Field(
        (),
        description="Archives that keep what mirrors drop; asked for packages that a lock names.",
        examples=[("https://snapshot.debian.org/archive/debian/20251001T000000Z",)],
    )


class Parallel(Written):
    """How much is done at the same time."""

    hosts: Annotated[int, Field(ge=1, le=100)] = 10
    """Hosts that are changed at the same time."""


DEPLOYERS_OWN = {"identity_file", "jump", "connect_seconds", "login_seconds", "patience", "path"}
"""What of a connection concerns this deployer alone."""


class FirstUser(Value):
    """Who can sign in from the start."""

    username: str
    email: str


class Deployment(Value):
    """A pure value: the same configuration and environment always give the same deployment, with the same digest.

    Every host of the environment is in it, also with nothing wanted there, so that what left is taken away.
    """

    name: HostName
    hosts: dict[HostName, HostState]
    dns: tuple[DnsRecord, ...] = ()
    checks: tuple[Check, ...] = ()
    network: Network = Network()
    secrets: Secrets = Secrets()
    packages: PackageSources = PackageSources()
    parallel: Parallel = Parallel()
    person: FirstUser | None = None
    """Nobody where nothing is wanted."""
    lock: Lock | None = None
    """Exactly what it is made of, if that was locked."""
    proof_days: int = 0
    """How old the newest proof of backups may be; nobody asks if 0."""
    _given: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _hosts_exist_and_can_be_ordered(self) -> "Deployment":
        named = {earlier for state in self.hosts.values() for earlier in state.after}
        named |= {host for check in self.checks if (host := getattr(check, "host", None))}
        if unknown := sorted(named - self.hosts.keys()):
            raise ValueError(f"names hosts that are not there: {', '.join(unknown)}")
        if cycle := cycle_of({name: state.after for name, state in self.hosts.items()}):
            raise ValueError(f"has hosts that wait for each other: {' before '.join(cycle)}")
        return self

    @property
    def given(self) -> Mapping[str, SecretStr]:
        """Secrets that the operator gave, by label. Never written, shown, or part of the digest."""
        return self._given

    @property
    def digest(self) -> str:
        """SHA-256 over all that is wanted. What only concerns this deployer is left out, such as where its keys lie."""
        dump = self.model_dump(
            mode="json",
            exclude={
                "secrets": True,
                "packages": True,
                "parallel": True,
                "person": True,
                "proof_days": True,
                "hosts": {"__all__": {"connection": DEPLOYERS_OWN, "belongings": True, "data": True}},
            },
        )
        return digest_of(dump)

    def locked(self, lock: Lock) -> "Deployment":
        """The same deployment, of exactly the images and packages of a lock. Raises ConfigurationError if some lack."""
        places = [(name, item) for name, state in self.hosts.items() for item in state.items]
        if lacking := {f"{host} {item.id}" for host, item in places if lock.lacks(host, item)}:
            mistakes = [Mistake(name, "is not in the lock") for name in sorted(lacking)]
            raise ConfigurationError("the lock", mistakes, hint="write it anew: fedikit lock")
        hosts = {
            name: state.model_copy(update={"items": tuple(lock.applied(name, item) for item in state.items)})
            for name, state in self.hosts.items()
        }
        deployment = self.model_copy(update={"hosts": hosts, "lock": lock})
        return deployment.with_given(self.given)

    def checks_on(self, hosts: Sequence[str]) -> tuple[Check, ...]:
        """The checks of what is placed on these hosts."""
        placed = {application for host in hosts for application in self.hosts[host].applications}
        ours = (check for check in self.checks if check.application in placed)
        return tuple(check for check in ours if getattr(check, "host", hosts[0]) in hosts)

    def mermaid(self) -> str:
        """The deployment as a Mermaid diagram."""
        return mermaid(self.hosts, self.dns)

    def with_given(self, given: Mapping[str, SecretStr]) -> "Deployment":
        """The same deployment, with secrets that the operator gave."""
        deployment = self.model_copy()
        deployment._given = dict(given)
        return deployment

    def __str__(self) -> str:
        items = counted(item.kind for state in self.hosts.values() for item in state.items) or "nothing wanted"
        hosts = counted("host" for _ in self.hosts)
        return f"{self.name}: {hosts}; {items}; {counted('check' for _ in self.checks) or 'no checks'}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """How a notebook shows it: JupyterLab draws the diagram, others show its text."""
        diagram = self.mermaid()
        return {
            "text/plain": str(self),
            "text/markdown": f"```mermaid\n{diagram}```\n",
            "text/vnd.mermaid": diagram,
        }


def cycle_of(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Names that wait for each other in a circle; empty when there is an order."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
