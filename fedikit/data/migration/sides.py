"""Both sides of a migration: two environments, one configuration, and which application goes from where to where."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from fedikit.data.kept import Kept, applications_kept
from fedikit.data.migration.journal import place_of
from fedikit.environment.environment import Environment
from fedikit.environment.load import load_configuration, load_environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake, SeveralFiles
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.results.migration import MigrationPlan


@dataclass(frozen=True)
class Sides:
    """What is to leave, and where to; `file`: the new environment's, beside which the journal and secrets lie."""

    old: Environment
    new: Environment
    configuration: Configuration
    file: Path

    def deployments(self) -> tuple[Deployment, Deployment]:
        """Of the old and of the new side; the mistakes of either are its own."""
        if self.old.name == self.new.name:
            words = f'both environments are called "{self.old.name}": hosts could not tell one from the other'
            raise ConfigurationError("the new environment", [Mistake("name", words)], hint="give the new one another")
        return self.old.deployment(self.configuration), self.new.deployment(self.configuration)

    @property
    def journal(self) -> Path:
        """Where the journal of the migration between the two lies."""
        return place_of(self.file.parent, self.old.name, self.new.name)

    def with_secrets(self) -> "Sides":
        """The same, with the new environment as its file says now that what was carried is named there."""
        return replace(self, new=load_environment(self.file))

    def serving(self, plan: MigrationPlan) -> Deployment:
        """The side that serves once the plan is carried out, as the files say then."""
        source, target = self.with_secrets().deployments()
        return source if plan.is_rehearsal or plan.direction == "back" else target


def load_sides(old: str | Path, new: str | Path, configuration: str | Path) -> Sides:
    """Reads the three files; the mistakes of all come at once."""
    found: list[Environment] = []
    errors: list[ConfigurationError] = []
    for path in (old, new):
        try:
            found.append(load_environment(path))
        except ConfigurationError as error:
            errors.append(error)
    try:
        wanted = load_configuration(configuration)
    except ConfigurationError as error:
        errors.append(error)
    if errors:
        raise SeveralFiles(errors) if len(errors) > 1 else errors[0]
    return Sides(found[0], found[1], wanted, Path(new).absolute())


class Pair(NamedTuple):
    """An application, and the hosts that it leaves and comes to."""

    application: str
    source: str
    target: str


def pairs_of(source: Deployment, target: Deployment) -> list[Pair]:
    """All applications that bear data. Raises FedikitError where one could not be carried over, with every reason."""
    left, taken = _hosts_by_application(source), _hosts_by_application(target)
    troubles = [*_troubles(source, left), *_troubles(target, taken)]
    troubles += [
        f"{name}: it is backed up in {source.name}, and not in {target.name}" for name in left.keys() - taken.keys()
    ]
    if troubles:
        hint = "data travels by backups, and comes back by them: see docs/data.md, Leave for another provider"
        raise FedikitError("\n".join(["not everything could be carried over", *sorted(set(troubles))]), hint=hint)
    return [Pair(name, left[name][0], taken[name][0]) for name in left]


def hosts_of(source: Deployment, target: Deployment) -> dict[str, tuple[str, str]]:
    """By application, the hosts that it leaves and comes to."""
    return {pair.application: (pair.source, pair.target) for pair in pairs_of(source, target)}


def _hosts_by_application(deployment: Deployment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kept in _kept(deployment):
        found.setdefault(kept.application, []).append(kept.host)
    return found


def _kept(deployment: Deployment) -> list[Kept]:
    """Those with data; nothing where an environment has no backups, which is told with all else."""
    try:
        return applications_kept(deployment)
    except FedikitError:
        return []


def _troubles(deployment: Deployment, found: dict[str, list[str]]) -> Iterator[str]:
    for host, state in deployment.hosts.items():
        for name, data in state.data.items():
            if data.parts and host not in found.get(name, ()):
                yield f"{name}: its data on {host} of {deployment.name} is not backed up (policies.backup)"
    for name, hosts in found.items():
        if len(hosts) > 1:
            yield f"{name}: it is on several hosts of {deployment.name} ({', '.join(hosts)}), each with data of its own"
