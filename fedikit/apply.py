"""Applying a plan: fetch what is needed once, then change the hosts in parallel, those that others wait for first."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from graphlib import TopologicalSorter
from typing import Any

from fedikit.errors import FedikitError, HostError, SecretError, StalePlan, StoreError
from fedikit.events import HostFinished, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.check import Check
from fedikit.plan import planned_debs
from fedikit.remote.event_messages import Done, ItemEvent
from fedikit.remote.hosts import side_by_side
from fedikit.remote.needs import packages_for
from fedikit.remote.promises import MOST_CHECKS, Document, sealed
from fedikit.remote.sending import counted, pieces_of, tell_item
from fedikit.remote.session import deployer_name, new_run
from fedikit.remote.sessions import Asked, Sessions, failing_alone
from fedikit.results.moves import waiting_in_vain, waits_of
from fedikit.results.plan import HostPlan, Plan
from fedikit.results.report import HostReport, ItemReport, Report
from fedikit.secrets import secrets_of
from fedikit.secrets.redaction import scrub


def apply_plan(plan: Plan, *, sessions: Sessions | None = None, tell: Tell = tell_nobody) -> Report:
    """Makes the hosts as planned. One host's failure leaves the others going; the report says so.

    `sessions`: those that the plan was made with, so that it is no second contact. A host that has moved since it was
    planned refuses.
    """
    start = time.monotonic()
    tell(StepStarted(step="apply"))
    with Sessions(plan.deployment) if sessions is None else nullcontext(sessions) as open_ones:
        applying = _Applying(plan, open_ones, tell)
        hosts = applying.run()
    seconds = time.monotonic() - start
    report = Report(purpose=plan.purpose, run=applying.name, hosts=hosts, seconds=round(seconds, 3))
    tell(StepFinished(step="apply", seconds=seconds, failed=not report.succeeded))
    return report


class _Applying:
    """One apply."""

    def __init__(self, plan: Plan, sessions: Sessions, tell: Tell) -> None:
        self.plan = plan
        self.sessions = sessions
        self.tell = tell
        self.name = new_run()
        self.unreached: dict[str, HostError] = {}
        self.waits_for = _waits_for(plan)

    def run(self) -> dict[str, HostReport]:
        self._fetch(self._reach())
        sorter = TopologicalSorter(self.waits_for)
        sorter.prepare()
        reports: dict[str, HostReport] = {}
        with ThreadPoolExecutor(max_workers=self.plan.deployment.parallel.hosts) as pool:
            running: dict[Future[HostReport], str] = {}
            while sorter.is_active():
                for host in sorter.get_ready():
                    running[pool.submit(self._one_host, host, reports)] = host
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    host = running.pop(future)
                    reports[host] = future.result()
                    sorter.done(host)
        return {host: reports[host] for host in self.plan.hosts}

    # Before: what all hosts lack

    def _reach(self) -> dict[str, Asked]:
        """The hosts that are to be changed, asked again where no session is open: what they lack is known then."""

        def reach(host: str) -> Asked | None:
            try:
                with failing_alone(host):
                    asked = self._asked(host)
            except HostError as error:
                self.unreached[host] = error
                return None
            self.sessions.keep(host, asked)
            return asked

        names = [host for host, planned in self.plan.hosts.items() if planned.is_changeable and self.plan.has_changes]
        answers = side_by_side(names, reach, at_a_time=self.plan.deployment.parallel.hosts)
        return {host: asked for host, asked in answers.items() if asked}

    def _asked(self, host: str) -> Asked:
        """The session on which the host was planned, or a new one; a host that has moved refuses."""
        if asked := self.sessions.take(host):
            return asked
        planned = self.plan.hosts[host]
        asked = self.sessions.ask(host, self.plan.question)
        try:
            asked.debs = packages_for(host, asked, self.sessions, self.tell)
            if asked.answer.basis != planned.basis:
                raise StalePlan(host, "has changed since it was planned; nothing was done", hint="plan again")
            if planned_debs(asked) != planned.debs:
                raise StalePlan(host, "would get other packages by now; nothing was done", hint="plan again")
        except BaseException:
            asked.session.close()
            raise
        return asked

    def _fetch(self, reached: dict[str, Asked]) -> None:
        """Brings what hosts lack into the deployer's store, at once; what cannot be had fails those that lack it."""
        try:
            self._bring(reached)
        except StoreError:
            for host, asked in reached.items():
                try:
                    self._bring({host: asked})
                except StoreError as error:
                    self.unreached[host] = HostError(host, error.message, hint=error.hint)

    def _bring(self, reached: dict[str, Asked]) -> None:
        """Packages and images of these hosts; what is there is verified."""
        debs = {deb.sha256: deb for asked in reached.values() for deb in asked.debs_to_send if deb.uri}
        if debs:
            from fedikit.store import fetch

            fetch(debs.values(), store=self.sessions.store, tell=self.tell)
        for image in {image: None for host in reached for image in self.plan.hosts[host].images}:
            self.sessions.images.bring(image.reference, image.manifest, image.parts, self.tell)

    # One host

    def _one_host(self, host: str, reports: dict[str, HostReport]) -> HostReport:
        start = time.monotonic()
        report = self._outcome_of(host, self.plan.hosts[host], reports)
        report = report.model_copy(update={"seconds": round(time.monotonic() - start, 3)})
        self.tell(HostFinished(host=host, outcome=report.outcome, seconds=report.seconds, detail=report.error))
        return report

    def _outcome_of(self, host: str, planned: HostPlan, reports: dict[str, HostReport]) -> HostReport:
        failed = [other for other in self.waits_for[host] if reports[other].outcome in ("failed", "skipped")]
        if failed:
            return HostReport(host=host, outcome="skipped", error=f"waits for {', '.join(failed)}, which failed")
        if planned.error:
            return HostReport(host=host, outcome="failed", error=planned.error)
        if planned.is_blocked:
            blocked = [f"{c.id} {', '.join(c.reasons)}" for c in planned.changes if c.action == "blocked"]
            words = f"cannot be changed as planned: {'; '.join([*planned.refused, *blocked])}; nothing was done"
            return HostReport(host=host, outcome="failed", error=words, generation=planned.generation)
        if planned.is_noop:
            return HostReport(host=host, outcome="same", generation=planned.generation)
        if self.plan.is_refused:
            words = "nothing is changed while another host refuses"
            return HostReport(host=host, outcome="skipped", error=words, generation=planned.generation)
        items: list[ItemReport] = []
        try:
            with failing_alone(host):
                done = self._change(host, planned, items)
        except FedikitError as error:
            text = scrub(error.text, self._secret_values())
            return HostReport(
                host=host, outcome="failed", items=tuple(items), error=text, generation=planned.generation
            )
        return HostReport(host=host, outcome="changed", items=tuple(items), generation=done.generation, unit=done.unit)

    def _secret_values(self) -> list[str]:
        """What a command may have repeated in its last words; the host took out what it knew of itself."""
        values = []
        for secret in secrets_of(self.plan.deployment):
            try:
                values.append(self.sessions.vault.value(secret))
            except SecretError:
                continue
        return values

    def _change(self, host: str, planned: HostPlan, items: list[ItemReport]) -> Done:
        if host in self.unreached:
            raise self.unreached[host]
        asked = self._asked(host)
        with asked.session as session:
            blobs = asked.blobs
            session.order(self._order(planned, asked, blobs), self._pieces(host, asked, blobs))
            return session.follow(lambda event: self._hear(host, event, items))

    # What is sent

    def _order(self, planned: HostPlan, asked: Asked, blobs: dict[str, int]) -> dict[str, Any]:
        secrets = {id: asked.payload.secrets[id] for id in asked.answer.secrets if id in asked.payload.secrets}
        note = self.plan.purpose if planned.target is None else f"rollback to {planned.target}"
        return {
            "run": self.name,
            "who": deployer_name(),
            "note": note,
            "aim": {} if planned.target is None else {"target": planned.target},
            "basis": planned.basis,
            "debs": [{"name": deb.name, "version": deb.version, "sha256": deb.sha256} for deb in asked.debs],
            "secrets": secrets,
            "checks": self._sealed_checks(planned),
            "blobs": [{"sha256": sha256, "size": size} for sha256, size in blobs.items()],
        }

    def _sealed_checks(self, planned: HostPlan) -> dict[str, Any]:
        """What is kept with the generation that is reached, by its number: a new one, or the one that stood."""
        checks = self._checks_of(planned)
        if checks is None or len(checks) > MOST_CHECKS:
            return {}
        documents: dict[str, Any] = {}
        for number in (planned.generation, planned.generation + 1):
            about = {"deployment": self.plan.deployment.name, "host": planned.host, "generation": number}
            if number and (kept := sealed(Document(**about, checks=checks), self.sessions.vault)):
                documents[str(number)] = kept
        return documents

    def _checks_of(self, planned: HostPlan) -> tuple[Check, ...] | None:
        """What the host will promise: what is deployed, or what it promised then; None where that is not known."""
        if self.plan.purpose == "apply":
            return self.plan.deployment.checks_on([planned.host])
        promise = planned.promise
        return promise.checks if promise and not promise.lack else None

    def _pieces(self, host: str, asked: Asked, blobs: dict[str, int]) -> Iterator[bytes]:
        pieces = (piece for sha256 in blobs for piece in self._pieces_of(sha256, asked.payload.contents))
        return counted(pieces, total=sum(blobs.values()), host=host, tell=self.tell)

    def _pieces_of(self, sha256: str, contents: dict[str, bytes]) -> Iterable[bytes]:
        return [contents[sha256]] if sha256 in contents else pieces_of(self.sessions.store.path(sha256))

    # What comes back

    def _hear(self, host: str, event: ItemEvent, items: list[ItemReport]) -> None:
        if event.phase == "end":
            told = event.model_dump(include={"id", "action", "seconds", "failed", "kept", "saved"})
            items.append(ItemReport(**told))
        tell_item(host, event, self.tell)


def _waits_for(plan: Plan) -> dict[str, list[str]]:
    """For each host those that must be done before it; in a removal the other way round."""
    hosts, states = plan.hosts, plan.deployment.hosts
    graph: dict[str, list[str]] = {host: [] for host in hosts}
    for host in hosts:
        for earlier in states[host].after:
            if earlier in hosts:
                first, second = (host, earlier) if plan.purpose == "remove" else (earlier, host)
                graph[second].append(first)
    if plan.purpose != "remove":
        for host, earlier_ones in waits_of(plan).after.items():  # who leaves, leaves after the new place serves
            graph[host] += earlier_ones
        for host, leader in waiting_in_vain(plan).items():
            graph[host].append(leader)
    return graph
