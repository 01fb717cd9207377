"""Which applications are backed up, and on which hosts: by the settings that the policy gave them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.data import application_of
from fedikit.model.deployment import Deployment
from fedikit.model.item import File
from fedikit.model.mistake import did_you_mean


class Kept(NamedTuple):
    """An application on a host that is backed up there."""

    host: str
    application: str


def applications_kept(deployment: Deployment, names: Sequence[str] = (), limit: Sequence[str] = ()) -> list[Kept]:
    """Those of these names on these hosts, all if none are named; raises FedikitError where nothing is backed up."""
    found = list(_found(deployment))
    if not found:
        raise FedikitError(
            f"{deployment.name} has no backups: the environment has no policies.backup",
            hint="docs/operations/backups.md says what to write there; then apply",
        )
    _require("--application", names, sorted({one.application for one in found}), deployment)
    _require("--limit", limit, sorted(deployment.hosts), deployment)
    wanted = [one for one in found if (not names or one.application in names) and (not limit or one.host in limit)]
    if not wanted:
        raise FedikitError(f"{deployment.name}: nothing of it is backed up on {', '.join(limit)}")
    return wanted


def _found(deployment: Deployment) -> Iterator[Kept]:
    for host, state in deployment.hosts.items():
        for item in state.items:
            if isinstance(item, File) and (name := application_of(item.path)):
                yield Kept(host, name)


def _require(option: str, given: Sequence[str], known: list[str], deployment: Deployment) -> None:
    unknown = [name for name in given if name not in known]
    mistakes = [Mistake(option, f"nothing of {name} is known{did_you_mean(name, known)}") for name in unknown]
    if mistakes:
        raise ConfigurationError(deployment.name, mistakes, hint=f"there is: {', '.join(known)}")
