"""Bringing a backup to a closed application, also from another repository, by a way of the deployer's."""

from fedikit.data.telling import told_steps
from fedikit.data.way.other import Other
from fedikit.events import Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import Restored, RestoreDone, StepEvent
from fedikit.remote.event_messages import Noted
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone


def bring_backup(
    deployment: Deployment,
    host: str,
    application: str,
    *,
    backup: str,
    migration: str,
    other: Other | None,
    tell: Tell = tell_nobody,
) -> RestoreDone:
    """Restores exactly that backup where the migration has closed the application, which stays closed.

    `other`: the repository that it is read from, of which nothing is written; none for the host's own. What was there
    is not saved, and a restore of another backup that was cut off is given up. From the next backup on, what is there
    is what the host's own repository is for. Raises a HostError, also where the application is not closed: nothing is
    replaced that serves.
    """
    request = {"op": "data", "deployment": deployment.name, "verb": "bring", "application": application}
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        session.ask(request | ({"other": other.told()} if other else {}), Noted)
        order = {"run": new_run(), "who": deployer_name(), "backup": backup, "migration": migration}
        session.order(order, iter(()))
        return session.follow_until(Restored, told_steps(host, application, tell, "restore"), StepEvent).restored
