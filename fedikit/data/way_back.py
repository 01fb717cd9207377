"""The way back of an application whose new version failed: a backup before, and data and version of before after."""

import time
from collections.abc import Iterator, Sequence

from fedikit.apply import apply_plan
from fedikit.data.backups import make_backup
from fedikit.data.carrying_out import put_back
from fedikit.data.closing import run_what_follows
from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell
from fedikit.plan import make_rollback
from fedikit.remote.sessions import Sessions
from fedikit.results.endangered import Endangered
from fedikit.results.plan import Plan
from fedikit.results.report import HostReport, Returned

WORKED_ON = ("job", "unit")
"""Kinds of items that may have touched an application's data."""


def back_up(plan: Plan, endangered: Sequence[Endangered], tell: Tell) -> dict[tuple[str, str], str]:
    """By host and application, the backup that was made of it."""
    names, hosts = ({getattr(one, field) for one in endangered} for field in ("application", "host"))
    report = make_backup(plan.deployment, sorted(names), limit=sorted(hosts), reason="upgrade", tell=tell)
    if not report.succeeded:
        words = "; ".join(f"{one.application} on {one.host}: {one.error}" for one in report.applications if one.error)
        hint = "see why: fedikit backup now; without a backup, a version that fails could take the data along"
        raise FedikitError(f"nothing was changed, for no backup could be made before: {words}", hint=hint)
    return {(one.host, one.application): one.backup.id for one in report.applications if one.backup}


def is_lost(plan: Plan, one: Endangered, report: HostReport) -> bool:
    """Whether its host failed after the new version may have touched the data."""
    owners = plan.deployment.hosts[one.host].belongings
    done = (item.id for item in report.items if item.id.partition(":")[0] in WORKED_ON)
    return report.outcome == "failed" and any(one.application in owners.get(item, ()) for item in done)


def go_back(
    plan: Plan, lost: Sequence[Endangered], saved: dict[tuple[str, str], str], tell: Tell
) -> Iterator[Returned]:
    """Data first, with nothing running; then the images, whose start is part of it, and what follows a restore."""
    for host in dict.fromkeys(one.host for one in lost):
        names = [one.application for one in lost if one.host == host]
        start, error = time.monotonic(), ""
        befores: dict[str, str] = {}
        tell(StepStarted(step="way back"))
        try:
            for name in names:
                befores[name] = put_back(plan.deployment, host, name, backup=saved[host, name], tell=tell)
            _roll_back(plan, host, tell)
            for name in names:
                run_what_follows(plan.deployment, host, name, tell=tell)
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
