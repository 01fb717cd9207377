"""Services: where what is deployed is found, who signs in there and how to see the password; never the password."""

import shlex
from collections.abc import Sequence

from fedikit.model.check import NodeInfo, ShellCommandPrints, TlsIsValid
from fedikit.model.deployment import Deployment
from fedikit.model.value import Value
from fedikit.secrets import secrets_of


class Service(Value):
    """One application, as its users find it."""

    application: str
    address: str = ""
    """Its web site; empty if it has none."""
    username: str = ""
    email: str = ""
    password: str = ""
    """How to see it: a command, or where it was given. Empty where nobody signs in with one."""
    commands: tuple[str, ...] = ()
    """What a login shell offers, and where."""


class Services(Value):
    """All that is there for users."""

    all: tuple[Service, ...] = ()


def services_of(deployment: Deployment, limit: Sequence[str] = ()) -> Services:
    """What is placed on these hosts; on all if none are named."""
    hosts = [state for name, state in deployment.hosts.items() if not limit or name in limit]
    names = dict.fromkeys(name for state in hosts for name in state.applications)
    return Services(all=tuple(_service(name, deployment) for name in names))


def _service(application: str, deployment: Deployment) -> Service:
    address, person = address_of(application, deployment), deployment.person
    has_users = bool(address and person)
    return Service(
        application=application,
        address=address,
        username=person.username if has_users and person else "",
        email=person.email if has_users and person else "",
        password=_password(application, deployment),
        commands=tuple(
            f"{shlex.join(check.command)} (on {check.host})"
            for check in deployment.checks
            if isinstance(check, ShellCommandPrints) and check.application == application
        ),
    )


def address_of(application: str, deployment: Deployment) -> str:
    """The web address of an application; nothing if it has none. Where its media are is no address of it."""
    own = [check for check in deployment.checks if check.application == application]
    sites = [check.domain for kind in (NodeInfo, TlsIsValid) for check in own if isinstance(check, kind)]
    return f"https://{sites[0]}" if sites else ""


def _password(application: str, deployment: Deployment) -> str:
    name = f"{application}/initial-user"
    secret = next((secret for secret in secrets_of(deployment) if secret.name == name), None)
    if secret is None:
        return ""
    is_given = {secret.name, secret.family} & deployment.given.keys()
    return "as given in the configuration" if is_given else f"fedikit secret show {name}"
