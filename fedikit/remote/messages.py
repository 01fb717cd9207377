"""The one door for what a host says: strict models of every message of an agent.

A host may be hacked, and say anything. What passes here has the types and limits of these models and holds no control
character; nothing untyped goes on. What does not pass is that host's failure, and nobody else's.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from fedikit.errors import AgentFailed, visible
from fedikit.model.value import Architecture, Codename
from fedikit.remote.answer_messages import (
    Answer,
    Change,
    DiskAt,
    Facts,
    ImageBuild,
    KeptDeb,
    Listener,
    Memory,
    Run,
    SealedChecks,
)
from fedikit.remote.data_messages import (
    DATA_MESSAGES,
    ApplicationClosed,
    ApplicationOpened,
    BackedUp,
    BackupsListed,
    CertificatesTaken,
    CertificatesTold,
    Followed,
    Pace,
    ProofNoted,
    Restorable,
    Restored,
    StepEvent,
)
from fedikit.remote.event_messages import Alive, Confirmed, Done, ItemEvent, Noted, Renamed, Trouble, Unconfirmed
from fedikit.remote.spoken import (
    MOST_PARTS,
    Base64,
    Boot,
    Count,
    DeploymentName,
    Id,
    Line,
    Message,
    PackageName,
    RunName,
    Sha256,
    ShortLine,
    Text,
    Time,
    UnitName,
    Version,
    Words,
)


class Listed(Message):
    """A package of which the host's own lists have a newer version."""

    name: PackageName
    was: Version
    becomes: Version
    security: bool


class Upgradable(Message):
    """What is needed to resolve upgrades elsewhere, and what is pending on the host."""

    event: Literal["upgradable"]
    basis: Sha256
    generation: Count
    busy: Line
    codename: Codename | Literal[""]
    architecture: Architecture | Literal[""]
    dpkg_status: Base64
    store: Annotated[tuple[Line, ...], Field(max_length=10 * MOST_PARTS)]
    ours: Annotated[tuple[PackageName, ...], Field(max_length=MOST_PARTS)]
    held: Annotated[tuple[PackageName, ...], Field(max_length=MOST_PARTS)]
    pinned: Annotated[tuple[PackageName, ...], Field(max_length=MOST_PARTS)]
    old_ours: Annotated[tuple[UnitName, ...], Field(max_length=1000)]
    old_others: Annotated[tuple[UnitName, ...], Field(max_length=1000)]
    reboot: Line
    boot: Boot
    listed: Annotated[tuple[Listed, ...], Field(max_length=MOST_PARTS)] | None = None


class Counts(Message):
    """How many items came, became another, or went."""

    added: Count
    changed: Count
    removed: Count


class Moves(Message):
    """What a generation has otherwise than the one before it; of each sort no more than can be read."""

    added: Annotated[tuple[Id, ...], Field(max_length=MOST_PARTS)]
    changed: Annotated[tuple[Id, ...], Field(max_length=MOST_PARTS)]
    removed: Annotated[tuple[Id, ...], Field(max_length=MOST_PARTS)]
    counts: Counts


class Generation(Message):
    """A wanted state that was reached."""

    number: Count
    time: Time
    run: RunName
    note: Line
    who: Line
    items: Count
    moves: Moves | None = None


class Note(Message):
    """Something that a person did beside changing the deployment."""

    time: Time
    who: Line
    note: Line


class Disk(Message):
    """The disk that bears people's data, in bytes."""

    size: Annotated[int, Field(ge=0, le=1 << 60)]
    free: Annotated[int, Field(ge=0, le=1 << 60)]


class UnitHealth(Message):
    """What systemd says of a unit; `reasons`: in what it is not as wanted."""

    name: Line
    state: Annotated[str, Field(pattern=r"^[a-z-]{1,30}$")]
    seconds: Annotated[float, Field(ge=0, le=10_000_000_000, allow_inf_nan=False)]
    restarts: Count
    reasons: Annotated[tuple[Words, ...], Field(max_length=100)]


class Drift(Message):
    """An item that is no longer as it was left, and in what."""

    id: Id
    reasons: Annotated[tuple[Words, ...], Field(max_length=500)]


class DiskHealth(Disk):
    """A disk, by the first place on it that matters."""

    place: Line


class BackupsNoted(Message):
    """What lies there of an application's backups, as text: it is looked into later, and may be of another version."""

    record: Text
    journal: Text = ""
    """Of a restore that goes on, or was cut off."""
    closed: Text = ""
    """If the application is closed, since when and by what."""
    since: Annotated[int, Field(ge=0, lt=1 << 40)]
    """Since when there are to be any, in seconds since 1970."""


