"""What runbooks do that bring hosts to a wanted state, or to an earlier one, and that upgrade them."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

import fedikit
from fedikit.errors import ConfigurationError, Mistake
from fedikit.runbook.acting import Acting
from fedikit.runbook.summary import NothingDone

if TYPE_CHECKING:
    from fedikit.environment.environment import Environment


class Changing(Acting):
    """The steps of deploy, remove, rollback and upgrade."""

    def require_confirmed(self, environment: "Environment") -> None:
        """Makes sure that who wants to purge named the environment."""
        purge, confirm = getattr(self.parameters, "purge", False), getattr(self.parameters, "confirm", "")
        if not purge or self.is_dry_run or confirm == environment.name:
            return
        message = f"to purge takes the environment's name: confirm = {environment.name!r}"
        raise ConfigurationError(self.parameters.runbook, [Mistake("confirm", message)])

    def foresee(self, plan: "fedikit.Plan") -> None:
        """Says what would make the plan fail, before anything is done; stops there if the parameters say so."""
        from fedikit.doctor.examine import foresee  # needed only where something would change

        diagnosis = foresee(plan, sessions=self._sessions)
        if diagnosis.is_clear:
            return
        if getattr(self.parameters, "obstacles", "say") == "stop" and not self.is_dry_run:
            self._close_sessions()
            self._require(False, diagnosis, "something stands in the way", hint="mend it, or go on: obstacles = 'say'")
        self._show(diagnosis)

    def apply(self, plan: "fedikit.Plan") -> "fedikit.Report | NothingDone":
        """Applies the plan, once; in a dry run it changes nothing and says so, and asks a person who is there."""
        if self.is_dry_run:
            return self._offer(plan)
        total = sum(len(host.changes) for host in plan.hosts.values())
        with self._acting(plan.deployment, plan=plan, total=total):
            with self._sessions or nullcontext():
                report = fedikit.apply_safely(plan, sessions=self._sessions, tell=self.tell)
            self._notes.keep("report.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "not every host was brought to its wanted state")
        return report

    def upgrade(self, plan: "fedikit.UpgradePlan") -> "fedikit.UpgradeReport | NothingDone":
        """Carries out the upgrade, once; in a dry run it changes nothing and says so."""
        if self.is_dry_run:
            return self._pass_over("apply")
        total = sum(len(host.packages) for host in plan.hosts.values())
        with self._acting(plan.deployment, plan=plan, total=total):
            report = fedikit.apply_upgrade(plan, tell=self.tell)
            self._notes.keep("upgraded.json", report.model_dump_json(indent=1))
            self._require(report.succeeded, report, "the upgrade ended at the first host that failed")
        return report

    def require_done(self, plan: "fedikit.Plan") -> None:
        """Makes sure that a plan made after applying has nothing left to do."""
        if not self.is_dry_run:
            self._require(plan.is_noop, plan, "there is still something to do")

    def require_back(self, plan: "fedikit.Plan", present: "fedikit.Status") -> None:
        """Makes sure that each host that was to go back says of its last run that it came to where it was going."""
        if self.is_dry_run:
            return
        going = {name: host.target for name, host in plan.hosts.items() if host.is_changeable}
        ended = {name: host.last_run for name, host in present.hosts.items()}
        away = [
            name
            for name, target in going.items()
            if (last := ended.get(name)) is None or (last.state, last.target) != ("done", target)
        ]
        self._require(not away, present, f"not back where they were going: {', '.join(away)}")
