"""What runbooks do to know that it serves: checks from outside, after any change or without one."""

import fedikit
from fedikit.model.deployment import Deployment
from fedikit.results.services import services_of
from fedikit.runbook.acting import Acting
from fedikit.runbook.guidance import show_note
from fedikit.runbook.summary import NothingDone


class Checking(Acting):
    """The steps of verify, with which most other runbooks end."""

    _silent: tuple[str, ...] = ()
    """The hosts that gave no answer."""

    def note_answers(self, asked: "fedikit.Status") -> None:
        """Notes which hosts do not answer: the others are checked nevertheless, and the run fails in the end."""
        self._keep_answers(asked)
        self._silent = tuple(name for name, host in asked.hosts.items() if host.error)

    def verify(self, deployment: Deployment) -> "fedikit.Verdict | NothingDone":
        """Checks what serves from outside; after a dry run there is nothing new to check."""
        if self.is_dry_run:
            return self._pass_over("verify")
        with self.step("verify", total=len(deployment.checks)):
            self._hide_secrets_of(deployment)
            limit = getattr(self.parameters, "limit", ())
            verdict = fedikit.verify_deployment(deployment, limit=limit, tell=self.tell)
            self._keep_verdict(verdict)
            self._require(verdict.passed, verdict, self._with_silent("not every check passed"))
            self._require(not self._silent, verdict, self._with_silent("every check passed"))
        self._show(services_of(deployment, limit))
        return verdict

    def verify_back(self, plan: "fedikit.Plan") -> None:
        """Checks from outside what the hosts that went back promised then; says where there is nothing to check."""
        if self.is_dry_run:
            return
        self._hide_secrets_of(plan.deployment)
        verdict = fedikit.verify_rollback(plan, tell=self.tell)
        self._keep_verdict(verdict)
        for words in plan.unpromised:
            show_note(f"not checked: {words}")
        self._require(verdict.passed, verdict, "what served then does not serve again")
        self._require(not plan.has_forgeries, verdict, "a host shows other checks than it was given")
        if verdict.results:
            self._show(verdict)

    def _keep_verdict(self, verdict: "fedikit.Verdict") -> None:
        self._notes.keep("checks.xml", verdict.junit())
        self._notes.keep("verdict.json", verdict.model_dump_json(indent=1))

    def _with_silent(self, words: str) -> str:
        return f"{words}, but no answer came from {', '.join(self._silent)}" if self._silent else words
