"""What the hosts say of themselves: generations, how the last run ended, who is at work."""

from collections.abc import Sequence

from pydantic import Field

from fedikit.contact import Conversation
from fedikit.errors import FedikitError, HostError
from fedikit.hosts import on_hosts
from fedikit.model.deployment import Deployment
from fedikit.model.environment import Environment
from fedikit.model.value import HostName, Value
from fedikit.shown import Shown


class Generation(Value):
    """A wanted state that was reached on a host; UTC time."""

    number: int
    time: str
    run: str
    note: str
    who: str
    items: int


class LastRun(Value):
    """How the last apply ended: "done", "failed", or "running" (interrupted, unless the host is busy)."""

    run: str
    who: str
    time: str
    state: str
    item: str = ""
    message: str = ""
    target: int | None = None
    """The generation that a rollback was going to."""


class Note(Value):
    """Something that a person did with the deployment beside changing it; UTC time."""

    time: str
    who: str
    note: str


class HostStatus(Value):
    """One host's own record of a deployment."""

    host: HostName
    generation: int = 0
    generations: tuple[Generation, ...] = ()
    items: dict[str, str] = Field(default_factory=dict)
    """The state of each item that fedikit owns: held, making, kept."""
    last_run: LastRun | None = None
    notes: tuple[Note, ...] = ()
    """Who saw which secret, the latest last."""
    busy: str = ""
    neighbours: tuple[str, ...] = ()
    """Other deployments on this host."""
    python: str = ""
    codename: str = ""
    """Of its Debian release, such as trixie."""
    architecture: str = ""
    error: str = ""


class Status(Shown, Value):
    """What all hosts say."""

    deployment: str
    hosts: dict[HostName, HostStatus]

    @property
    def has_errors(self) -> bool:
        return any(host.error for host in self.hosts.values())


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
