"""What an export left: for each application its manifest, as it is also written beside the data."""

from typing import Literal

from pydantic import Field

from fedikit.model.value import Value


class ExportedFile(Value):
    """One file of an export."""

    bytes: int
    sha256: str


class ExportedPart(Value):
    """One part: where it is, and what is in it."""

    id: str
    kind: Literal["postgresql", "mariadb", "volume", "bucket"]
    file: str
    """The file that holds it; of a bucket, the list of its objects."""
    bytes: int
    """Of the data: the file's, or those of all objects."""
    sha256: str
    """Of the file."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Rows by table, files, or objects."""
    version: str = ""
    """The server that it was taken from."""
    changed: int = 0
    """Files that got shorter while they were read."""
    taken: str
    """When, ISO-8601 UTC."""


class Manifest(Value):
    """An export of one application from one host; written last, so that it stands for all."""

    format: Literal[1] = 1
    deployment: str
    application: str
    host: str
    made_by: str
    ended: str = ""
    """When, ISO-8601 UTC; empty as long as something is missing."""
    images: dict[str, str] = Field(default_factory=dict)
    parts: tuple[ExportedPart, ...] = ()
    files: dict[str, ExportedFile] = Field(default_factory=dict)
    """All others by their paths."""

    def part(self, identity: str) -> ExportedPart | None:
        """The part of that id, if it is there already."""
        return next((part for part in self.parts if part.id == identity), None)


class Exported(Value):
    """How it went with one application."""

    application: str
    host: str
    folder: str
    seconds: float = 0.0
    manifest: Manifest | None = None
    """Nothing where it failed."""
    error: str = ""


class Export(Value):
    """An export of several applications."""

    all: tuple[Exported, ...]

    @property
    def succeeded(self) -> bool:
        return all(not one.error for one in self.all)
