"""Backups: having hosts make one now, and listing what is in the repositories."""

import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from fedikit.data.kept import Kept, applications_kept
from fedikit.data.telling import told_steps
from fedikit.errors import FedikitError
from fedikit.events import HostFinished, StepFinished, StepStarted, Tell, Waiting, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.backups import backup_of, last_check_of, last_run_of, read_result
from fedikit.remote.data_messages import BackedUp, BackupsListed, Result, StepEvent
from fedikit.remote.event_messages import Noted
from fedikit.remote.hosts import side_by_side
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone
from fedikit.results.backup import ApplicationBackedUp, ApplicationBackups, BackupReport, Backups

T = TypeVar("T")
Reason = Literal["now", "anew", "upgrade"]


def make_backup(
    deployment: Deployment,
    applications: Sequence[str] = (),
    *,
    limit: Sequence[str] = (),
    reason: Reason = "now",
    tell: Tell = tell_nobody,
) -> BackupReport:
    """Has hosts back up applications now, all if none are named; one after the other on each host.

    `limit`: only on these hosts. What fails has its reason in its part. Goes on by itself should the connection end.
    `reason`: `anew` if what is there now counts, whatever was backed up under its name before; what is made for an
    upgrade is a way back, and kept for a week.
    """
    kept = applications_kept(deployment, applications, limit)
    start = time.monotonic()
    tell(StepStarted(step="backup"))
    run = new_run()
    done = _on_hosts(deployment, kept, lambda one: _backed_up(deployment, one, {"run": run, "reason": reason}, tell))
    seconds = round(time.monotonic() - start, 3)
    report = BackupReport(run=run, applications=tuple(done), seconds=seconds)
    tell(StepFinished(step="backup", seconds=seconds, failed=not report.succeeded))
    return report


def list_backups(
    deployment: Deployment, applications: Sequence[str] = (), *, limit: Sequence[str] = (), tell: Tell = tell_nobody
) -> Backups:
    """What is kept of applications, the newest first, as their hosts read it in the repositories. Changes nothing."""
    kept = applications_kept(deployment, applications, limit)
    tell(Waiting(what="the repositories to be read"))
    return Backups(
        deployment=deployment.name,
        applications=tuple(_on_hosts(deployment, kept, lambda one: _listed(deployment, one))),
    )


def _on_hosts(deployment: Deployment, kept: Sequence[Kept], act: Callable[[Kept], T]) -> list[T]:
    """The same for each application: hosts side by side, on each host one after the other."""
    hosts = list(dict.fromkeys(one.host for one in kept))
    parts = side_by_side(
        hosts, lambda host: [act(one) for one in kept if one.host == host], at_a_time=deployment.parallel.hosts
    )
    return [one for host in hosts for one in parts[host]]


def _backed_up(deployment: Deployment, kept: Kept, about: dict[str, str], tell: Tell) -> ApplicationBackedUp:
    start = time.monotonic()
    result, error = None, ""
    try:
        with failing_alone(kept.host), Session(kept.host, deployment.hosts[kept.host].connection) as session:
            session.ask(_request(deployment, kept, "backup"), Noted)
            session.order({**about, "who": deployer_name()}, iter(()))
            result = session.follow_until(BackedUp, told_steps(kept.host, kept.application, tell), StepEvent).result
    except FedikitError as failure:
        error = failure.text
    done = _as_value(kept, result, error, round(time.monotonic() - start, 3))
    detail = f"{kept.application}: {done.error or 'backed up'}"
    tell(HostFinished(host=kept.host, outcome=done.outcome, seconds=done.seconds, detail=detail))
    return done


def _as_value(kept: Kept, result: Result | None, error: str, seconds: float) -> ApplicationBackedUp:
    if result and not error and (result.newest is None or (result.last and result.last.failed)):
        error = f"{result.last.error or 'failed'}" if result.last else "there is no backup after it was made"
    return ApplicationBackedUp(
        host=kept.host,
        application=kept.application,
        outcome="failed" if error else "changed",
        backup=backup_of(result.newest) if result and result.newest and not error else None,
        repository=result.repository if result else "",
        note=result.note if result and not error else "",
        error=error,
        seconds=seconds,
    )


def _listed(deployment: Deployment, kept: Kept) -> ApplicationBackups:
    try:
        with failing_alone(kept.host), Session(kept.host, deployment.hosts[kept.host].connection) as session:
            told = session.ask(_request(deployment, kept, "list"), BackupsListed)
    except FedikitError as failure:
        return ApplicationBackups(host=kept.host, application=kept.application, error=failure.text)
    result = read_result(told.record) or Result()
    return ApplicationBackups(
        host=kept.host,
        application=kept.application,
        repository=result.repository,
        backups=tuple(sorted(map(backup_of, told.backups), key=lambda backup: backup.ended, reverse=True)),
        notes=(*told.notes, *filter(None, [result.note])),
        last=last_run_of(result),
        check=last_check_of(result),
    )


def _request(deployment: Deployment, kept: Kept, verb: str) -> dict[str, str]:
    return {"op": "data", "deployment": deployment.name, "verb": verb, "application": kept.application}
