"""The ports that a deployment will listen at on a host, and who listens there that is not of it."""

import re
from collections.abc import Iterator

from fedikit.model.deployment import Deployment
from fedikit.model.host import HostState
from fedikit.remote.messages import Facts, Listener
from fedikit.results.diagnosis import Finding

WEB = (80, 443)
_LOCAL = re.compile(r"\b(?:127\.0\.0\.1|localhost):([0-9]{2,5})\b")


def ports_of(deployment: Deployment, host: str) -> list[int]:
    """Those of the web, if a name leads there, and those that its files name at 127.0.0.1."""
    state = deployment.hosts[host]
    addresses = state.connection.public_addresses
    web = WEB if any(record.address in addresses for record in deployment.dns) else ()
    texts = (getattr(item, "content", None) for item in state.items)
    local = {int(port) for text in texts if isinstance(text, str) for port in _LOCAL.findall(text)}
    return sorted({*web, *(port for port in local if 0 < port < 65536)})


def judge_ports(host: str, state: HostState, wanted: list[int], facts: Facts) -> Iterator[Finding]:
    """A line for each port that somebody else has, or one that they are free or ours."""
    ours = {item.id.partition(":")[2] for item in state.items}
    foreign = [each for each in facts.listeners if each.port in wanted and not _is_ours(each, ours)]
    for port in sorted({each.port for each in foreign}):
        there = [each for each in foreign if each.port == port]
        names = sorted({each.unit or each.program or "a program unknown" for each in there})
        stop = f"systemctl disable --now {names[0]}" if names[0].endswith(".service") else "end it, or move it"
        reach = ", for the host alone," if all(each.is_local for each in there) else ""
        words = f"{', '.join(names)} listens at {port}{reach} and is not of this deployment"
        yield Finding(host=host, matter="ports", state="obstacle", seen=words, remedy=f"on {host}: {stop}")
    if wanted and not foreign:
        yield Finding(host=host, matter="ports", state="well", seen=f"{', '.join(map(str, wanted))} are free or ours")


def _is_ours(listener: Listener, ours: set[str]) -> bool:
    """Whether a unit of the deployment listens there; a template's, or a container's, is known by how it begins."""
    return listener.unit in ours or listener.unit.partition("@")[0] in {name.partition("@")[0] for name in ours}
