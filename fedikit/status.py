"""What the hosts say of themselves: generations, how the last run ended, who is at work."""

from collections.abc import Sequence

from fedikit.errors import FedikitError, HostError
from fedikit.model.deployment import Deployment
from fedikit.model.environment import Environment
from fedikit.remote.hosts import on_hosts
from fedikit.remote.session import Conversation
from fedikit.results.status import HostStatus, Status


def read_status(environment: Environment | Deployment, *, limit: Sequence[str] = ()) -> Status:
    """Asks every host; one that cannot be asked has its reason in its part."""
    deployment = environment if isinstance(environment, Deployment) else environment.empty()

    def ask(host: str) -> HostStatus:
        try:
            with Conversation(host, deployment.hosts[host].connection) as conversation:
                answer = conversation.ask({"op": "status", "deployment": deployment.name})
        except FedikitError as error:
            reason = str(error).removeprefix(f"{host}: ") if isinstance(error, HostError) else str(error)
            return HostStatus(host=host, error=reason)
        return HostStatus(host=host, **{key: value for key, value in answer.items() if key != "event"})

    return Status(deployment=deployment.name, hosts=on_hosts(deployment, limit, ask))