class Health(Message):
    """How well that is what fedikit holds on the host."""

    units: Annotated[tuple[UnitHealth, ...], Field(max_length=MOST_PARTS)]
    drift: Annotated[tuple[Drift, ...], Field(max_length=MOST_PARTS)]
    disks: Annotated[tuple[DiskHealth, ...], Field(max_length=100)]
    certificates: Annotated[dict[Line, Words], Field(max_length=1000)]
    """By the site's name, in PEM."""


class Status(Message):
    """What the host says of itself."""

    event: Literal["status"]
    generation: Count
    generations: Annotated[tuple[Generation, ...], Field(max_length=100)]
    items: Annotated[dict[Id, Literal["held", "making", "kept"]], Field(max_length=MOST_PARTS)]
    last_run: Run | None
    busy: Line
    notes: Annotated[tuple[Note, ...], Field(max_length=2000)]
    neighbours: Annotated[tuple[DeploymentName, ...], Field(max_length=1000)]
    disk: Disk
    python: Annotated[str, Field(pattern=r"^[0-9.]{1,20}$")]
    codename: Codename | Literal[""]
    architecture: Architecture | Literal[""]
    backups: Annotated[dict[ShortLine, BackupsNoted], Field(max_length=1000)] = Field(default_factory=dict)
    """By the application's name."""
    health: Health | None = None
    upgrades: Upgradable | None = None


Said = (
    Answer
    | ItemEvent
    | Done
    | Trouble
    | Alive
    | Noted
    | Unconfirmed
    | Confirmed
    | Renamed
    | Status
    | Facts
    | Upgradable
    | StepEvent
    | BackupsListed
    | BackedUp
    | ProofNoted
    | Restorable
    | Restored
    | ApplicationClosed
    | ApplicationOpened
    | CertificatesTold
    | CertificatesTaken
    | Followed
    | Pace
)
_DOOR: TypeAdapter[Said] = TypeAdapter(
    Annotated[Said, Field(discriminator="event")], config=ConfigDict(defer_build=True)
)
_BEGINNING = re.compile(rb'\{"event":"(\w+)"')
_BY_EVENT: dict[bytes, type[Message]] = {
    b"answer": Answer, b"item": ItemEvent, b"done": Done, b"trouble": Trouble, b"alive": Alive, b"noted": Noted,
    b"unconfirmed": Unconfirmed, b"confirmed": Confirmed, b"renamed": Renamed, b"status": Status, b"facts": Facts,
    b"upgradable": Upgradable, b"step": StepEvent, b"backups": BackupsListed, b"backed_up": BackedUp,
    b"proof_noted": ProofNoted, b"restorable": Restorable, b"restored": Restored,
    b"closed": ApplicationClosed, b"opened": ApplicationOpened,
    b"followed": Followed, b"pace": Pace, b"certificates": CertificatesTold, b"certificates_taken": CertificatesTaken,
}  # fmt: skip
"""As agents write them, the kind comes first: so only the model that is needed is built. The others do as well."""


def read_message(host: str, line: bytes) -> Message:
    """The message in a line; raises AgentFailed, which names what is wrong with it and repeats nothing of it."""
    beginning = _BEGINNING.match(line)
    kind = _BY_EVENT.get(beginning[1]) if beginning else None
    try:
        return kind.model_validate_json(line) if kind else _DOOR.validate_json(line)
    except ValidationError as error:
        raise AgentFailed(host, f"the agent spoke nonsense: {_first_of(error, kind)}", hint=MISTRUST) from None
    except (ValueError, RecursionError) as error:
        raise AgentFailed(host, f"the agent spoke nonsense: {type(error).__name__}", hint=MISTRUST) from None


MISTRUST = "another version of fedikit would be refused at once, so look who else is at work on this host"


def _first_of(error: ValidationError, kind: type[Message] | None) -> str:
    """Where the first mistake is, in names that are ours; keys that the host made up are left out."""
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    known = [kind.__name__.lower()] if kind else []
    known += [str(part) for part in first["loc"] if isinstance(part, int) or str(part) in _OUR_NAMES]
    return f"{'.'.join(known) or 'its message'}: {visible(first['msg'])[:200]}"


_OUR_NAMES = {
    name
    for message in (
        Answer, Change, Run, KeptDeb, ImageBuild, ItemEvent, Done, Trouble, Unconfirmed, Generation, Note, Status,
        Facts, Memory, DiskAt, Listener, Renamed, Health, UnitHealth, Moves, Counts, Drift, DiskHealth, Upgradable,
        Listed, SealedChecks, BackupsNoted, *DATA_MESSAGES,
    )
    for name in [*message.model_fields, message.__name__.lower()]
}  # fmt: skip
