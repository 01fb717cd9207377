"""Status: what hosts say of themselves, as values."""

from pydantic import Field

from fedikit.model.value import HostName, Value


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
    unit: str = ""
    """The unit of systemd's in which the work was done; nothing if there was none to shelter it."""


class Note(Value):
    """Something that a person did with the deployment beside changing it; UTC time."""

    time: str
    who: str
    note: str


class Disk(Value):
    """The disk that bears people's data, in bytes."""

    size: int
    free: int

    @property
    def used(self) -> int:
        return self.size - self.free


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
    python: str = ""
    codename: str = ""
    """Of its Debian release, such as trixie."""
    architecture: str = ""
    error: str = ""


class Status(Value):
    """What all hosts say."""

    deployment: str
    hosts: dict[HostName, HostStatus]

    @property
    def has_errors(self) -> bool:
        return any(host.error for host in self.hosts.values())
