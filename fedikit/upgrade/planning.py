"""Planning an upgrade: asks every host, in one contact, which of fedikit's packages are newer by now."""

import time
from collections.abc import Sequence
from graphlib import TopologicalSorter

from fedikit.errors import FedikitError
from fedikit.events import HostPlanned, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.hosts import on_hosts
from fedikit.remote.sessions import failing_alone
from fedikit.remote.upgrades import ask_for_upgrades
from fedikit.results.upgrading import HostUpgrade, UpgradePlan
from fedikit.store import Store


def make_upgrade(
    deployment: Deployment,
    *,
    limit: Sequence[str] = (),
    reboot: bool = False,
    restart_others: bool = False,
    tell: Tell = tell_nobody,
) -> UpgradePlan:
    """What an upgrade of the packages that fedikit brought would do. Changes nothing.

    With a lock, they go to its versions. `limit`: only these hosts. `reboot`: machines that need it are rebooted.
    `restart_others`: units that run old code are restarted also where they are not fedikit's. A host that cannot be
    asked has its reason in its part.
    """
    start = time.monotonic()
    tell(StepStarted(step="plan"))
    store = Store()
    planned = on_hosts(deployment, limit, lambda host: _asked(host, deployment, store, tell))
    seconds = time.monotonic() - start
    plan = UpgradePlan(
        deployment=deployment,
        reboot=reboot,
        restart_others=restart_others,
        hosts={host: planned[host] for host in in_order(deployment) if host in planned},
        seconds=round(seconds, 3),
    )
    tell(StepFinished(step="plan", seconds=seconds, failed=plan.has_errors))
    return plan


def in_order(deployment: Deployment) -> list[str]:
    """The hosts, those that others wait for first."""
    return list(TopologicalSorter({name: state.after for name, state in deployment.hosts.items()}).static_order())


def _asked(host: str, deployment: Deployment, store: Store, tell: Tell) -> HostUpgrade:
    """What an upgrade would do on one host, or why it cannot be asked."""
    began = time.monotonic()
    try:
        with failing_alone(host):
            asked = ask_for_upgrades(host, deployment, store, tell)
            asked.session.close()
        planned = asked.upgrade
    except FedikitError as error:
        planned = HostUpgrade(host=host, error=error.text)
    tell(HostPlanned(host=host, changes=len(planned.packages), seconds=round(time.monotonic() - began, 3)))
    return planned
