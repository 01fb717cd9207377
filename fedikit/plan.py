"""Planning: asks every host, in one contact, what would change there. Changes nothing."""

import hmac
import json
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from fedikit.environment.environment import Environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.events import HostPlanned, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.model.item import class_of
from fedikit.remote.answer_messages import Answer, Change
from fedikit.remote.hosts import on_hosts
from fedikit.remote.needs import images_for, packages_for
from fedikit.remote.payload import Payload
from fedikit.remote.promises import Document, promise_of
from fedikit.remote.sessions import Asked, Sessions, failing_alone
from fedikit.results.plan import Drift, HostPlan, Plan, PlannedChange, PlannedDeb, Promise, Question
from fedikit.secrets import Vault

if TYPE_CHECKING:
    from fedikit.results.moves import Move


def make_plan(
    deployment: Deployment,
    *,
    limit: Sequence[str] = (),
    purge: bool = False,
    drift: Drift = "restore",
    consent: Sequence[str] = (),
    sessions: Sessions | None = None,
    tell: Tell = tell_nobody,
) -> Plan:
    """Asks every host what would change. A host that cannot be asked has its reason in its part of the plan.

    `limit`: only these hosts. `purge`: data that left the configuration goes too. `drift`: whether files that somebody
    edited are restored (their edition is saved on the host) or kept. `consent`: names of what may become another though
    data and other servers know it by what it was: a new domain, an application that begins anew elsewhere. `sessions`:
    where the contacts stay open for an apply.
    """
    question = Question(purpose="apply", purge=purge, drift=drift, consent=tuple(consent))
    return _plan(question, deployment, limit, sessions, tell)


def make_removal(
    environment: Environment,
    *,
    limit: Sequence[str] = (),
    purge: bool = False,
    sessions: Sessions | None = None,
    tell: Tell = tell_nobody,
) -> Plan:
    """The plan that takes away everything of the environment's deployment; applying it removes."""
    return _plan(Question(purpose="remove", purge=purge), environment.empty(), limit, sessions, tell)


def make_rollback(
    environment: Environment | Deployment,
    *,
    limit: Sequence[str] = (),
    to: int | None = None,
    sessions: Sessions | None = None,
    tell: Tell = tell_nobody,
) -> Plan:
    """The plan that goes back to what was there before the last apply, or to generation `to` of each host.

    Secrets are not kept on hosts: give a deployment instead of the environment where one was in the configuration.
    """
    deployment = environment if isinstance(environment, Deployment) else environment.empty()
    plan = _plan(Question(purpose="rollback", to=to), deployment, limit, sessions, tell)
    return plan if to is not None else _only_the_last_run(plan)


def _only_the_last_run(plan: Plan) -> Plan:
    """Hosts that the last apply did not touch stay as they are."""
    newest = max((host.last_run for host in plan.hosts.values()), default="")
    hosts = {
        name: host
        if host.error or host.is_noop or host.last_run == newest
        else HostPlan(host=name, note="not part of the last change", generation=host.generation)
        for name, host in plan.hosts.items()
    }
    return plan.model_copy(update={"hosts": hosts})


def _plan(
    question: Question, deployment: Deployment, limit: Sequence[str], sessions: Sessions | None, tell: Tell
) -> Plan:
    start = time.monotonic()
    tell(StepStarted(step="plan"))
    with Sessions(deployment) if sessions is None else nullcontext(sessions) as open_ones:
        planning = _Planning(question, open_ones, tell)
        hosts = on_hosts(deployment, limit, planning.plan_host)
    seconds = time.monotonic() - start
    plan = _with_moves(Plan(**dict(question), deployment=deployment, hosts=hosts, seconds=round(seconds, 3)))
    tell(StepFinished(step="plan", seconds=seconds, failed=plan.has_errors))
    return plan


def _with_moves(plan: Plan) -> Plan:
    """The plan with what it says of data that does not follow; that takes consent, by the name of what begins anew."""
    if plan.is_noop or plan.purpose != "apply":
        return plan
    from fedikit.results.moves import moves_of, would_stop  # needed only where something changes

    refused: dict[str, tuple[str, ...]] = would_stop(plan)
    moves = moves_of(plan)
    for move in moves:
        if not move.becomes and not {move.name, *(names := _names_of(move, plan))}.intersection(plan.consent):
            host = next(host for host in (move.target, move.source, move.seen_on) if host in plan.hosts)
            refused[host] = (*refused.get(host, ()), f"{move}. If it is meant: --consent {names[0]}")
    hosts = {
        name: host.model_copy(update={"refused": (*host.refused, *refused.get(name, ()))})
        for name, host in plan.hosts.items()
    }
    return plan.model_copy(update={"hosts": hosts, "moves": tuple(str(move) for move in moves)})


def _names_of(move: "Move", plan: Plan) -> list[str]:
    """By what a move may be consented to: the applications at its target, else its own name."""
    state = plan.deployment.hosts.get(move.target)
    return list(state.applications) if state and state.applications else [move.name]


