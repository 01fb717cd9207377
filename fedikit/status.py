"""Asking hosts what they say of themselves: generations, how the last run ended, who is at work."""

from collections.abc import Sequence

from fedikit.environment.environment import Environment
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.remote import messages
from fedikit.remote.hosts import on_hosts
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.results.status import HostStatus, Status


def read_status(environment: Environment | Deployment, *, limit: Sequence[str] = ()) -> Status:
    """Asks every host; one that cannot be asked has its reason in its part."""
    deployment = environment if isinstance(environment, Deployment) else environment.empty()

    def ask(host: str) -> HostStatus:
        try:
            with failing_alone(host), Session(host, deployment.hosts[host].connection) as session:
                said = session.ask({"op": "status", "deployment": deployment.name}, messages.Status)
                return HostStatus(host=host, **said.model_dump(exclude={"event"}))
        except FedikitError as error:
            return HostStatus(host=host, error=error.text)

    return Status(deployment=deployment.name, hosts=on_hosts(deployment, limit, ask))
