"""What is to be exported: which applications, from which hosts, and what a host is told of their parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.data import ApplicationData, BucketPart, MariaPart, Part, PostgresPart, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.host import Connection, DirectoryHost, HostState
from fedikit.model.item import Directory
from fedikit.model.mistake import did_you_mean
from fedikit.model.secret import SecretRef
from fedikit.policies.numbers import COUNT, FIRST
from fedikit.secrets import Vault

ORDER = ("postgresql", "mariadb", "volume", "bucket")
"""Databases first: what they name is in volumes and buckets then, unless it was deleted meanwhile."""


@dataclass(frozen=True)
class Wanted:
    """One application on one host."""

    application: str
    host: str
    state: HostState
    data: ApplicationData

    @property
    def folder(self) -> str:
        return self.data.folder

    @property
    def connection(self) -> Connection:
        return self.state.connection

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(sorted(self.data.parts, key=lambda part: ORDER.index(part.kind)))


def wanted_of(deployment: Deployment, applications: Sequence[str]) -> list[Wanted]:
    """The chosen applications, all if none are named; raises ConfigurationError for those that are not there."""
    found = list(_all(deployment))
    known = sorted({one.application for one in found})
    if unknown := [name for name in applications if name not in known]:
        mistakes = [Mistake("--application", f"{name} has no data here{did_you_mean(name, known)}") for name in unknown]
        raise ConfigurationError(deployment.name, mistakes, hint=f"these have: {', '.join(known) or 'none'}")
    if not found:
        raise ConfigurationError(deployment.name, [Mistake("applications", "none is enabled that has data of its own")])
    return [one for one in found if not applications or one.application in applications]


def _all(deployment: Deployment) -> Iterator[Wanted]:
    for host, state in deployment.hosts.items():
        for application, data in state.data.items():
            if data.parts:
                yield Wanted(application, host, state, data)


def spec_of(part: Part, wanted: Wanted, vault: Vault) -> dict[str, Any]:
    """What the program on the host is told of a part; no secret is in it."""
    told = part.model_dump(mode="json", exclude={"password", "key_id", "key_secret"}) | {"id": part.id}
    match part:
        case BucketPart():
            return told | {"key_id": part.key_id if isinstance(part.key_id, str) else vault.value(part.key_id)}
        case VolumePart():
            root = wanted.connection.path if isinstance(wanted.connection, DirectoryHost) else ""
            return told | {"path": f"{root}{part.path}", "first": first_number(part, wanted.state)}
        case _:
            return told


def secrets_of(parts: Sequence[Part], vault: Vault) -> dict[str, str]:
    """What opens the parts, by the names of `/etc/fedikit/data`; an application has one database, and one key."""
    refs: dict[str, SecretRef] = {}
    for part in parts:
        match part:
            case PostgresPart() | MariaPart():
                refs["database-password"] = part.password
            case BucketPart():
                refs["bucket-secret"] = part.key_secret
    return {name: vault.value(ref) for name, ref in refs.items()}


def first_number(part: VolumePart, state: HostState) -> int:
    """What a container's user 0 is called on the host, where a volume is a container's; else 0."""
    for item in state.items:
        if isinstance(item, Directory) and item.path == part.path and item.owner.isdigit():
            number = int(item.owner)
            return number - (number - FIRST) % COUNT if number >= FIRST else 0
    return 0
