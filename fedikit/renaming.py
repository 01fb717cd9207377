"""Renaming a deployment on its hosts, after its environment got another name: data, secrets and history stay with it.

Cut off anywhere and done again, it goes on: each host has it under one of both names, never in between.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fedikit.environment.environment import Environment
from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.deployment import Deployment
from fedikit.model.value import HostName
from fedikit.remote.event_messages import Renamed
from fedikit.remote.hosts import on_hosts
from fedikit.remote.session import Session, deployer_name, new_run
from fedikit.remote.sessions import failing_alone
from fedikit.results.renaming import HostRenaming, Renaming


def make_renaming(environment: Environment, former: str, *, limit: Sequence[str] = ()) -> Renaming:
    """Asks every host how far it is on the way from the former name to the environment's. Changes nothing.

    Raises ConfigurationError if both names are the same, or the former is none.
    """
    _require_another_name(former, environment)
    return _asked(environment.empty(), former, list(limit), {})


def _require_another_name(former: str, environment: Environment) -> None:
    try:
        TypeAdapter(HostName).validate_python(former)
    except ValidationError:
        mistake = Mistake("OLD", "is no name that an environment can have")
        raise ConfigurationError("rename", [mistake], hint="give the name that the environment had before") from None
    if former == environment.name:
        mistake = Mistake("name", f'is "{former}" still, should be the new name')
        raise ConfigurationError(f"environment {former}", [mistake], hint="change it in the environment's file first")


def rename(environment: Environment, renaming: Renaming) -> Renaming:
    """Gives the deployment its new name on all hosts of the renaming; returns how far they are then.

    Raises FedikitError if the renaming is refused. A host that fails is named in its part, and the others are done.
    """
    if renaming.is_refused:
        raise FedikitError("not every host can be renamed; nothing was done", hint="see what the plan says of it")
    about = {"about": {"who": deployer_name(), "run": new_run()}}
    return _asked(environment.empty(), renaming.former, list(renaming.hosts), about)


def _asked(deployment: Deployment, former: str, hosts: list[str], about: dict[str, Any]) -> Renaming:
    request = {"op": "rename", "deployment": deployment.name, "former": former, **about}

    def ask(host: str) -> HostRenaming:
        try:
            with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
                said = session.ask(request, Renamed)
                return HostRenaming(host=host, **said.model_dump(exclude={"event"}))
        except FedikitError as error:
            return HostRenaming(host=host, error=error.text)

    return Renaming(former=former, name=deployment.name, hosts=on_hosts(deployment, hosts, ask))
