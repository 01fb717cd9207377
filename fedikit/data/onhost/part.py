"""A part: one thing of an application that bears data, and is backed up for itself."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, TypedDict, cast

from .repository import Repository
from .settings import Secrets

ORDER = ("postgresql", "mariadb", "volume", "bucket")
"""Databases come first: what they name lies in volumes and buckets already, and nothing is deleted there meanwhile."""
CLASSES = {
    "postgresql": ("postgresql", "PostgresPart"),
    "mariadb": ("mariadb", "MariadbPart"),
    "volume": ("volume", "VolumePart"),
    "bucket": ("bucket", "BucketPart"),
}


class Record(TypedDict, total=False):
    """What is known of a part at one moment.

    snapshots  ids in the repository, by what they hold: "data", and "listing" for a bucket
    bytes      how much it holds
    added      by how many bytes the repository grew
    counts     rows by "table NAME", or "objects", or "files"
    version    of the software that it came from
    """

    snapshots: dict[str, str]
    bytes: int
    added: int
    counts: dict[str, int]
    version: str


class Part(Protocol):
    """What each kind of part can do; all of it raises Trouble."""

    def back_up(self, repository: Repository, tags: list[str]) -> Record:
        """Puts what is there now into the repository, under these tags."""

    def measure(self) -> Record:
        """The bytes and the counts of what is there now; raises Absent if it is not there."""

    def restore(self, repository: Repository, record: Record) -> None:
        """Makes it as it was; from any state, and again after it was cut off. Nobody else writes to it."""

    def differences(self, record: Record) -> list[str]:
        """In words, what differs now from the record's counts."""


def make_part(spec: Mapping[str, Any], secrets: Secrets) -> Part:
    """The part that a line of the settings describes."""
    module, name = CLASSES[spec["kind"]]
    return cast(Part, getattr(import_module(f".{module}", __package__), name)(dict(spec), secrets))


def in_order(specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts in the order in which they are backed up and restored."""
    return sorted(specs, key=lambda spec: ORDER.index(spec["kind"]))


def summary(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts as small as can be: tables and rows, objects, or files."""
    rows = [number for name, number in counts.items() if name.startswith("table ")]
    whole = {name: counts[name] for name in ("objects", "files") if name in counts}
    return whole or {"tables": len(rows), "rows": sum(rows)}
