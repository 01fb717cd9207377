"""Restoring from another repository, such as another provider's, which the host reads by a way of its deployer's."""

from fedikit.data.planning import ask_to_restore
from fedikit.data.telling import told_steps
from fedikit.data.way.other import Other
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import BackupsListed, Manifest, Restored, RestoreDone, RestoreTold, StepEvent
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone


def list_other(deployment: Deployment, host: str, application: str, *, other: Other) -> tuple[Manifest, ...]:
    """The backups in another repository, as the host reads it. Changes nothing; raises a HostError."""
    request = {"op": "data", "deployment": deployment.name, "verb": "list", "application": application}
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        return session.ask({**request, "other": other.told()}, BackupsListed).backups


def plan_restore_from(
    deployment: Deployment, host: str, application: str, *, backup: str = "", other: Other
) -> RestoreTold:
    """What it would do on a host to restore a backup of another repository, the newest if none is named.

    Changes nothing; raises a HostError.
    """
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        return ask_to_restore(session, deployment, application, backup, other.told()).plan


def restore_from(
    deployment: Deployment,
    host: str,
    application: str,
    *,
    backup: str,
    other: Other | None,
    migration: str = "",
    tell: Tell = tell_nobody,
) -> RestoreDone:
    """Restores exactly that backup of another repository, of which nothing is written; raises a HostError.

    `other`: none for the host's own repository. `migration`: only where that one has closed the application, so that
    nothing is replaced that serves.

    What was there is not saved. Where the application is closed, it stays closed. From the next backup on, what is
    there is what the host's own repository is for.
    """
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        told = ask_to_restore(session, deployment, application, backup, other.told() if other else None)
        order = {"run": new_run(), "who": deployer_name(), "basis": told.basis, "saves": False, "migration": migration}
        session.order(order, iter(()))
        return session.follow_until(Restored, told_steps(host, application, tell, "restore"), StepEvent).restored
