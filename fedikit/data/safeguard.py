"""Upgrades that cannot lose an application: its data is backed up first; if the new version fails, both go back.

What people wrote between the backup and the failure is not lost either: the way back begins with a backup of its own.
"""

import time
from collections.abc import Iterator, Sequence

from fedikit.apply import apply_plan
from fedikit.data.backups import make_backup
from fedikit.data.carrying_out import put_back
from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell, tell_nobody
from fedikit.plan import make_rollback
from fedikit.remote.sessions import Sessions
from fedikit.results.endangered import Endangered, endangered_by
from fedikit.results.plan import Plan
from fedikit.results.report import HostReport, Report, Returned

WORKED_ON = ("job", "unit")
"""Kinds of items that may have touched an application's data."""


def apply_safely(plan: Plan, *, sessions: Sessions | None = None, tell: Tell = tell_nobody) -> Report:
    """`apply_plan`, with a backup before of each application that gets another version, and a way back.

    Where the new version's migrations fail, or it does not get healthy, the host goes back to what was there before,
    images and data, and the report says so. Raises FedikitError, with nothing changed, if no backup can be made.
    """
    endangered = [one for one in endangered_by(plan) if not one.lack]
    saved = _saved(plan, endangered, tell) if endangered else {}
    report = apply_plan(plan, sessions=sessions, tell=tell)
    lost = [one for one in endangered if _is_lost(plan, one, report.hosts[one.host])]
    if not lost:
        return report
    returned = tuple(_gone_back(plan, lost, saved, tell))
    return report.model_copy(update={"returned": returned})


def _saved(plan: Plan, endangered: Sequence[Endangered], tell: Tell) -> dict[tuple[str, str], str]:
    """By host and application, the backup that was made of it."""
    names, hosts = ({getattr(one, field) for one in endangered} for field in ("application", "host"))
    report = make_backup(plan.deployment, sorted(names), limit=sorted(hosts), reason="upgrade", tell=tell)
    if not report.succeeded:
        words = "; ".join(f"{one.application} on {one.host}: {one.error}" for one in report.applications if one.error)
        hint = "see why: fedikit backup now; without a backup, a version that fails could take the data along"
        raise FedikitError(f"nothing was changed, for no backup could be made before: {words}", hint=hint)
    return {(one.host, one.application): one.backup.id for one in report.applications if one.backup}


def _is_lost(plan: Plan, one: Endangered, report: HostReport) -> bool:
    """Whether its host failed after the new version may have touched the data."""
    owners = plan.deployment.hosts[one.host].belongings
    done = (item.id for item in report.items if item.id.partition(":")[0] in WORKED_ON)
    return report.outcome == "failed" and any(one.application in owners.get(item, ()) for item in done)


def _gone_back(
    plan: Plan, lost: Sequence[Endangered], saved: dict[tuple[str, str], str], tell: Tell
) -> Iterator[Returned]:
    """Data first, with nothing running; then the images, whose start is part of it."""
    for host in dict.fromkeys(one.host for one in lost):
        names = [one.application for one in lost if one.host == host]
        start, error = time.monotonic(), ""
        befores: dict[str, str] = {}
        tell(StepStarted(step="way back"))
        try:
            for name in names:
                befores[name] = put_back(plan.deployment, host, name, backup=saved[host, name], tell=tell)
            _roll_back(plan, host, tell)
        except FedikitError as failure:
            error = failure.text
        tell(StepFinished(step="way back", seconds=time.monotonic() - start, failed=bool(error)))
        for name in names:
            before = befores.get(name, "")
            yield Returned(host=host, application=name, backup=saved[host, name], before=before, error=error)


def _roll_back(plan: Plan, host: str, tell: Tell) -> None:
    with Sessions(plan.deployment) as sessions:
        back = make_rollback(plan.deployment, limit=[host], sessions=sessions, tell=tell)
        report = apply_plan(back, sessions=sessions, tell=tell)
    failed = "; ".join(one.error for one in report.hosts.values() if one.error)
    if failed or back.hosts[host].error:
        raise FedikitError(failed or back.hosts[host].error)
