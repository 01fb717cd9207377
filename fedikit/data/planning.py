"""Planning a restore: asks each host which backup it would be, and what of today's data that would replace."""

import time
from collections.abc import Sequence

from fedikit.data.kept import Kept, applications_kept
from fedikit.data.moment import as_asked
from fedikit.errors import FedikitError
from fedikit.events import HostPlanned, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import Restorable
from fedikit.remote.hosts import side_by_side
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.results.restoring import ApplicationRestore, RestorePlan


def make_restore(
    deployment: Deployment,
    *,
    at: str | None = None,
    application: str | None = None,
    limit: Sequence[str] = (),
    saves: bool = True,
    tell: Tell = tell_nobody,
) -> RestorePlan:
    """What a restore would replace by what. Changes nothing.

    `at`: a time in UTC, a day, or a backup's name; the newest backup that had ended by then, or else the newest of all.
    `application`: only that one. `limit`: only on these hosts. `saves`: what is there now is backed up before. What
    cannot be planned has its reason in its part.
    """
    when = as_asked(at)
    kept = applications_kept(deployment, [application] if application else [], limit)
    start = time.monotonic()
    tell(StepStarted(step="plan"))

    def ask(host: str) -> list[ApplicationRestore]:
        began = time.monotonic()
        planned = [_planned(deployment, one, when) for one in kept if one.host == host]
        parts = sum(len(one.parts) for one in planned)
        tell(HostPlanned(host=host, changes=parts, seconds=round(time.monotonic() - began, 3)))
        return planned

    hosts = list(dict.fromkeys(one.host for one in kept))
    found = side_by_side(hosts, ask, at_a_time=deployment.parallel.hosts)
    seconds = round(time.monotonic() - start, 3)
    plan = RestorePlan(
        deployment=deployment,
        at=when,
        saves=saves,
        applications=tuple(one for host in hosts for one in found[host]),
        seconds=seconds,
    )
    tell(StepFinished(step="plan", seconds=seconds, failed=plan.has_errors))
    return plan


def _planned(deployment: Deployment, kept: Kept, at: str) -> ApplicationRestore:
    try:
        with failing_alone(kept.host), Session(kept.host, deployment.hosts[kept.host].connection) as session:
            told = ask_to_restore(session, deployment, kept.application, at)
    except FedikitError as error:
        return ApplicationRestore(host=kept.host, application=kept.application, error=error.text)
    return ApplicationRestore(host=kept.host, application=kept.application, basis=told.basis, **told.plan.model_dump())


def ask_to_restore(session: Session, deployment: Deployment, application: str, at: str) -> Restorable:
    """What the host would do; it waits for the order."""
    request = {"op": "data", "deployment": deployment.name, "verb": "restore", "application": application, "at": at}
    return session.ask(request, Restorable)
