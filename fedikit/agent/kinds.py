"""The closed set of item kinds, and what each of them can do."""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from .eyes import Eyes, State
from .file import DirectoryKind, FileKind, SymlinkKind
from .hands import Hands
from .image import ImageKind
from .job import JobKind
from .package import PackageKind
from .unit import UnitKind
from .user import UserKind
from .work import Work

Item = dict[str, Any]


class Kind(Protocol):
    """What every kind of item can do.

    observe      the item's present state, as JSON
    differences  in words, in what the state is not as wanted; empty when the item holds
    conflict     why the state cannot be changed into what is wanted; empty when it can
    converge     makes it as wanted, from any state; may run twice
    remove       puts back what was there before; may run twice; returns what it kept, in words
    """

    def observe(self, eyes: Eyes, item: Item) -> State: ...
    def differences(self, item: Item, state: State, done: str) -> list[str]: ...
    def conflict(self, item: Item, state: State) -> str: ...
    def converge(self, hands: Hands, item: Item, work: Work) -> None: ...
    def remove(self, hands: Hands, item: Item, work: Work) -> str: ...


KINDS: dict[str, Kind] = {
    "package": PackageKind(),
    "file": FileKind(),
    "directory": DirectoryKind(),
    "symlink": SymlinkKind(),
    "user": UserKind(),
    "unit": UnitKind(),
    "job": JobKind(),
    "image": ImageKind(),
}


@cache
def _bucket() -> Kind:
    from .bucket import BucketKind  # slow, and few hosts have one

    return BucketKind()


@cache
def _cluster() -> Kind:
    from .cluster import ClusterKind  # slow, and few hosts have one

    return ClusterKind()


@cache
def _database() -> Kind:
    from .database import DatabaseKind  # slow, and few hosts have one

    return DatabaseKind()


SELDOM: dict[str, Callable[[], Kind]] = {"bucket": _bucket, "cluster": _cluster, "database": _database}


def kind_of(item: Item) -> Kind:
    name = item["kind"]
    return KINDS[name] if name in KINDS else SELDOM[name]()
