"""Carrying out an upgrade: one host after the other, its checks after each; ends at the first that fails."""

import time
from collections.abc import Iterator
from typing import Any

from fedikit.errors import FedikitError, HostError, StalePlan
from fedikit.events import CheckFinished, Event, HostFinished, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.remote.event_messages import ItemEvent
from fedikit.remote.sending import counted, pieces_of, tell_item
from fedikit.remote.session import deployer_name, new_run
from fedikit.remote.sessions import failing_alone
from fedikit.remote.upgrades import AskedUpgrade, ask_for_upgrades
from fedikit.results.upgrading import HostUpgrade, HostUpgraded, UpgradePlan, UpgradeReport
from fedikit.store import Store
from fedikit.upgrade.rebooting import reboot_and_wait
from fedikit.verify.deployment import verify_deployment


def apply_upgrade(plan: UpgradePlan, *, tell: Tell = tell_nobody) -> UpgradeReport:
    """Upgrades the hosts as planned, one after the other, and verifies each before the next.

    A host that fails, or whose checks do, is the last: those after it are left as they are, and the report says so. A
    host whose packages have moved since it was planned refuses. Cut short anywhere, it is ended by another upgrade.
    """
    start = time.monotonic()
    tell(StepStarted(step="apply"))
    upgrading = _Upgrading(plan, tell)
    hosts = upgrading.run()
    seconds = time.monotonic() - start
    report = UpgradeReport(run=upgrading.name, hosts=hosts, seconds=round(seconds, 3))
    tell(StepFinished(step="apply", seconds=seconds, failed=not report.succeeded))
    return report


class _Upgrading:
    """One upgrade of all hosts."""

    def __init__(self, plan: UpgradePlan, tell: Tell) -> None:
        self.plan = plan
        self.deployment = plan.deployment
        self.tell = tell
        self.store = Store()
        self.name = new_run()

    def run(self) -> dict[str, HostUpgraded]:
        done: dict[str, HostUpgraded] = {}
        failed = ""
        for name, planned in self.plan.hosts.items():
            if failed:
                words = f"is as it was: the upgrade ended at {failed}"
                done[name] = HostUpgraded(host=name, outcome="skipped", left=planned.pending, error=words)
            else:
                done[name] = self._one_host(planned)
            failed = failed or (name if done[name].outcome == "failed" else "")
            self._tell_end(done[name])
        return done

    def _tell_end(self, host: HostUpgraded) -> None:
        self.tell(HostFinished(host=host.host, outcome=host.outcome, seconds=host.seconds, detail=host.error))

    def _one_host(self, planned: HostUpgrade) -> HostUpgraded:
        if planned.error:
            return HostUpgraded(host=planned.host, outcome="failed", error=planned.error)
        if not self.plan.has_work(planned):
            return HostUpgraded(host=planned.host, outcome="same", left=planned.pending)
        start = time.monotonic()
        host = _Host(self, planned)
        try:
            with failing_alone(planned.host):
                host.upgrade()
            error = ""
        except FedikitError as failure:
            error = failure.text
        return HostUpgraded(
            host=planned.host,
            outcome="failed" if error else "changed",
            packages=planned.packages if host.is_upgraded else (),
            restarted=tuple(host.restarted),
            rebooted=host.is_rebooted,
            left=host.left.pending,
            checks=host.checks,
            error=error,
            seconds=round(time.monotonic() - start, 3),
        )


class _Host:
    """One host's upgrade: packages, restarts, perhaps a reboot, checks."""

    def __init__(self, upgrading: _Upgrading, planned: HostUpgrade) -> None:
        self.plan = upgrading.plan
        self.deployment = upgrading.deployment
        self.store = upgrading.store
        self.run_name = upgrading.name
        self.tell = upgrading.tell
        self.planned = planned
        self.name = planned.host
        self.left = planned
        self.restarted: list[str] = []
        self.is_upgraded = False
        self.is_rebooted = False
        self.checks = 0

    def upgrade(self) -> None:
        self._order()
        self.is_upgraded = True
        self.left = self._look_again()
        if self.plan.reboot and self.left.pending.reboot:
            reboot_and_wait(self.name, self.deployment, boot=self.left.boot, run=self.run_name, tell=self.tell)
            self.is_rebooted = True
            self.left = self._look_again()
        self._require_all_done()
        self._verify()

    def _ask(self) -> AskedUpgrade:
        return ask_for_upgrades(self.name, self.deployment, self.store, self.tell)

    def _look_again(self) -> HostUpgrade:
        asked = self._ask()
        asked.session.close()
        return asked.upgrade

    def _order(self) -> None:
        asked = self._ask()
        with asked.session as session:
            if (asked.upgrade.basis, asked.upgrade.debs) != (self.planned.basis, self.planned.debs):
                raise StalePlan(self.name, "has changed since it was planned; nothing was done", hint="plan again")
            self._fetch(asked)
            session.order(self._words(asked), self._pieces(asked))
            session.follow(self._hear)

    def _fetch(self, asked: AskedUpgrade) -> None:
        if lacking := [deb for deb in asked.debs_to_send if deb.uri]:
            from fedikit.store import fetch  # needed where packages are only

            fetch(lacking, store=self.store, tell=self.tell)

    def _words(self, asked: AskedUpgrade) -> dict[str, Any]:
        return {
            "run": self.run_name,
            "who": deployer_name(),
            "basis": self.planned.basis,
            "debs": [{"name": deb.name, "version": deb.version, "sha256": deb.sha256} for deb in asked.debs],
            "blobs": [{"sha256": deb.sha256, "size": deb.size} for deb in asked.debs_to_send],
            "restart_others": self.plan.restart_others,
        }

    def _pieces(self, asked: AskedUpgrade) -> Iterator[bytes]:
        debs = asked.debs_to_send
        pieces = (piece for deb in debs for piece in pieces_of(self.store.path(deb.sha256)))
        return counted(pieces, total=sum(deb.size for deb in debs), host=self.name, tell=self.tell)

    def _hear(self, event: ItemEvent) -> None:
        if event.phase == "end" and event.id.startswith("unit:") and not event.failed:
            self.restarted.append(event.id.removeprefix("unit:"))
        tell_item(self.name, event, self.tell)

    def _require_all_done(self) -> None:
        if self.left.debs:
            names = ", ".join(deb.name for deb in self.left.debs)
            raise HostError(self.name, f"still has older versions of {names} after its upgrade")

    def _tell_check(self, event: Event) -> None:
        """Verifying a host is no step of its own, but a part of this one."""
        if isinstance(event, CheckFinished):
            self.tell(event)

    def _verify(self) -> None:
        verdict = verify_deployment(self.deployment, limit=[self.name], tell=self._tell_check)
        self.checks = sum(result.passed for result in verdict.results)
        if failed := [f"{one.application}: {one.name}: {one.detail}" for one in verdict.results if not one.passed]:
            hint = "look at the service on that host; the hosts after it are as they were"
            raise HostError(self.name, f"was upgraded, but not every check holds: {'; '.join(failed)}", hint=hint)
