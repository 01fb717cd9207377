"""The new side as it is staged: everything is there, and the applications that are to come do not run."""

from collections.abc import Collection, Mapping

from fedikit.model.check import BackupIsYoung, BucketWorks, Check, DnsResolves, TlsIsValid
from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState
from fedikit.model.item import Item, Unit

AT_THE_NAMES = (DnsResolves, BackupIsYoung, BucketWorks)
"""Checks that cannot hold before names lead to the new side, or before it has backed up."""


def staged(deployment: Deployment, applications: Collection[str]) -> Deployment:
    """The deployment with the units of these applications at rest, and without the jobs that work with them.

    Nor are they backed up by themselves: their repository may be that of where they still serve.
    """
    return staged_at(deployment, dict.fromkeys(deployment.hosts, applications))


def staged_at(deployment: Deployment, applications: Mapping[str, Collection[str]]) -> Deployment:
    """The same, on each host with those that it is to have at rest."""
    hosts = {name: _at_rest(state, applications.get(name, ())) for name, state in deployment.hosts.items()}
    return deployment.model_copy(update={"hosts": hosts, "checks": ()}).with_given(deployment.given)


def _at_rest(state: HostState, applications: Collection[str]) -> HostState:
    resting = [data for name, data in state.data.items() if name in applications]
    units = {unit for data in resting for unit in data.stop} | {f"fedikit-backup-{name}.timer" for name in applications}
    jobs = {f"job:{job}" for data in resting for job in data.jobs}
    items = tuple(_quiet(item, units) for item in state.items if item.id not in jobs)
    return state.model_copy(update={"items": items})


def _quiet(item: Item, units: set[str]) -> Item:
    if isinstance(item, Unit) and item.name in units:
        return item.model_copy(update={"active": False, "enabled": False, "restart_on": (), "reload_on": ()})
    return item


def checks_before_names(deployment: Deployment, new_sites: Collection[str] = ()) -> tuple[Check, ...]:
    """What can be seen of the new side at its own addresses, as long as names lead to the old one.

    `new_sites`: domains that lead to neither; nobody vouches for them yet.
    """
    seen = (check for check in deployment.checks if not isinstance(check, AT_THE_NAMES))
    return tuple(check for check in seen if not (isinstance(check, TlsIsValid) and check.domain in new_sites))
