"""Carrying out a restore: one application after the other, its checks after it; ends at the first that fails."""

import time
from collections.abc import Iterator

from fedikit.data.planning import ask_to_restore
from fedikit.data.telling import told_steps
from fedikit.errors import FedikitError, HostError, StalePlan
from fedikit.events import CheckFinished, Event, HostFinished, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import Restored, RestoreDone, StepEvent
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone
from fedikit.results.restoring import ApplicationRestore, ApplicationRestored, RestorePlan, RestoreReport
from fedikit.verify.deployment import verify_deployment


def apply_restore(plan: RestorePlan, *, tell: Tell = tell_nobody) -> RestoreReport:
    """Puts the data back as planned, and verifies each application before the next.

    What was there before is backed up first, if the plan says so. An application that fails, or whose checks do, is the
    last: those after it are left as they are. A host that has moved since it was planned refuses. Cut short anywhere,
    the same restore ends what was begun.
    """
    start = time.monotonic()
    tell(StepStarted(step="restore"))
    run = new_run()
    done = tuple(_one_after_the_other(plan, run, tell))
    seconds = round(time.monotonic() - start, 3)
    report = RestoreReport(run=run, applications=done, seconds=seconds)
    tell(StepFinished(step="restore", seconds=seconds, failed=not report.succeeded))
    return report


def _one_after_the_other(plan: RestorePlan, run: str, tell: Tell) -> Iterator[ApplicationRestored]:
    failed = ""
    for planned in plan.applications:
        if failed:
            words = f"is as it was: the restore ended at {failed}"
            done = _outcome(planned, "skipped", error=words)
        else:
            done = _Restoring(plan, planned, run, tell).run()
        failed = failed or (planned.application if done.outcome == "failed" else "")
        detail = f"{planned.application}: {done.error or 'restored'}"
        tell(HostFinished(host=planned.host, outcome=done.outcome, seconds=done.seconds, detail=detail))
        yield done


def _outcome(planned: ApplicationRestore, outcome: str, **about: object) -> ApplicationRestored:
    return ApplicationRestored.model_validate(
        {"host": planned.host, "application": planned.application, "outcome": outcome, **about}
    )


def put_back(deployment: Deployment, host: str, application: str, *, backup: str, tell: Tell) -> str:
    """Restores exactly that backup, and leaves the units to somebody else to start; the backup of what was there."""
    with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
        told = ask_to_restore(session, deployment, application, backup)
        order = {"run": new_run(), "who": deployer_name(), "basis": told.basis, "saves": True, "leave_down": True}
        session.order(order, iter(()))
        return session.follow_until(Restored, told_steps(host, application, tell, "restore"), StepEvent).restored.before


class _Restoring:
    """The restore of one application on one host."""

    def __init__(self, plan: RestorePlan, planned: ApplicationRestore, run: str, tell: Tell) -> None:
        self.deployment = plan.deployment
        self.saves = plan.saves
        self.planned = planned
        self.run_name = run
        self.tell = tell
        self.done: RestoreDone | None = None
        self.checks = 0

    def run(self) -> ApplicationRestored:
        start, error = time.monotonic(), self.planned.error
        try:
            if not error:
                with failing_alone(self.planned.host):
                    self._restore()
                    self._verify()
        except FedikitError as failure:
            error = failure.text
        about = self.done.model_dump(exclude={"seconds"}) if self.done else {}
        seconds = round(time.monotonic() - start, 3)
        outcome = "failed" if error else "changed"
        return _outcome(self.planned, outcome, **about, checks=self.checks, error=error, seconds=seconds)

    def _restore(self) -> None:
        """Of exactly the backup that was planned, whatever has come since."""
        planned, application = self.planned, self.planned.application
        assert planned.backup
        with Session(planned.host, self.deployment.hosts[planned.host].connection) as session:
            told = ask_to_restore(session, self.deployment, application, planned.backup.id)
            if told.basis != planned.basis:
                raise StalePlan(planned.host, "has changed since it was planned; nothing was done", hint="plan again")
            about = {"run": self.run_name, "who": deployer_name(), "basis": planned.basis, "saves": self.saves}
            session.order(about, iter(()))
            hear = told_steps(planned.host, application, self.tell, "restore")
            self.done = session.follow_until(Restored, hear, StepEvent).restored

    def _verify(self) -> None:
        """Looks from outside whether the application serves again."""
        mine = tuple(check for check in self.deployment.checks if check.application == self.planned.application)
        verdict = verify_deployment(self.deployment.model_copy(update={"checks": mine}), tell=self._tell_check)
        self.checks = sum(result.passed for result in verdict.results)
        if failed := [f"{one.name}: {one.detail}" for one in verdict.results if not one.passed]:
            raise HostError(
                self.planned.host,
                f"{self.planned.application} was restored, but not every check holds: {'; '.join(failed)}",
                hint="look at the service on that host: fedikit logs",
            )

    def _tell_check(self, event: Event) -> None:
        """Verifying an application is no step of its own, but a part of this one."""
        if isinstance(event, CheckFinished):
            self.tell(event)