class _Planning:
    """One round of asking."""

    def __init__(self, question: Question, sessions: Sessions, tell: Tell) -> None:
        self.question = question
        self.sessions = sessions
        self.tell = tell

    def plan_host(self, host: str) -> HostPlan:
        start = time.monotonic()
        try:
            with failing_alone(host):
                planned = self._ask(host)
        except FedikitError as error:
            planned = HostPlan(host=host, error=error.text)
        seconds = round(time.monotonic() - start, 3)
        self.tell(HostPlanned(host=host, changes=len(planned.changes), seconds=seconds))
        return planned.model_copy(update={"seconds": seconds})

    def _ask(self, host: str) -> HostPlan:
        asked = self.sessions.ask(host, self.question)
        try:
            planned = self._read(host, asked)
        except BaseException:
            asked.session.close()
            raise
        if planned.is_changeable:
            self.sessions.keep(host, asked)
        else:
            asked.session.close()
        return planned

    def _read(self, host: str, asked: Asked) -> HostPlan:
        answer, payload = asked.answer, asked.payload
        promise = self._promise(host, answer)
        asked.debs = packages_for(host, asked, self.sessions, self.tell)
        return HostPlan(
            host=host,
            changes=tuple(self._planned(change, payload) for change in answer.changes),
            same=answer.same,
            basis=answer.basis,
            generation=answer.generation,
            target=answer.target,
            debs=planned_debs(asked),
            images=images_for(host, asked, self.sessions),
            leaving_packages=answer.leaving_packages,
            staying_packages=answer.staying_packages,
            bytes_to_send=sum(deb.size for deb in asked.debs_to_send)
            + sum(payload.size_of(sha256) or 0 for sha256 in answer.contents),
            kept=answer.kept,
            at_rest=answer.at_rest,
            last_run=answer.last_run.run if answer.last_run else "",
            unfinished=answer.unfinished,
            refused=asked.refused,
            people=asked.people,
            promise=promise,
            note="; ".join(
                words
                for words in (_note(answer), promise.lack if promise else "", *answer.closed, *answer.concerns)
                if words
            ),
        )

    def _promise(self, host: str, answer: Answer) -> Promise | None:
        """What the host served in the generation that it goes back to; nothing if that is none."""
        target = answer.target if self.question.to is None else self.question.to
        if self.question.purpose != "rollback" or not target:
            return None
        wanted = Document(deployment=self.sessions.deployment.name, host=host, generation=target, checks=())
        return promise_of(answer, wanted, self.sessions.vault)

    def _planned(self, change: Change, payload: Payload) -> PlannedChange:
        """A change with what people want to see of it: the text that a file would have, what an image is."""
        told = PlannedChange(**change.model_dump(exclude_unset=True))
        kind = class_of(change.id)
        if kind.has_image:
            known = self.sessions.images.find(change.id.partition(":")[2])
            return told.model_copy(update={"title": known.title if known else ""})
        item = next((item for item in payload.items if item["id"] == change.id), {})
        content = payload.contents.get(item.get("sha256", "")) if kind.is_text else None
        return told if content is None else told.model_copy(update={"after": content.decode()})


def planned_debs(asked: Asked) -> tuple[PlannedDeb, ...]:
    """The packages that a host needs, as a plan has them: without an address."""
    return tuple(PlannedDeb(name=deb.name, version=deb.version, sha256=deb.sha256, size=deb.size) for deb in asked.debs)


def _note(answer: Answer) -> str:
    if answer.busy:
        return f"is being changed by {answer.busy}"
    last = answer.last_run
    if last and last.state == "running":
        return f"the last apply ({last.run}) was interrupted; applying again completes it"
    if last and last.state == "failed":
        return f"the last apply ({last.run}) failed at {last.item}: {last.message}"
    if answer.owners:
        return f"if this environment was called {answer.owners[0]} before: fedikit rename {answer.owners[0]}"
    return ""


# Saving


def save_plan(plan: Plan, path: str | Path) -> bool:
    """Writes the plan as JSON that only its owner can read, and returns whether it is sealed; it holds no secret.

    The seal is made with the environment's master key, so that nobody else can change the plan unseen. Where there is
    no master key it bears none.
    """
    text = plan.model_dump_json()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        seal = _seal_of(text, Vault.of(plan.deployment))
        json.dump({"seal": seal, "plan": text}, file, indent=1)
        file.write("\n")
    return bool(seal)


def load_plan(path: str | Path, deployment: Deployment) -> Plan:
    """Reads a saved plan of this deployment; raises ConfigurationError if it cannot be read, or is not as it was saved.

    Raises FedikitError if it is a plan of another deployment.
    """
    try:
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
        text, seal = saved["plan"], saved["seal"]
        plan = Plan.model_validate_json(text)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        mistake = Mistake("plan", "cannot be read as a saved plan of this version of fedikit")
        raise ConfigurationError(str(path), [mistake], hint="plan again") from error
    expected = _seal_of(text, Vault.of(deployment))
    if not isinstance(seal, str) or not hmac.compare_digest(seal.encode(), expected.encode()):
        words = "does not fit: the plan was changed after it was saved, or made with another master key"
        mistake = Mistake("seal", words)
        raise ConfigurationError(str(path), [mistake], hint="plan again")
    return plan.of(deployment)


def _seal_of(text: str, vault: Vault) -> str:
    """HMAC-SHA256 (hex) of a plan; empty where there is no master key."""
    return hmac.digest(vault.plan_key(), text.encode(), "sha256").hex() if vault.has_master else ""
