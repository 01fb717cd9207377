"""Diagrams: a deployment as Mermaid text, which JupyterLab and most forges draw. What is in the items never shows."""

from collections import Counter
from collections.abc import Iterable, Mapping

from fedikit.model.host import DnsRecord, HostState

MOST_HOSTS = 40
"""A diagram with more hosts nobody can read; the rest is counted."""


def mermaid(hosts: Mapping[str, HostState], dns: Iterable[DnsRecord]) -> str:
    """Applications on the left, in the middle the hosts they are placed on, on the right the names that lead there."""
    shown = {name: hosts[name] for name in list(hosts)[:MOST_HOSTS]}
    lines = [line for name, state in shown.items() for line in _host_lines(name, state, shown)]
    names = [line for record in dns for line in _record_lines(record, shown)]
    rest = [f'rest["and {len(hosts) - len(shown)} more hosts"]'] if len(hosts) > len(shown) else []
    return "\n  ".join(["flowchart LR", *lines, *names, *rest]) + "\n"


def counted(items: Iterable[str]) -> str:
    """How many there are of each: "1 file, 2 packages"."""
    plurals = {"directory": "directories"}
    counts = sorted(Counter(items).items())
    return ", ".join(f"{n} {kind if n == 1 else plurals.get(kind, kind + 's')}" for kind, n in counts)


def _host_lines(name: str, state: HostState, shown: Mapping[str, HostState]) -> list[str]:
    items = counted(item.kind for item in state.items) or "nothing"
    connection = state.connection
    return [
        f'{_id(name)}["{name} ({connection.type} {connection.address})<br/>{items}"]',
        *(f'{_id(software, "application")}(["{software}"]) --> {_id(name)}' for software in state.applications),
        *(f"{_id(earlier)} -. before .-> {_id(name)}" for earlier in state.after if earlier in shown),
    ]


def _record_lines(record: DnsRecord, shown: Mapping[str, HostState]) -> list[str]:
    targets = [name for name, state in shown.items() if record.address in state.connection.public_addresses]
    return [f'{_id(name)} --- {_id(record.name, "name")}>"{record.name}"]' for name in targets]


def _id(name: str, kind: str = "host") -> str:
    """A node's id; Mermaid trips over dashes and dots, and over its own words such as `end`."""
    return f"{kind}_{name.replace('-', '__').replace('.', '_')}"
