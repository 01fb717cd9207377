"""What a backup is proven in: the operator's own deployment of one application, on machines of a lab. Pure.

The master key, the domain, the settings and the images are the real ones. What is different is what would lead out, or
in: addresses, names, certificates, a bucket that somebody else keeps, the firewall; and nothing is backed up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fedikit.environment.environment import Environment
from fedikit.environment.watch import Watch
from fedikit.model.check import BackupIsYoung
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment, Network
from fedikit.model.host import HostState, Ssh
from fedikit.model.item import Item
from fedikit.policies.bucket import BucketPolicy, GaragePolicy
from fedikit.policies.web import WebPolicy
from fedikit_lab.acme import DIRECTORY_PORT, HOST

_TIMED = ("file:/etc/systemd/system/fedikit-backup-", "unit:fedikit-backup-")
"""How what makes backups by itself begins."""

_OF_ALL_HOSTS = {"firewall": None, "packages": None}
"""Policies that have something on hosts where no application is."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is known of a lab that is up.

    machines    how the machine of each host is reached
    dns         where its names are known
    authority   by what its ACME authority is recognised (PEM)
    trust       by what the certificates are that it issues (PEM)
    repository  where backups are read, as restic calls it
    """

    machines: Mapping[str, Ssh]
    dns: str
    authority: str
    trust: str
    repository: str


def hosts_of(environment: Environment, configuration: Configuration, application: str) -> list[str]:
    """The hosts that it takes: its own, and those that serve it."""
    bare = environment.policies.model_copy(update=_OF_ALL_HOSTS)
    own = environment.model_copy(update={"placement": _placement(environment, application), "policies": bare})
    deployment = own.deployment(configuration.only(application))
    first = list(environment.placement.get(application, ()))
    return list(dict.fromkeys([*first, *(name for name, state in deployment.hosts.items() if state.items)]))


def rehearsal(environment: Environment, configuration: Configuration, application: str, stage: Stage) -> Deployment:
    """The deployment of the application on the machines of a lab."""
    there = environment.model_copy(
        update={
            "hosts": dict(stage.machines),
            "placement": _placement(environment, application),
            "policies": _policies(environment, stage),
            "network": Network(dns=stage.dns, trust=stage.trust),
            "dns": None,
            "watch": Watch(),
        }
    )
    deployment = there.deployment(configuration.only(application))
    checks = tuple(check for check in deployment.checks if not isinstance(check, BackupIsYoung))
    hosts = {name: _without_timers(state) for name, state in deployment.hosts.items()}
    return deployment.model_copy(update={"checks": checks, "hosts": hosts})


def _placement(environment: Environment, application: str) -> dict[str, tuple[str, ...]]:
    return {name: hosts for name, hosts in environment.placement.items() if name == application}


def _policies(environment: Environment, stage: Stage) -> object:
    own = environment.policies
    lost = {"access_key": "", "user": "", "known_host": None, "upload_kib": 0, "download_kib": 0, "skip": ()}
    backup = own.backup.model_copy(update={**lost, "repository": stage.repository}) if own.backup else None
    update = {
        "web": _web(own.web, stage),
        "bucket": _bucket(own.bucket, next(iter(stage.machines))),
        "backup": backup,
        **_OF_ALL_HOSTS,
    }
    return own.model_copy(update=update)


def _web(own: WebPolicy | None, stage: Stage) -> WebPolicy | None:
    if own is None:
        return None
    directory = f"https://{HOST}:{DIRECTORY_PORT}/dir"
    trust = f"{own.trust}\n{stage.trust}" if own.trust else stage.trust
    return own.model_copy(update={"acme_directory": directory, "acme_root": stage.authority, "trust": trust})


def _bucket(own: BucketPolicy | None, host: str) -> BucketPolicy | None:
    """A bucket that somebody else keeps is out of reach: one of the machines keeps it then."""
    if own is None or isinstance(own, GaragePolicy):
        return own
    return GaragePolicy(host=host)


def _without_timers(state: HostState) -> HostState:
    return state.model_copy(update={"items": tuple(item for item in state.items if not _is_timed(item))})


def _is_timed(item: Item) -> bool:
    return item.id.startswith(_TIMED)
