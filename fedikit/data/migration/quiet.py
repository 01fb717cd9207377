"""Hosts on which somebody is still at work when a migration begins, such as what an earlier run left there."""

import time
from collections.abc import Mapping

from fedikit.errors import FedikitError
from fedikit.events import Tell, Waiting
from fedikit.model.deployment import Deployment
from fedikit.remote import messages
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone

LONGEST_SECONDS = 60.0
"""Longer than what read by a way that was cut off may take to find that out."""
PAUSE_SECONDS = 1.0


def await_quiet(places: Mapping[tuple[str, str], Deployment], *, tell: Tell, seconds: float = LONGEST_SECONDS) -> None:
    """Waits until nobody changes these hosts any more, for so long in all.

    `places`: by the names of an environment and of a host in it, the deployment. Whoever is at work longer, and a host
    that cannot be asked, are told by what is asked of it next.
    """
    ends = time.monotonic() + seconds
    for (_, host), deployment in places.items():
        told = ""
        while (busy := _at_work_on(deployment, host)) and time.monotonic() + PAUSE_SECONDS < ends:
            if busy != told:
                tell(Waiting(what=f"{host}, which is being changed by {busy}"))
                told = busy
            time.sleep(PAUSE_SECONDS)


def _at_work_on(deployment: Deployment, host: str) -> str:
    """Who is, in words; nobody as far as is known where it cannot be asked."""
    try:
        with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
            return session.ask({"op": "status", "deployment": deployment.name}, messages.Status).busy
    except FedikitError:
        return ""
