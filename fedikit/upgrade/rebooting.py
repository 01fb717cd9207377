"""Rebooting a host, and waiting until it is there again: over a new connection, in another boot."""

import time

from fedikit.errors import DeadlineExceeded, FedikitError, HostError
from fedikit.events import Tell, Waiting
from fedikit.model.deployment import Deployment
from fedikit.model.host import Local
from fedikit.remote.event_messages import Noted
from fedikit.remote.messages import Upgradable
from fedikit.remote.session import Session, deployer_name

DEADLINE_SECONDS = 900.0
"""How long a machine may take to boot: large ones test their memory for minutes."""
LOOK_SECONDS = 1.0


def reboot_and_wait(
    host: str, deployment: Deployment, *, boot: str, run: str, tell: Tell, deadline: float = DEADLINE_SECONDS
) -> None:
    """Has the host reboot, and returns when its agent answers from another boot than `boot`.

    Raises DeadlineExceeded, or the HostError of a host that will not.
    """
    if isinstance(deployment.hosts[host].connection, Local):
        raise HostError(host, "is the machine that fedikit runs on, and is not rebooted under it", hint="do it by hand")
    with Session(host, deployment.hosts[host].connection) as session:
        request = {"op": "reboot", "deployment": deployment.name, "who": deployer_name(), "run": run}
        session.ask(request, Noted)
    tell(Waiting(what=f"{host} to come back after its reboot"))
    end = time.monotonic() + deadline
    while _boot_of(host, deployment) in ("", boot):
        if time.monotonic() > end:
            hint = "look at its console; once it answers, run the upgrade again"
            raise DeadlineExceeded(f"{host} to come back after its reboot", deadline, hint=hint)
        time.sleep(LOOK_SECONDS)


def _boot_of(host: str, deployment: Deployment) -> str:
    """Which boot it is that answers; empty if nobody does."""
    try:
        with Session(host, deployment.hosts[host].connection) as session:
            return session.ask({"op": "upgrade", "deployment": deployment.name}, Upgradable).boot
    except FedikitError:
        return ""
