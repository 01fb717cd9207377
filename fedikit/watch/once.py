"""One look from its beginning to its end: looks, compares, remembers, tells."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fedikit.agent.redaction import scrub
from fedikit.environment.environment import Environment
from fedikit.environment.load import load_configuration, load_environment
from fedikit.errors import FedikitError, SecretError
from fedikit.model.deployment import Deployment
from fedikit.model.secret import SecretRef
from fedikit.model.value import Value
from fedikit.secrets import Vault, secrets_of
from fedikit.watch.finding import Finding, Kind, line
from fedikit.watch.look import Look, blind, look_at
from fedikit.watch.memory import Memory, held, memory_file, read_memory, write_memory
from fedikit.watch.message import Change, Message, State
from fedikit.watch.news import compare, told_before
from fedikit.watch.proofs import findings_of, proofs_file, read_proofs
from fedikit.watch.telling import Way, tell_waiting, ways_of
from fedikit.watch.timer import user_named

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class Outcome(Value):
    """How one look ended."""

    environment: str
    findings: tuple[Finding, ...]
    """What is not well."""
    busy: tuple[str, ...] = ()
    """Hosts that were being changed, and are looked at next time."""
    is_blind: bool = False
    told: Message | None = None
    waiting: int = 0
    """How many messages did not go, and are tried again at the next look."""
    problems: tuple[str, ...] = ()

    @property
    def has_succeeded(self) -> bool:
        """Whether it could look, and whatever there was to tell is told; not, whether all is well."""
        return not (self.problems or self.waiting or self.is_blind)


def watch_once(environment_file: Path, configuration_file: Path) -> Outcome:
    """Looks once, and tells what changed since the last look.

    Raises ConfigurationError if the environment cannot be read, for then nobody is known whom to tell, and
    FedikitError if another look goes on.
    """
    environment = load_environment(environment_file)
    refuse_root_for_others(environment_file)

    def deploy() -> Deployment:
        return environment.deployment(load_configuration(configuration_file))

    return look_and_tell(environment, deploy, memory_file(environment_file, environment.name))


def refuse_root_for_others(environment_file: Path) -> None:
    """What root remembers, the owner's own timer could not read. Raises FedikitError."""
    owner = environment_file.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        user = user_named(owner)
        raise FedikitError(f"{environment_file} is {user}'s, and so is its watch", hint=f"sudo -u {user} fedikit watch")


def look_and_tell(
    environment: Environment, deploy: Callable[[], Deployment], file: Path, *, clock: Clock = _now
) -> Outcome:
    """Looks at a deployment, compares with what a file remembers, and tells; a deployment that cannot be had, too."""
    with held(file):
        memory, forgotten = read_memory(file)
        now = clock()
        look = _look(environment, deploy, file, now)
        memory, changes = compare(memory, look, environment.watch, now)
        message = _message(environment.name, memory, changes, now)
        ways = ways_of(environment)
        if message and ways:
            memory = memory.to_tell(message, tuple(ways))
        memory, problems = _tell(file, memory, ways, _message_of_unkept(environment.name, now))
    return Outcome(
        environment=environment.name,
        findings=look.findings,
        busy=look.busy,
        is_blind=look.is_blind,
        told=message,
        waiting=len(memory.waiting),
        problems=((forgotten,) if forgotten else ()) + problems,
    )


def _look(environment: Environment, deploy: Callable[[], Deployment], file: Path, now: datetime) -> Look:
    """Whatever goes wrong with looking is something to tell."""
    deployment = environment.empty()
    try:
        deployment = deploy()
        proofs = findings_of(read_proofs(proofs_file(file)), environment.name)
        look = look_at(deployment, environment.watch, now).with_more(proofs)
    except FedikitError as error:
        look = blind(error.text)
    except Exception as error:  # a watch that dies in silence is none
        look = blind(f"{type(error).__name__}: {error}")
    return look.clean(partial(scrub, values=_values(environment, deployment)))


def _values(environment: Environment, deployment: Deployment) -> list[str]:
    """All secrets that can be had, none of which may be told."""
    vault = Vault.of(deployment)
    values = [secret.get_secret_value() for secret in deployment.given.values()]
    named = (SecretRef(name=name, given=True) for _, name in environment.watch.secrets)
    for reference in (*secrets_of(deployment), *named):
        with suppress(SecretError):
            values.append(vault.value(reference))
    return values


def _message(name: str, memory: Memory, changes: tuple[Change, ...], now: datetime) -> Message | None:
    if not changes:
        return None
    remaining = told_before(memory, changes)
    return Message(id=secrets.token_hex(8), environment=name, time=now, changes=changes, remaining=remaining)


def _tell(
    file: Path, memory: Memory, ways: dict[str, Way], unkept: Callable[[str], Message]
) -> tuple[Memory, tuple[str, ...]]:
    """Remembers before it tells, so that nothing is lost; and after, so that nothing is told twice.

    What cannot be remembered is told all the same, with why: else nobody would ever hear of anything.
    """
    problems: tuple[str, ...] = ()
    try:
        write_memory(file, memory)
    except FedikitError as error:
        problems = (error.text,)
        memory = memory.to_tell(unkept(error.text), tuple(ways))
    memory, untold = tell_waiting(memory, ways)
    if not problems:
        write_memory(file, memory)
    return memory, problems + untold


def _message_of_unkept(name: str, now: datetime) -> Callable[[str], Message]:
    def message(reason: str) -> Message:
        finding = Finding(
            key="memory",
            kind=Kind.DEPLOYER,
            what="the deployer cannot remember what it sees",
            seen=line(reason),
            todo="make room there; until then you are told at each look",
        )
        changes = (Change(state=State.BROKEN, finding=finding, since=now),)
        return Message(id=secrets.token_hex(8), environment=name, time=now, changes=changes)

    return message
