"""Showing secrets, or sealing them to another provider: the hosts that hold them write down who did it, before."""

from collections.abc import Sequence

from fedikit.errors import FedikitError, SecretError
from fedikit.model.deployment import Deployment
from fedikit.model.item import secrets_in
from fedikit.model.secret import SecretRef
from fedikit.remote.event_messages import Noted
from fedikit.remote.hosts import on_hosts
from fedikit.remote.session import Session, deployer_name
from fedikit.remote.sessions import failing_alone
from fedikit.secrets import Vault, secrets_of
from fedikit.secrets.own import own_secrets
from fedikit.secrets.sealing import seal


def disclose(deployment: Deployment, name: str) -> tuple[str, ...]:
    """The secret of that name, both halves of a pair, once every host that holds it has noted who sees it.

    Hosts on which nothing is deployed yet have no ledger to note it in. Raises SecretError if there is no such secret,
    or if a host that holds it cannot be told.
    """
    shown = [secret for secret in secrets_of(deployment) if name in (secret.name, secret.family)]
    if not shown:
        names = ", ".join(sorted({secret.name for secret in secrets_of(deployment)}))
        raise SecretError(f"{name} is no secret of this deployment", hint=f"it uses: {names or 'none'}")
    vault = Vault.of(deployment)
    values = tuple(vault.value(secret) for secret in shown)
    if name == shown[0].family:
        values = _one_for_all(name, shown, values)
    try:
        note_on_hosts(deployment, _holders(deployment, name), f"saw the secret {name}")
    except SecretError as silent:
        raise SecretError(f"the secret {name} is not shown, for {silent.message}", hint=silent.hint) from None
    return values


def hand_over(deployment: Deployment, application: str, recipient: str) -> str:
    """An application's own secrets, sealed to another environment, once every host that holds them has noted it.

    Raises SecretError if it has none here, if the recipient is none, or if a host cannot be told.
    """
    vault, own = Vault.of(deployment), own_secrets(deployment, application)
    if not own:
        names = {name for state in deployment.hosts.values() for name in state.applications}
        here = ", ".join(sorted(name for name in names if own_secrets(deployment, name)))
        raise SecretError(f"{application} has no secrets of its own here", hint=f"these have: {here or 'none'}")
    values = {vault.in_force(secret): vault.value(secret) for secret in own}
    text = seal(values, application=application, deployment=deployment.name, recipient=recipient)
    holders = [host for host, state in deployment.hosts.items() if {*own} & {*secrets_in(state.items)}]
    try:
        note_on_hosts(deployment, holders, f"sealed the secrets of {application} to another provider")
    except SecretError as silent:
        raise SecretError(
            f"the secrets of {application} are not sealed, for {silent.message}", hint=silent.hint
        ) from None
    return text


def _one_for_all(family: str, shown: Sequence[SecretRef], values: Sequence[str]) -> tuple[str, ...]:
    """What a whole family of secrets has in common: an older master key's, or what the operator gave."""
    if len(set(values)) > 1:
        commands = " or ".join(f"fedikit secret show {secret.name}" for secret in shown)
        raise SecretError(f"{family} is another one in each application", hint=f"ask for one of them: {commands}")
    return tuple(values[:1])


def _holders(deployment: Deployment, name: str) -> list[str]:
    hosts = deployment.hosts.items()
    return [host for host, state in hosts if any(name in (each.name, each.family) for each in secrets_in(state.items))]


def note_on_hosts(deployment: Deployment, hosts: Sequence[str], words: str) -> None:
    """Has hosts write down who did what is told in words; raises SecretError if one of them cannot."""

    def tell(host: str) -> str:
        request = {"op": "note", "deployment": deployment.name, "who": deployer_name(), "note": words}
        try:
            with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
                session.ask(request, Noted)
        except FedikitError as error:
            return str(error)
        return ""

    silent = [reason for reason in on_hosts(deployment, hosts, tell).values() if reason] if hosts else []
    if silent:
        reasons = "\n".join(["this cannot be noted where it is used", *silent])
        raise SecretError(reasons, hint="see that the host can be reached, then ask again")
