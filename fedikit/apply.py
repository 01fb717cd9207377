"""Applying a plan: fetch what is needed once, then change the hosts in parallel, those that others wait for first."""

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from typing import Any

from fedikit.errors import FedikitError, SecretError, StalePlan
from fedikit.events import (
    HostFinished,
    ItemFinished,
    ItemStarted,
    Progress,
    StepFinished,
    StepStarted,
    Tell,
    tell_nobody,
)
from fedikit.plan import load_images, request_for
from fedikit.remote.payload import lower
from fedikit.remote.session import Conversation, Prepared, deployer_name, new_run
from fedikit.results.plan import HostPlan, Plan
from fedikit.results.report import HostReport, ItemReport, Report
from fedikit.secrets import Vault, secrets_of
from fedikit.secrets.redaction import scrub
from fedikit.store import Deb, Images, Store

PIECE = 256 * 1024


def apply_plan(plan: Plan, *, tell: Tell = tell_nobody) -> Report:
    """Makes the hosts as planned. One host's failure leaves the others going; the report says so."""
    start = time.monotonic()
    tell(StepStarted(step="apply"))
    applying = _Applying(plan, tell)
    try:
        hosts = applying.run()
    finally:
        plan.close()
    seconds = time.monotonic() - start
    report = Report(purpose=plan.purpose, run=applying.name, hosts=hosts, seconds=round(seconds, 3))
    tell(StepFinished(step="apply", seconds=seconds, failed=not report.succeeded))
    return report


