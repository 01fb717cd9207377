"""Planning: asks every host, in one contact, what would change there. Changes nothing."""

import time
import zlib
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from fedikit.errors import FedikitError, HostError
from fedikit.events import HostPlanned, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.model.environment import Environment
from fedikit.model.host import HostState
from fedikit.remote.hosts import on_hosts
from fedikit.remote.payload import Freight, lower, parts_of_images
from fedikit.remote.session import Conversation, Prepared
from fedikit.results.plan import Drift, HostPlan, ImageParts, Plan, PlannedChange, Purpose
from fedikit.secrets import Vault
from fedikit.store import Deb, Images, Store


def make_plan(
    deployment: Deployment,
    *,
    limit: Sequence[str] = (),
    purge: bool = False,
    drift: Drift = "restore",
    tell: Tell = tell_nobody,
) -> Plan:
    """Asks every host what would change. A host that cannot be asked has its reason in its part of the plan.

    `limit`: only these hosts. `purge`: data that left the configuration goes too. `drift`: whether files that somebody
    edited are restored (their edition is saved on the host) or kept.
    """
    return _Planning("apply", deployment, purge=purge, drift=drift, tell=tell).plan(limit)


def make_removal(
    environment: Environment, *, limit: Sequence[str] = (), purge: bool = False, tell: Tell = tell_nobody
) -> Plan:
    """The plan that takes away everything of the environment's deployment; applying it removes."""
    return _Planning("remove", environment.empty(), purge=purge, tell=tell).plan(limit)


def make_rollback(
    environment: Environment | Deployment, *, limit: Sequence[str] = (), to: int | None = None, tell: Tell = tell_nobody
) -> Plan:
    """The plan that goes back to what was there before the last apply, or to generation `to` of each host.

    Secrets are not kept on hosts: give a deployment instead of the environment where one was in the configuration.
    """
    deployment = environment if isinstance(environment, Deployment) else environment.empty()
    plan = _Planning("rollback", deployment, to=to, tell=tell).plan(limit)
    return plan if to is not None else _only_the_last_run(plan)


def _only_the_last_run(plan: Plan) -> Plan:
    """Hosts that the last apply did not touch stay as they are."""
    newest = max((host.last_run for host in plan.hosts.values()), default="")
    hosts = dict(plan.hosts)
    for host in [host for host in plan._open if hosts[host].last_run != newest]:
        plan._open.pop(host).conversation.close()
        hosts[host] = HostPlan(host=host, note="not part of the last change", generation=hosts[host].generation)
    narrowed = plan.model_copy(update={"hosts": hosts})
    narrowed._open = plan._open
    return narrowed


