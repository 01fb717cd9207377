"""The closed set of item kinds, one module each; one that few hosts have is not read before it is needed."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from .kind import Kind

Item = dict[str, Any]
NAMES = (
    "package", "file", "directory", "symlink", "user", "unit", "job", "image", "database", "bucket", "cluster",
    "firewall",
)  # fmt: skip
"""In the order in which they are asked what is left to do."""


@cache
def kind_named(name: str) -> Kind:
    """The kind of that name, by the module of that name."""
    if name not in NAMES:
        raise KeyError(name)
    kind: Kind = __import__(f"{__name__}.{name}", fromlist=["KIND"]).KIND
    return kind


def kind_of(item: Item) -> Kind:
    return kind_named(item["kind"])


def is_a(item: Item, name: str) -> bool:
    """Whether it is of that kind: for servers, which keep things of some kinds, and know others by theirs."""
    return bool(item["kind"] == name)


def by_kind(things: Iterable[Any]) -> list[tuple[Kind, list[Any]]]:
    """Items, or changes, by their kind."""
    found: dict[str, list[Any]] = {}
    for thing in things:
        found.setdefault(thing["kind"] if isinstance(thing, dict) else thing.kind, []).append(thing)
    return [(kind_named(name), found[name]) for name in NAMES if name in found]
