"""What a host says before anything is changed there: what would change, and what it has."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.value import Architecture, Codename
from fedikit.remote.spoken import (
    MOST_CHECKS_BYTES,
    MOST_PARTS,
    Action,
    Base64,
    Count,
    DeploymentName,
    Id,
    Line,
    Message,
    PackageName,
    Reference,
    RunName,
    Sha256,
    ShortLine,
    Size,
    Text,
    Time,
    Version,
    Words,
)


class Change(Message):
    """What would happen to one item."""

    id: Id
    action: Action
    reasons: Annotated[tuple[Words, ...], Field(max_length=500)] = ()
    drift: bool = False
    before: Text | None = None
    after: Text | None = None
    version: Version = ""
    data: bool = False


class Run(Message):
    """How the last apply ended."""

    run: RunName
    who: Line
    time: Time
    state: Literal["done", "failed", "running"]
    item: Line = ""
    message: Words = ""
    target: Count | None = None
    unit: Line = ""


class KeptDeb(Message):
    """A package that the host's store has."""

    version: Version
    sha256: Sha256


class ImageBuild(Message):
    """A container image of the generation that a rollback goes to."""

    reference: Reference
    manifest: Sha256
    config: Sha256
    layers: Annotated[tuple[Sha256, ...], Field(max_length=500)]

    @property
    def parts(self) -> list[str]:
        """Everything that it consists of."""
        return [self.manifest, self.config, *self.layers]


class Memory(Message):
    """The host's memory, in bytes; nothing where its kernel does not tell."""

    total: Size = 0
    available: Size = 0
    swap: Size = 0


class DiskAt(Message):
    """The disk that a path is on."""

    device: Annotated[int, Field(ge=0, lt=1 << 64)]
    size: Annotated[int, Field(ge=0, le=1 << 60)]
    free: Annotated[int, Field(ge=0, le=1 << 60)]
    inodes: Annotated[int, Field(ge=0, lt=1 << 64)]
    free_inodes: Annotated[int, Field(ge=0, lt=1 << 64)]


class Listener(Message):
    """A program that listens at a port."""

    protocol: Literal["tcp", "udp"]
    port: Annotated[int, Field(ge=1, le=65535)]
    is_local: bool
    program: ShortLine
    unit: ShortLine


class Facts(Message):
    """What the host has."""

    event: Literal["facts"]
    codename: Codename | Literal[""]
    architecture: Architecture | Literal[""]
    strange_system: ShortLine = ""
    python: Annotated[str, Field(pattern=r"^[0-9.]{1,20}$")]
    is_root: bool
    clock: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    is_clock_synchronized: bool | None
    memory: Memory
    disks: Annotated[dict[Line, DiskAt], Field(max_length=100)]
    listeners: Annotated[tuple[Listener, ...], Field(max_length=200)]
    systemd: ShortLine
    failed_units: Annotated[tuple[ShortLine, ...], Field(max_length=20)]
    kernel: ShortLine
    has_cgroup2: bool
    has_overlayfs: bool
    unfinished_packages: Annotated[tuple[ShortLine, ...], Field(max_length=20)]
    dpkg_journal: Count
    resolves: bool | None


class SealedChecks(Message):
    """What the host keeps of checks: text that is looked into only once its seal fits."""

    text: Annotated[str, Field(max_length=MOST_CHECKS_BYTES, pattern=r"^[ -~]*$")]
    seal: Sha256


class Answer(Message):
    """What would change on the host, and what would have to be sent."""

    event: Literal["answer"]
    changes: Annotated[tuple[Change, ...], Field(max_length=MOST_PARTS)]
    same: Count
    basis: Sha256
    generation: Count
    unfinished: bool
    kept: Annotated[tuple[Id, ...], Field(max_length=MOST_PARTS)]
    last_run: Run | None
    busy: Line = ""
    concerns: Annotated[tuple[Words, ...], Field(max_length=1000)] = ()
    closed: Annotated[tuple[Words, ...], Field(max_length=1000)] = ()
    """What is to be said of applications that are closed there."""
    at_rest: Annotated[tuple[Line, ...], Field(max_length=1000)] = ()
    """The names of those."""
    identity: Annotated[dict[Line, Line], Field(max_length=1000)] = Field(default_factory=dict)
    has_data: bool = False
    """Whether people's data is there, which knows the deployment by this identity."""
    owners: Annotated[tuple[DeploymentName, ...], Field(max_length=1000)] = ()
    """The other deployments whose things are in the way."""
    target: Count | None = None
    images: Annotated[tuple[ImageBuild, ...], Field(max_length=MOST_PARTS)] = ()
    contents: Annotated[tuple[Sha256, ...], Field(max_length=MOST_PARTS)] = ()
    secrets: Annotated[tuple[Id, ...], Field(max_length=MOST_PARTS)] = ()
    leaving_packages: Annotated[tuple[PackageName, ...], Field(max_length=MOST_PARTS)] = ()
    staying_packages: Annotated[dict[PackageName, Words], Field(max_length=MOST_PARTS)] = Field(default_factory=dict)
    packages: Annotated[dict[PackageName, Version | None], Field(max_length=MOST_PARTS)] = Field(default_factory=dict)
    codename: Codename | Literal[""] = ""
    architecture: Architecture | Literal[""] = ""
    dpkg_status: Base64 = ""
    store: Annotated[tuple[Line, ...], Field(max_length=10 * MOST_PARTS)] = ()
    ours: Annotated[tuple[PackageName, ...], Field(max_length=MOST_PARTS)] = ()
    debs: Annotated[dict[PackageName, KeptDeb], Field(max_length=MOST_PARTS)] = Field(default_factory=dict)
    checks: SealedChecks | None = None
    """In a rollback, those that were kept with the generation."""
    facts: Facts | None = None
    """What the host has, if that was asked and something would change."""
