"""Proofs that are made regularly: made one application after the other, and remembered for the next look to tell."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from fedikit.data.kept import applications_kept
from fedikit.environment.environment import Environment
from fedikit.environment.load import load_configuration, load_environment
from fedikit.errors import FedikitError
from fedikit.events import tell_nobody
from fedikit.model.value import Value
from fedikit.results.proof import Proofs
from fedikit.runbook.proving import Prover
from fedikit.runbook.record import write_whole
from fedikit.watch.finding import Finding, Kind, line
from fedikit.watch.memory import make_folder, memory_file
from fedikit.watch.timer import user_named


class Outcome(StrEnum):
    """What came of a proof."""

    HELD = "held"
    FAILED = "failed"
    NOT_MADE = "not made"


class Tried(Value):
    """The last proof of an application, or the last attempt to make one."""

    application: str
    """Empty where it is not known of which there are backups."""
    ended: datetime
    outcome: Outcome
    words: str = ""
    """What was wrong."""
    is_noted: bool = True
    """Whether it lies beside the backup, so that its host tells of it."""


class Remembered(Value):
    """What came of the last proofs."""

    form: Literal[1] = 1
    tried: tuple[Tried, ...] = ()


def proofs_file(memory: Path) -> Path:
    """Where it is remembered what came of proofs, beside what a watch remembers."""
    return memory.with_name(f"{memory.stem}.proofs.json")


def read_proofs(file: Path) -> tuple[Tried, ...]:
    """What came of the last proofs; nothing where there were none, or it cannot be read."""
    try:
        return Remembered.model_validate_json(file.read_bytes()).tried
    except (OSError, ValidationError):
        return ()


def make_proofs(environment: Path, configuration: Path, prover: Prover) -> Iterator[Tried]:
    """Proves the newest backup of each application; each is remembered before it is given.

    Raises ConfigurationError if the environment cannot be read, for then nobody is known whom to tell.
    """
    refuse_others_secrets(environment)
    hosting = load_environment(environment)
    file = proofs_file(memory_file(environment, hosting.name))
    done: list[Tried] = []
    for one in _each(hosting, environment, configuration, prover):
        done.append(one)
        _remember(file, done, earlier=read_proofs(file))
        yield one
    _remember(file, done)


def refuse_others_secrets(environment: Path) -> None:
    """Only root makes machines, and reads no secrets that another user could exchange. Raises FedikitError."""
    owner = environment.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        words = f"{environment} is {user_named(owner)}'s, and root, who proves backups, takes no secrets of others"
        raise FedikitError(words, hint="let the file, and the secrets that it names, be root's")


def findings_of(tried: Sequence[Tried], environment: str) -> tuple[Finding, ...]:
    """Proofs that were not made, and those of which no host tells."""
    return tuple(
        Finding(
            key=f"proving:{one.application}",
            kind=Kind.BACKUP,
            what=_what(one),
            seen=line(one.words),
            todo=line(f"on the deployer: journalctl --unit {unit_name(environment)}; then fedikit watch prove"),
            application=one.application,
        )
        for one in tried
        if one.outcome is Outcome.NOT_MADE or not one.is_noted
    )


def unit_name(environment: str) -> str:
    """What the units that prove an environment's backups are called, without what kind they are."""
    return f"fedikit-prove-{environment}"


def _what(one: Tried) -> str:
    if not one.application:
        return "no backup could be proven"
    if one.outcome is Outcome.NOT_MADE:
        return line(f"the backup of {one.application} could not be proven")
    return line(f"the proof of {one.application} {one.outcome}, and is not noted beside the backup")


def _each(hosting: Environment, environment: Path, configuration: Path, prover: Prover) -> Iterator[Tried]:
    try:
        kept = applications_kept(hosting.deployment(load_configuration(configuration)))
    except FedikitError as error:
        yield _not_made("", str(error))
        return
    for name in dict.fromkeys(one.application for one in kept):
        try:
            yield _of_proofs(name, prover(configuration, environment, (name,), at="", tell=tell_nobody))
        except FedikitError as error:
            yield _not_made(name, str(error))
        except Exception as error:  # one that cannot be proven does not keep the others from it
            yield _not_made(name, f"{type(error).__name__}: {error}")


def _of_proofs(name: str, proofs: Proofs) -> Tried:
    words = [words for proof in proofs.proofs for words in proof.findings]
    outcome = Outcome.HELD if proofs.succeeded else Outcome.FAILED
    return Tried(
        application=name,
        ended=datetime.now(UTC),
        outcome=outcome,
        words=line("; ".join([*proofs.notes, *words])),
        is_noted=not proofs.notes,
    )


def _not_made(name: str, reason: str) -> Tried:
    return Tried(application=name, ended=datetime.now(UTC), outcome=Outcome.NOT_MADE, words=line(reason))


def _remember(file: Path, done: Sequence[Tried], *, earlier: Sequence[Tried] = ()) -> None:
    """Those of an earlier round stay until this one has come to them."""
    names = {one.application for one in done}
    tried = (*done, *(one for one in earlier if one.application not in names))
    make_folder(file)
    write_whole(file, Remembered(tried=tried).model_dump_json(indent=1))
