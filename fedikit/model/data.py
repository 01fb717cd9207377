"""Data: what of an application is backed up and restored on one host, and what is done around a restore.

A part is one thing that bears data and is backed up for itself. What has parts, and which, follows from requests.
"""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.request import Deadline, InnerPath, UnitName
from fedikit.model.secret import SecretRef
from fedikit.model.value import (
    AbsolutePath,
    Argument,
    BucketName,
    DatabaseName,
    DomainName,
    HttpUrl,
    ImageReference,
    Line,
    ObjectKey,
    Port,
    UnitFile,
    Value,
)

SETTINGS = "/etc/fedikit/data"
"""Where hosts have the settings by which applications are backed up."""


def settings_file(application: str) -> str:
    """The path of an application's settings."""
    return f"{SETTINGS}/{application}.json"


def application_of(path: str) -> str:
    """The application whose settings a file is; empty if it is another file."""
    name = path.removeprefix(f"{SETTINGS}/").removesuffix(".json")
    return name if path == settings_file(name) and "/" not in name else ""


class _DatabasePart(Value):
    """What parts that are databases have in common."""

    host: Annotated[Line, Field(min_length=1)]
    """Where its server answers, as the application reaches it."""
    port: Port
    user: DatabaseName
    name: DatabaseName
    password: SecretRef


class PostgresPart(_DatabasePart):
    """A PostgreSQL database."""

    kind: Literal["postgresql"] = "postgresql"
    encrypted: bool
    """Its server takes encrypted connections only."""
    extensions: tuple[Line, ...] = ()

    @property
    def id(self) -> str:
        return f"postgresql:{self.name}"


class MariaPart(_DatabasePart):
    """A MariaDB database."""

    kind: Literal["mariadb"] = "mariadb"

    @property
    def id(self) -> str:
        return f"mariadb:{self.name}"


class BucketPart(Value):
    """A bucket, whoever keeps it."""

    kind: Literal["bucket"] = "bucket"
    name: BucketName
    """As the application asked for it."""
    endpoint: HttpUrl
    region: Line
    bucket: BucketName
    """What it is called there."""
    key_id: SecretRef | Line
    key_secret: SecretRef
    leave_out: tuple[ObjectKey, ...] = ()

    @property
    def id(self) -> str:
        return f"bucket:{self.name}"


class VolumePart(Value):
    """A directory with all in it."""

    kind: Literal["volume"] = "volume"
    path: AbsolutePath
    leave_out: tuple[InnerPath, ...] = ()

    @property
    def id(self) -> str:
        return f"volume:{self.path}"


Part = Annotated[PostgresPart | MariaPart | BucketPart | VolumePart, Field(discriminator="kind")]


class AfterRestore(Value):
    """A command that makes anew what no backup holds; it runs once a restore has put the data back."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 -]*$")]
    container: UnitName
    """The container in which it runs, which is up again then."""
    run: Annotated[tuple[Argument, ...], Field(min_length=1)]
    """The command, not a shell line; never holds a secret."""
    deadline: Deadline = 3600
    """Seconds that it may take."""


class ApplicationData(Value):
    """All data that an application has on one host, and what is done around a restore of it."""

    folder: Line
    """What its repository is called among those of others."""
    parts: tuple[Part, ...]
    stop: tuple[UnitFile, ...] = ()
    """The units that use them, in the order in which they are stopped."""
    after: tuple[AfterRestore, ...] = ()
    images: dict[UnitName, ImageReference] = Field(default_factory=dict)
    """By container, the image that wrote the data."""
    domains: tuple[DomainName, ...] = ()
    """Those of its own web sites there, which say so when it is closed."""
    reads: tuple[UnitFile, ...] = ()
    """Those of the units that go on for readers while it is closed for writing only."""
    jobs: tuple[str, ...] = ()
    """The names of its jobs, which do not run while it is closed."""
