"""Who brought a name into a zone: one set of TXT records at the zone's `_fedikit`, a string for each name.

Another environment, and another deployer, read there what is not theirs. Each update requires the set to be as it was
read, so that two who come at the same time cannot both succeed.
"""

import re
from collections.abc import Iterable, Mapping

LABEL = "_fedikit"
MOST_CHARACTERS = 255
"""Of one string of a TXT record."""
_ENTRY = re.compile(r"environment=(?P<environment>[a-z0-9-]+) name=(?P<name>[a-z0-9.-]+)(?P<addresses>( [0-9a-f.:]+)*)")

Owned = dict[str, tuple[str, ...]]
"""By name, the addresses that were written for it."""


def owned_by(environment: str, texts: Iterable[str]) -> Owned:
    """The names that the environment brought there."""
    found = (_ENTRY.fullmatch(text) for text in texts)
    ours = (entry for entry in found if entry and entry["environment"] == environment)
    return {entry["name"]: tuple(entry["addresses"].split()) for entry in ours}


def owners_of(texts: Iterable[str]) -> dict[str, str]:
    """By name, the environment that brought it there."""
    found = (_ENTRY.fullmatch(text) for text in texts)
    return {entry["name"]: entry["environment"] for entry in found if entry}


def with_owned(environment: str, texts: Iterable[str], owned: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The strings with the environment's names as they are from now on; all others stay as they were."""
    others = [text for text in texts if not ((entry := _ENTRY.fullmatch(text)) and entry["environment"] == environment)]
    ours = [" ".join((f"environment={environment} name={name}", *addresses)) for name, addresses in owned.items()]
    return tuple(sorted(others + ours))
