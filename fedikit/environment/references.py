"""The names of hosts in an environment's file: whether each is one, and nobody waits for itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fedikit.environment.jumps import jump_mistakes
from fedikit.errors import Mistake
from fedikit.model.deployment import cycle_of
from fedikit.model.mistake import did_you_mean

_ON_A_HOST = ("postgresql", "mariadb", "bucket", "firewall")
"""Policies that may name hosts."""


def broken_references(data: Any) -> list[Mistake]:
    """Names of hosts that do not exist, and hosts that wait for each other; `data` may be malformed otherwise."""
    hosts = _group(data, "hosts")
    after = {f"hosts.{name}.after": _names(_group(host).get("after")) for name, host in hosts.items()}
    placed = {f"placement.{name}": _names(where) for name, where in _group(data, "placement").items()}
    policies = _group(data, "policies")
    served = {
        f"policies.{kind}.{field}": _names(_group(policies.get(kind)).get(field))
        for kind in _ON_A_HOST
        for field in ("host", "hosts")
    }
    served |= {
        f"policies.firewall.open.{number}.hosts": _names(_group(opened).get("hosts"))
        for number, opened in enumerate(_list(_group(policies.get("firewall")).get("open")))
    }
    unknown = [
        Mistake(path, f'names "{name}", which is no host{did_you_mean(name, list(hosts))}')
        for path, names in (after | placed | served).items()
        for name in names
        if name not in hosts
    ]
    return unknown + _waiting_in_circles(hosts) + jump_mistakes(hosts)


def _waiting_in_circles(hosts: Mapping[str, Any]) -> list[Mistake]:
    cycle = cycle_of({name: _names(_group(host).get("after")) for name, host in hosts.items()})
    return [Mistake(f"hosts.{cycle[0]}.after", f"waits for itself: {' before '.join(cycle)}")] if cycle else []


def _group(data: Any, key: str | None = None) -> Mapping[str, Any]:
    part = data.get(key) if key and isinstance(data, Mapping) else data
    return part if isinstance(part, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _names(value: Any) -> list[str]:
    names = value if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else [value]
    return [name for name in names if isinstance(name, str)]
