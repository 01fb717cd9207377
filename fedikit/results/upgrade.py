"""Upgrades: where a plan puts an image of another version in the place of one that runs."""

import re
from collections.abc import Iterable
from typing import NamedTuple


class Upgrade(NamedTuple):
    """An image that comes in the place of another version of it."""

    repository: str
    was: str
    becomes: str

    @property
    def is_backwards(self) -> bool:
        """Whether the version that comes is older, as far as their numbers tell."""
        return _numbers(self.becomes) < _numbers(self.was)

    @property
    def software(self) -> str:
        """The last word of the repository's name: what people call it."""
        return self.repository.rpartition("/")[2]


def upgrades_in(leaving: Iterable[str], coming: Iterable[str]) -> tuple[Upgrade, ...]:
    """Pairs what leaves with what comes, both as references with a tag."""
    before = dict(_parts(reference) for reference in leaving)
    after = dict(_parts(reference) for reference in coming)
    return tuple(Upgrade(name, before[name], tag) for name, tag in sorted(after.items()) if name in before)


def _parts(reference: str) -> tuple[str, str]:
    repository, _, tag = reference.rpartition(":")
    return repository, tag


def _numbers(tag: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", tag))
