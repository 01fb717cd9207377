"""Carrying an application's own secrets from one environment to another: sealed, beside the other one's file.

What is there already is left as it is, so that it can be done again at any time, and on the way back.
"""

import os
from pathlib import Path
from typing import NamedTuple

from fedikit.disclosure import hand_over
from fedikit.environment.load import load_environment
from fedikit.errors import FedikitError, SecretError
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.secret import SecretRef
from fedikit.secrets import Vault
from fedikit.secrets.own import own_secrets
from fedikit.setup.sealed import name_sealed, put_sealed


class Carried(NamedTuple):
    """What came of it."""

    names: tuple[str, ...]
    """The secrets that the other environment had otherwise, or not at all; none where nothing had to be done."""
    file: Path | None
    """Where they are sealed now."""


def secrets_to_carry(source: Deployment, application: str, target: Deployment) -> tuple[str, ...]:
    """The names of an application's own secrets that are not in force in the target. Asks no host.

    Raises SecretError if one cannot be had in the source.
    """
    here, there = Vault.of(source), Vault.of(target)
    used = {(ref.name, ref.format): ref for ref in own_secrets(target, application)}
    own = [ref for ref in own_secrets(source, application) if (ref.name, ref.format) in used]
    differ = [ref.name for ref in own if here.value(ref) != _value(used[ref.name, ref.format], there)]
    return tuple(dict.fromkeys(differ))


def carry_secrets(source: Deployment, application: str, *, to: Path, configuration: Configuration) -> Carried:
    """Seals an application's own secrets to the environment of the file `to`, and names them there.

    They are written beside that file, as APPLICATION.sealed or in the place of what came along for it before. The
    file is to be loaded anew then. Raises FedikitError if the environment has other ones all the same.
    """
    target = load_environment(to).deployment(configuration)
    names = secrets_to_carry(source, application, target)
    if not names:
        return Carried((), None)
    vault = Vault.of(target)
    file = _place(vault, application, target.secrets.sealed, to.parent)
    put_sealed(file, hand_over(source, application, vault.recipient()))
    _name(file, target.secrets.sealed, to)
    _require_in_force(source, application, load_environment(to).deployment(configuration), to)
    return Carried(names, file)


def _value(ref: SecretRef, vault: Vault) -> str | None:
    try:
        return vault.value(ref)
    except SecretError:  # not given there, or in a file that is yet to come
        return None


def _place(vault: Vault, application: str, named: tuple[str, ...], folder: Path) -> Path:
    """The file that the application has there already, or else a new one."""
    usual = folder / f"{application}.sealed"
    for path in map(Path, named):
        if path.exists() and vault.opened(path).application == application:
            return path
    if os.path.lexists(usual):
        _require_replaceable(vault, application, usual)
    return usual


def _require_replaceable(vault: Vault, application: str, path: Path) -> None:
    """What was cut off between writing and naming is done again; nothing else is written over."""
    try:
        problem = "" if vault.opened(path).application == application else "it holds another application's secrets"
    except SecretError as error:
        problem = error.message
    if problem:
        raise FedikitError(f"{path} is in the way: {problem}", hint="move it away, and run it again")


def _name(file: Path, named: tuple[str, ...], environment: Path) -> None:
    if str(file) in named:
        return
    try:
        name_sealed(environment, file.name)
    except FedikitError as error:
        hint = f'add it to secrets.sealed there: ["{file.name}"]; then run it again'
        raise FedikitError(f"{file} is made, and {environment} does not name it: {error.message}", hint=hint) from None


def _require_in_force(source: Deployment, application: str, target: Deployment, environment: Path) -> None:
    if left := secrets_to_carry(source, application, target):
        hint = "take them out of secrets.given and secrets.versions there, and run it again"
        raise SecretError(
            f"{environment} has these secrets otherwise than they came along: {', '.join(left)}", hint=hint
        )