class _Applying:
    """One apply."""

    def __init__(self, plan: Plan, tell: Tell) -> None:
        self.plan = plan
        self.tell = tell
        self.name = new_run()
        self.store = Store()
        self.images = Images(self.store)
        self.vault = Vault.of(plan.deployment)

    def run(self) -> dict[str, HostReport]:
        self._fetch()
        sorter = TopologicalSorter(self._waits_for())
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

    def _waits_for(self) -> dict[str, list[str]]:
        """For each host those that must be done before it; in a removal the other way round."""
        hosts, states = self.plan.hosts, self.plan.deployment.hosts
        graph: dict[str, list[str]] = {host: [] for host in hosts}
        for host in hosts:
            for earlier in states[host].after:
                if earlier in hosts:
                    first, second = (host, earlier) if self.plan.purpose == "remove" else (earlier, host)
                    graph[second].append(first)
        return graph

    def _fetch(self) -> None:
        """Brings what a host lacks into the deployer's store: packages and images; what is there is verified."""
        debs = {deb.sha256: deb for host in self.plan.hosts.values() for deb in self._lacking(host) if deb.uri}
        if debs:
            from fedikit.store import fetch

            fetch(debs.values(), store=self.store, tell=self.tell)
        for image in {image: None for host in self.plan.hosts.values() for image in host.images}:
            self.images.bring(image.reference, image.manifest, image.parts, self.tell)

    def _lacking(self, planned: HostPlan) -> list[Deb]:
        in_store = self.plan.stored_on(planned.host)
        return [deb for deb in planned.debs if deb.sha256 not in in_store]

    def _one_host(self, host: str, reports: dict[str, HostReport]) -> HostReport:
        start = time.monotonic()
        report = self._outcome_of(host, self.plan.hosts[host], reports)
        report = report.model_copy(update={"seconds": round(time.monotonic() - start, 3)})
        self.tell(HostFinished(host=host, outcome=report.outcome, seconds=report.seconds, detail=report.error))
        return report

    def _outcome_of(self, host: str, planned: HostPlan, reports: dict[str, HostReport]) -> HostReport:
        failed = [other for other in self._waits_for()[host] if reports[other].outcome in ("failed", "skipped")]
        if failed:
            return HostReport(host=host, outcome="skipped", error=f"waits for {', '.join(failed)}, which failed")
        if planned.error:
            return HostReport(host=host, outcome="failed", error=planned.error)
        if planned.is_noop:
            return HostReport(host=host, outcome="same", generation=planned.generation)
        items: list[ItemReport] = []
        try:
            generation = self._change(host, planned, items)
        except FedikitError as error:
            text = scrub(str(error).removeprefix(f"{host}: "), self._secret_values())
            return HostReport(
                host=host, outcome="failed", items=tuple(items), error=text, generation=planned.generation
            )
        return HostReport(host=host, outcome="changed", items=tuple(items), generation=generation)

    def _secret_values(self) -> list[str]:
        """What a command may have repeated in its last words."""
        try:
            return [self.vault.value(secret) for secret in secrets_of(self.plan.deployment)]
        except SecretError:
            return []

    def _change(self, host: str, planned: HostPlan, items: list[ItemReport]) -> int:
        prepared = self.plan.take_contact(host) or self._prepare_again(host, planned)
        with prepared.conversation as conversation:
            blobs = self._blobs(prepared, planned)
            order = self._order(host, planned, prepared, blobs)
            conversation.order(order, self._pieces(host, prepared, blobs))
            done = conversation.follow(lambda message: self._hear(host, message, items))
        return int(done["generation"])

    def _prepare_again(self, host: str, planned: HostPlan) -> Prepared:
        """Contacts the host anew for a plan that was saved or has waited; refuses if it has moved."""
        state, options = self.plan.deployment.hosts[host], self.plan.model_dump(include={"purge", "drift", "to"})
        freight = lower(host, state.items, self.vault, self.images)
        conversation = Conversation(host, state.connection)
        try:
            answer = conversation.ask(
                request_for(self.plan.purpose, self.plan.deployment, freight, self.vault, options)
            )
            if answer["basis"] != planned.basis:
                raise StalePlan(host, "has changed since it was planned; nothing was done", hint="plan again")
            load_images(answer, freight, self.images)
        except BaseException:
            conversation.close()
            raise
        return Prepared(conversation, freight, answer)

    # What is sent

    def _blobs(self, prepared: Prepared, planned: HostPlan) -> dict[str, int]:
        """The size of each content that the host lacks, by SHA-256."""
        in_store = set(prepared.answer.get("store", ()))
        known = {sha256: prepared.freight.size_of(sha256) for sha256 in prepared.answer.get("contents", ())}
        blobs = {sha256: size for sha256, size in known.items() if size is not None}
        return blobs | {deb.sha256: deb.size for deb in planned.debs if deb.sha256 not in in_store}

    def _order(self, host: str, planned: HostPlan, prepared: Prepared, blobs: dict[str, int]) -> dict[str, Any]:
        asked_for = prepared.answer.get("secrets", ())
        secrets = {id: prepared.freight.secrets[id] for id in asked_for if id in prepared.freight.secrets}
        note = self.plan.purpose if planned.target is None else f"rollback to {planned.target}"
        return {
            "run": self.name,
            "who": deployer_name(),
            "note": note,
            "aim": {} if planned.target is None else {"target": planned.target},
            "basis": planned.basis,
            "debs": [{"name": deb.name, "version": deb.version, "sha256": deb.sha256} for deb in planned.debs],
            "secrets": secrets,
            "blobs": [{"sha256": sha256, "size": size} for sha256, size in blobs.items()],
        }

    def _pieces(self, host: str, prepared: Prepared, blobs: dict[str, int]) -> Iterator[bytes]:
        total, done = sum(blobs.values()), 0
        for sha256 in blobs:
            for piece in self._pieces_of(sha256, prepared.freight.contents):
                yield piece
                done += len(piece)
                self.tell(Progress(what="sending", done=done, total=total, host=host))

    def _pieces_of(self, sha256: str, contents: dict[str, bytes]) -> Iterator[bytes]:
        if sha256 in contents:
            yield contents[sha256]
            return
        with self.store.path(sha256).open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    # What comes back

    def _hear(self, host: str, message: dict[str, Any], items: list[ItemReport]) -> None:
        item, action = message["id"], message["action"]
        if message["phase"] == "start":
            self.tell(ItemStarted(host=host, item=item, action=action))
            return
        details = {key: message[key] for key in ("seconds", "failed", "kept", "saved") if key in message}
        items.append(ItemReport(id=item, action=action, **details))
        self.tell(
            ItemFinished(host=host, item=item, action=action, seconds=message["seconds"], failed=message["failed"])
        )
