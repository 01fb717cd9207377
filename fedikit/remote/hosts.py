"""Which hosts to work on, and how: side by side, within a bound."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.deployment import Deployment
from fedikit.model.mistake import did_you_mean

T = TypeVar("T")


def names_of_hosts(deployment: Deployment, limit: Sequence[str]) -> list[str]:
    """The hosts to work on; raises ConfigurationError for names that the environment does not have."""
    unknown = [
        Mistake("--limit", f"there is no host {name}{did_you_mean(name, list(deployment.hosts))}")
        for name in limit
        if name not in deployment.hosts
    ]
    if unknown:
        known = ", ".join(deployment.hosts)
        raise ConfigurationError(deployment.name, unknown, hint=f"the environment has: {known}")
    return [name for name in deployment.hosts if not limit or name in limit]


def on_hosts(deployment: Deployment, limit: Sequence[str], ask: Callable[[str], T]) -> dict[str, T]:
    """The same for each host, one thread a host, no more at a time than the environment says."""
    return side_by_side(names_of_hosts(deployment, limit), ask, at_a_time=deployment.parallel.hosts)


def side_by_side(names: Sequence[str], ask: Callable[[str], T], *, at_a_time: int) -> dict[str, T]:
    """The same for each of these names, one thread a name."""
    with ThreadPoolExecutor(max_workers=at_a_time) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))