class _Planning:
    """One round of asking."""

    def __init__(
        self,
        purpose: Purpose,
        deployment: Deployment,
        *,
        purge: bool = False,
        drift: Drift = "restore",
        to: int | None = None,
        tell: Tell,
    ) -> None:
        self.purpose = purpose
        self.deployment = deployment
        self.options: dict[str, Any] = {"purge": purge, "drift": drift, "to": to}
        self.tell = tell
        self.vault = Vault.of(deployment)
        self.store = Store()
        self.images = Images(self.store)
        self.open: dict[str, Prepared] = {}

    def plan(self, limit: Sequence[str]) -> Plan:
        start = time.monotonic()
        self.tell(StepStarted(step="plan"))
        hosts = on_hosts(self.deployment, limit, self._plan_host)
        seconds = time.monotonic() - start
        plan = Plan(
            purpose=self.purpose, deployment=self.deployment, hosts=hosts, seconds=round(seconds, 3), **self.options
        )
        plan._open.update(self.open)
        self.tell(StepFinished(step="plan", seconds=seconds, failed=plan.has_errors))
        return plan

    def _plan_host(self, host: str) -> HostPlan:
        start = time.monotonic()
        try:
            planned = self._ask(host, self.deployment.hosts[host])
        except FedikitError as error:
            planned = HostPlan(host=host, error=_without_name(host, error))
        seconds = round(time.monotonic() - start, 3)
        self.tell(HostPlanned(host=host, changes=len(planned.changes), seconds=seconds))
        return planned.model_copy(update={"seconds": seconds})

    def _ask(self, host: str, state: HostState) -> HostPlan:
        freight = lower(host, state.items, self.vault, self.images)
        conversation = Conversation(host, state.connection)
        try:
            answer = conversation.ask(self.request(freight))
            load_images(answer, freight, self.images)
            planned = self._read_answer(host, answer, freight)
        except BaseException:
            conversation.close()
            raise
        if planned.is_noop:
            conversation.close()
        else:
            self.open[host] = Prepared(conversation, freight, answer)
        return planned

    def request(self, freight: Freight) -> dict[str, Any]:
        return request_for(self.purpose, self.deployment, freight, self.vault, self.options)

    def _read_answer(self, host: str, answer: dict[str, Any], freight: Freight) -> HostPlan:
        debs = self._debs(host, answer)
        in_store = set(answer.get("store", ()))
        return HostPlan(
            host=host,
            changes=tuple(self._planned(change, freight) for change in answer["changes"]),
            same=answer["same"],
            basis=answer["basis"],
            generation=answer["generation"],
            target=answer.get("target"),
            debs=debs,
            images=self._images(answer, freight),
            leaving_packages=tuple(answer.get("leaving_packages", ())),
            bytes_to_send=sum(deb.size for deb in debs if deb.sha256 not in in_store)
            + sum(freight.size_of(sha256) or 0 for sha256 in answer.get("contents", ())),
            kept=tuple(answer["kept"]),
            last_run=(answer["last_run"] or {}).get("run", ""),
            unfinished=answer["unfinished"],
            note=_note(answer),
        )

    def _planned(self, change: dict[str, Any], freight: Freight) -> PlannedChange:
        """A change with what people want to see of it: the text that a file would have, what an image is."""
        kind, _, name = change["id"].partition(":")
        if kind == "image":
            known = self.images.find(name)
            return PlannedChange.model_validate(change | {"title": known.title if known else ""})
        item = next((item for item in freight.items if item["id"] == change["id"]), {})
        content = freight.contents.get(item.get("sha256", "")) if kind == "file" else None
        return PlannedChange.model_validate(change if content is None else change | {"after": content.decode()})

    def _debs(self, host: str, answer: dict[str, Any]) -> tuple[Deb, ...]:
        """What has to be installed for the wanted packages: from the host's own store, or resolved here."""
        if not answer.get("packages"):
            return ()
        own = _from_own_store(answer)
        if own is not None:
            return own
        from fedikit.store import locked_debs, resolve

        lock = self.deployment.lock
        debs = resolve(
            dict.fromkeys(answer["packages"]) if lock else answer["packages"],
            status=zlib.decompress(b64decode(answer["dpkg_status"])),
            codename=answer["codename"],
            architecture=answer["architecture"],
            store=self.store,
            tell=self.tell,
        )
        if lock:  # another version of what is there is no lack for apt: it is named by the host alone
            return locked_debs(
                [*answer["packages"], *(deb.name for deb in debs)],
                lock.packages.get(host, {}),
                codename=answer["codename"],
                architecture=answer["architecture"],
                snapshots=self.deployment.packages.snapshots,
                store=self.store,
                tell=self.tell,
            )
        return debs

    def _images(self, answer: dict[str, Any], freight: Freight) -> tuple[ImageParts, ...]:
        """What the host lacks of images; if not all of it is in the store, their registries must answer now."""
        lacking = set(answer.get("contents", ()))
        found: list[ImageParts] = []
        builds = sorted(parts_of_images(answer.get("items", freight.items)), key=lambda b: -len(lacking & set(b[2])))
        for reference, manifest, parts in builds:
            if own := tuple(part for part in parts if part in lacking):
                size = sum(freight.size_of(part) or 0 for part in own)
                found.append(ImageParts(reference=reference, manifest=manifest, parts=own, size=size))
                lacking -= set(own)  # what several share is one's, the one's that has most to send
        self.images.ask(
            (image.reference, f"sha256:{image.manifest}")
            for image in found
            if not all(self.store.has(part) for part in image.parts)
        )
        return tuple(found)


def load_images(answer: dict[str, Any], freight: Freight, images: Images) -> None:
    """In a rollback: what the store has of the images of that generation."""
    for _, manifest, _ in parts_of_images(answer.get("items", ())):
        freight.files |= images.sizes_of(manifest)


def request_for(
    purpose: Purpose, deployment: Deployment, freight: Freight, vault: Vault, options: dict[str, Any]
) -> dict[str, Any]:
    """The request that asks the agent for its plan."""
    request: dict[str, Any] = {
        "op": "rollback" if purpose == "rollback" else "plan",
        "deployment": deployment.name,
        "items": freight.items,
        "seal": vault.seal_key(freight.host).hex() if vault.has_master else "",
    }
    if purpose == "remove":
        request["forget"] = True
    if options["purge"]:
        request["purge"] = True
    if options["drift"] == "keep":
        request["keep_drift"] = True
    if options["to"] is not None:
        request["to"] = options["to"]
    return request


def _from_own_store(answer: dict[str, Any]) -> tuple[Deb, ...] | None:
    """In a rollback: the packages of that generation, if the host still has them all."""
    known, in_store = answer.get("debs") or {}, set(answer["store"])
    if not known.keys() >= answer["packages"].keys() or any(deb["sha256"] not in in_store for deb in known.values()):
        return None
    return tuple(
        Deb(name=name, version=deb["version"], sha256=deb["sha256"], size=0, architecture="", uri="", file_name="")
        for name, deb in known.items()
    )


def _note(answer: dict[str, Any]) -> str:
    if busy := answer.get("busy"):
        return f"is being changed by {busy}"
    last = answer["last_run"] or {}
    if last.get("state") == "running":
        return f"the last apply ({last['run']}) was interrupted; applying again completes it"
    if last.get("state") == "failed":
        return f"the last apply ({last['run']}) failed at {last['item']}: {last['message']}"
    return ""


def _without_name(host: str, error: FedikitError) -> str:
    """The error's words, without the host's name that stands beside them anyway."""
    return str(error).removeprefix(f"{host}: ") if isinstance(error, HostError) else str(error)
