"""Migrations: what leaves one provider for another, phase by phase, and what came of it. Pure values."""

from typing import Literal

from pydantic import Field

from fedikit.model.deployment import Deployment
from fedikit.model.host import MovedSite
from fedikit.model.value import HostName, Value, digest_of
from fedikit.results.names import NameFound
from fedikit.results.restoring import Amount

Phase = Literal[
    "secrets", "stage", "copy", "close", "differences", "save", "parts", "put-back", "open", "start", "names", "verify",
    "afterwards", "leave", "reopen",
]  # fmt: skip
PHASES: tuple[Phase, ...] = (
    "secrets", "stage", "copy", "close", "differences", "open", "start", "names", "verify", "afterwards",
)  # fmt: skip
"""In their order. What is not yet done when a migration is cut off is done when it is run again."""
REHEARSED: tuple[Phase, ...] = ("secrets", "stage", "copy")
"""What a rehearsal does; then it does again what it can of the rest, to see how long that takes."""
BACKWARDS: tuple[Phase, ...] = ("copy", "close", "differences", "open", "names", "verify", "afterwards")
"""What a way back does, with the roles exchanged; the new side may never have backed up before.

Where that never served, all there is to do is `reopen`.
"""
MOVING: tuple[Phase, ...] = (
    "stage", "copy", "close", "differences", "save", "parts", "put-back", "open", "start", "names", "verify",
    "afterwards", "leave",
)  # fmt: skip
"""What a move within one environment does."""
BETWEEN_HOSTS: tuple[Phase, ...] = ("stage",)
"""Those of them for applications that leave their host."""
WHERE_NAMES_LEAD: tuple[Phase, ...] = ("names", "leave")
"""Those for these, and for web sites of others that come to another host."""
WHILE_IT_SERVES: tuple[Phase, ...] = ("copy", "differences")
"""Those for the ones among these that take all data along."""
ONCE_CLOSED: tuple[Phase, ...] = ("save", "parts", "put-back")
"""Those for applications that stay on their host, or leave some data where it is: a server knows them in one place."""
READ_ONLY: tuple[Phase, ...] = ("close", "differences", "save", "parts", "put-back", "open", "start")
"""The phases in which nobody can write: neither side serves."""
Direction = Literal["there", "back"]
MOVE = "move-"
"""What the names of moves begin with, so that hosts know one from a migration."""


def is_move(name: str) -> bool:
    """Whether that is the name of a move."""
    return name.startswith(MOVE)


def verb_of(name: str) -> str:
    """The command that goes on with a migration or a move of that name."""
    return "fedikit move" if is_move(name) else "fedikit migrate"


class Moved(Value):
    """A part of an application that travels."""

    id: str
    kind: str = ""
    there: Amount | None = None
    """How much of it there is on the old side."""


class Room(Value):
    """A disk to which some of an application comes."""

    host: HostName
    paths: tuple[str, ...]
    """What of it lies there."""
    comes: int | None = None
    """How many bytes come, as of the last backup; not known where there is none yet."""
    needs: int = 0
    """How many must be free, with those of all applications that come to this disk."""
    free: int

    @property
    def is_short(self) -> bool:
        return self.needs > self.free


class ApplicationMigration(Value):
    """An application that leaves one host for another."""

    application: str
    source: HostName
    target: HostName
    parts: tuple[Moved, ...] = ()
    room: tuple[Room, ...] = ()
    """The disks that it comes to, as long as no copy of it is there."""
    notes: tuple[str, ...] = ()
    error: str = ""
    """Why it cannot be migrated."""

    @property
    def bytes(self) -> int:
        return sum(part.there.bytes for part in self.parts if part.there)


class MigrationPlan(Value):
    """What a migration would do. A pure value; nothing was changed for it."""

    id: str
    """What it is called on the hosts."""
    instead: str = ""
    """Another migration, that nobody can go on with, whose place it takes."""
    source: Deployment
    target: Deployment
    direction: Direction = "there"
    is_rehearsal: bool = False
    applications: tuple[ApplicationMigration, ...]
    secrets: tuple[str, ...] = ()
    """The names of the secrets that must stay what they are, and travel."""
    names: tuple[NameFound, ...] = ()
    """Where names lead now, and where they shall."""
    ttl: int = 0
    """For how many seconds others may remember where they led."""
    sites: tuple[MovedSite, ...] = ()
    """Of a move, the web sites that come to a host without their application, such as a bucket's."""
    consent: tuple[str, ...] = ()
    """By what an apply is told that what would begin empty is brought along."""
    sets_names: bool = False
    """Whether fedikit changes the names itself, at the new side's DNS server."""
    done: tuple[Phase, ...] = ()
    """Phases that an earlier run has ended."""
    left: tuple[Phase, ...] = PHASES
    """Those that are still to be done, in their order."""
    predicted: float | None = None
    """For how many seconds nobody could write, as a rehearsal foretold."""
    seconds: float = 0.0

    @property
    def is_move(self) -> bool:
        """Whether it is within one environment."""
        return self.source.name == self.target.name

    @property
    def has_errors(self) -> bool:
        return any(one.error for one in self.applications)

    @property
    def has_changes(self) -> bool:
        return not self.has_errors and bool(self.left)

    @property
    def is_noop(self) -> bool:
        return not self.left

    @property
    def deployment(self) -> Deployment:
        """The side that applications come to."""
        return self.source if self.direction == "back" else self.target

    @property
    def may_lose_data(self) -> bool:
        """Never: the side that is left keeps what it has, and what the other one had is in that already."""
        return False

    @property
    def digest(self) -> str:
        """SHA-256 over what would be done; equal while nothing moves, also of a migration that was not begun yet."""
        decisive = [(one.application, one.source, one.target, one.error) for one in self.applications]
        sides = [self.source.digest, self.target.digest, self.direction, self.is_rehearsal]
        sites = [site.model_dump() for site in self.sites]
        return digest_of([self.instead, *sides, list(self.left), decisive, sites])


class PhaseDone(Value):
    """A phase that has ended."""

    phase: str
    seconds: float = 0.0
    failed: bool = False
    detail: str = ""


class MigrationReport(Value):
    """What came of a migration, as far as it came."""

    id: str
    run: str
    direction: Direction = "there"
    is_rehearsal: bool = False
    phases: tuple[PhaseDone, ...] = ()
    """Those of this run, in their order."""
    compared: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By application, in what the new side differs from the old; nothing where both are equal."""
    read_only: float | None = None
    """For how many seconds nobody could write, from the moment that the old side's door was shut."""
    predicted: float | None = None
    """The same as a rehearsal foretold."""
    error: str = ""
    """Why it ended before its time."""
    advice: str = ""
    """How it stands, and what to do next."""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return not self.error
