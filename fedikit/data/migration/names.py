"""Leading names to the side that serves now: at a DNS server that takes updates, or by somebody's hand."""

import time

from fedikit.dns.lookup import look_up_names
from fedikit.dns.plan import apply_dns_plan, make_dns_plan
from fedikit.environment.environment import Environment
from fedikit.errors import FedikitError
from fedikit.events import Tell, Waiting
from fedikit.model.deployment import Deployment
from fedikit.results.names import NamesFound

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
SERVER_SECONDS = 120.0
"""How long a server may take until its own names are what it was told."""


def lead_names(
    hosting: Environment, deployment: Deployment, *, leaving: Deployment, seconds: float, tell: Tell
) -> None:
    """Has the names of a deployment lead to its hosts, and waits until they do.

    `leaving`: the deployment that they led to. `seconds`: how long somebody may take who sets them by hand. Raises
    FedikitError, which says what to set, if they do not lead there in time.
    """
    if hosting.dns:
        theirs = sorted({record.name for record in leaving.dns if _lead_to(leaving, record.name)})
        plan = make_dns_plan(hosting, deployment, taking_from=leaving.name, consent=theirs)
        apply_dns_plan(hosting, plan)
    _await(deployment, max(SERVER_SECONDS, seconds) if hosting.dns else seconds, tell)


def _lead_to(deployment: Deployment, name: str) -> bool:
    """Whether a name leads to the deployment's hosts and nowhere else: so nobody else's is taken."""
    found = look_up_names(deployment.model_copy(update={"dns": tuple(r for r in deployment.dns if r.name == name)}))
    return found.lead_there


def _await(deployment: Deployment, seconds: float, tell: Tell) -> None:
    ends, pause, told = time.monotonic() + seconds, SHORTEST_PAUSE, ""
    while not (found := look_up_names(deployment)).lead_there:
        if told != (words := _to_be_set(found)):
            tell(Waiting(what=f"names to be set: {words}"))
            told = words
        if time.monotonic() + pause > ends:
            hint = "set them, and do the same again; until then visitors reach the closed side, which says so"
            raise FedikitError(f"names do not lead to {deployment.name} yet; to be set: {words}", hint=hint)
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def _to_be_set(found: NamesFound) -> str:
    lacking = {name.name for name in found.lacking}
    records = [record for record in found.records if record.name in lacking]
    return ", ".join(f"{record.name} {record.type} {record.address}" for record in records)
