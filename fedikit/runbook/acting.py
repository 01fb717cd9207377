"""What every runbook that asks hosts and acts on them does: it needs their answers, and acts once, as was agreed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import fedikit
from fedikit.errors import FedikitError
from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.model.deployment import Deployment
from fedikit.runbook.go import offer
from fedikit.runbook.guidance import StepRefused
from fedikit.runbook.steps import Steps
from fedikit.runbook.summary import NothingDone, Summary
from fedikit.secrets import Vault, secrets_of

if TYPE_CHECKING:
    from fedikit.environment.environment import Environment
    from fedikit.remote.sessions import Sessions

    Offered = fedikit.Plan | fedikit.RestorePlan | fedikit.MigrationPlan
    AnyPlan = Offered | fedikit.UpgradePlan
    Asked = AnyPlan | fedikit.Backups | fedikit.Status

KEPT_AS = {
    "Backups": "backups.json",
    "MigrationPlan": "migration.json",
    "Plan": "plan.json",
    "RestorePlan": "restore.json",
    "Status": "status.json",
    "UpgradePlan": "upgrade.json",
}
"""The file of the record in which an answer is kept, by its kind."""


class Acting(Steps):
    """Steps that ask hosts, and one that acts."""

    _sessions: "Sessions | None" = None

    def sessions(self, wanted: "Deployment | Environment") -> "Sessions":
        """The connections on which a plan is made; they stay open for the `apply` that follows it."""
        from fedikit.remote.sessions import Sessions

        self._close_sessions()
        self._sessions = Sessions(wanted if isinstance(wanted, Deployment) else wanted.empty(), foreseeing=True)
        return self._sessions

    def _close_sessions(self) -> None:
        if self._sessions:
            self._sessions.close()
        self._sessions = None

    def require_answers(self, asked: "Asked") -> None:
        """Makes sure that every host answered and that nothing there stands in the way."""
        self._keep_answers(asked)
        if asked.has_errors:
            self._close_sessions()
        hint = "mend what is said above"
        hint = f"leave the others alone with limit=…, or {hint}" if hasattr(self.parameters, "limit") else hint
        self._require(not asked.has_errors, asked, "not every host can be worked on", hint=hint)

    def summary(self) -> Summary:
        """Sums up the steps taken, when nothing is asked any more."""
        self._close_sessions()
        return super().summary()

    def _keep_answers(self, asked: "Asked") -> None:
        self._planned = getattr(asked, "digest", self._planned)
        self._notes.keep(KEPT_AS[type(asked).__name__], asked.model_dump_json(indent=1))

    @contextmanager
    def _acting(self, *deployments: Deployment, plan: "AnyPlan | None" = None, total: int = 0) -> Iterator[None]:
        """The step that acts, once in a run; secrets of these deployments are hidden from here on."""
        self._refuse_an_old_plan()
        with self.step("apply", total=total):
            if plan:
                self._refuse_another_plan(plan)
            for deployment in deployments:
                self._hide_secrets_of(deployment)
            yield

    def _offer(self, plan: "Offered") -> NothingDone:
        """What a dry run does instead of acting: it asks a person who is there."""
        self._close_sessions()
        passed = self._pass_over("apply")
        return offer(plan, self.parameters, self._own.folder.parent) or passed if self._own else passed

    def _refuse_an_old_plan(self) -> None:
        if any(step.name == "apply" for step in self._steps):
            raise StepRefused(
                "this run has applied its plan already", hint="run the notebook from the top, for a fresh plan"
            )
        plans = [step for step in self._steps if step.name == "plan"]
        if not plans or plans[-1].outcome != "done":
            raise StepRefused("this run has no plan yet", hint="run the notebook from the top")

    def _refuse_another_plan(self, plan: "AnyPlan") -> None:
        agreed = getattr(self.parameters, "agreed", "")
        if agreed and agreed != plan.digest:
            self._close_sessions()
            message = "what would be done is no longer what was agreed to; nothing was changed"
            raise FedikitError(message, hint="look at the plan again: a host, the files or Debian's packages moved")

    def _hide_secrets_of(self, deployment: Deployment) -> None:
        vault = Vault.of(deployment)
        self.hide(vault.value(ref) for ref in secrets_of(deployment))

    def _but_for_step(self, name: str) -> Tell:
        """Takes the library's events, but for those of a step that is a part of ours."""

        def tell(event: Event) -> None:
            if not (isinstance(event, StepStarted | StepFinished) and event.step == name):
                self.tell(event)

        return tell
