"""Status: what hosts say of themselves, as values."""

from pydantic import Field

from fedikit.model.value import HostName, Value
from fedikit.results.backup import BackupHealth
from fedikit.results.disk import Disk
from fedikit.results.health import Health


class Counts(Value):
    """How many items came with a generation, became another, or went."""

    added: int = 0
    changed: int = 0
    removed: int = 0


class Moves(Value):
    """What a generation has otherwise than the one before it: ids of items, the first of many."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    counts: Counts = Counts()


class Generation(Value):
    """A wanted state that was reached on a host; UTC time."""

    number: int
    time: str
    run: str
    note: str
    who: str
    items: int
    moves: Moves | None = None
    """Unknown of the oldest that a host keeps."""


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
    unit: str = ""
    """The unit of systemd's in which the work was done; nothing if there was none to shelter it."""


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
    disk: Disk | None = None
    """The disk that bears people's data."""
    backups: tuple[BackupHealth, ...] = ()
    """How it is about the backups of each application that is backed up there."""
    closed: tuple[str, ...] = ()
    """Of applications that are closed there, since when and by what, in words."""
    health: Health | None = None
    """Only if it was asked for."""
    python: str = ""
    codename: str = ""
    """Of its Debian release, such as trixie."""
    architecture: str = ""
    error: str = ""

    @property
    def is_unfinished(self) -> bool:
        """Whether the last run did not come to its end, and does not go on either."""
        return bool(self.last_run and self.last_run.state != "done" and not self.busy)

    @property
    def is_well(self) -> bool:
        """As far as it was asked: it answered, its last run came to its end, and its health is good."""
        if self.error or self.is_unfinished or self.health is None:
            return not self.error and not self.is_unfinished
        return self.health.is_well and all(backups.is_well for backups in self.backups)


class Status(Value):
    """What all hosts say."""

    deployment: str
    hosts: dict[HostName, HostStatus]

    @property
    def has_errors(self) -> bool:
        return any(host.error for host in self.hosts.values())

    @property
    def is_well(self) -> bool:
        return all(host.is_well for host in self.hosts.values())

    def of_generation(self, number: int) -> "Status":
        """The same with that generation alone, where a host has it."""
        hosts = {
            name: host.model_copy(update={"generations": tuple(g for g in host.generations if g.number == number)})
            for name, host in self.hosts.items()
        }
        return self.model_copy(update={"hosts": hosts})
