"""Who listens at the ports that a deployment will listen at on a host, and is not of it."""

from collections.abc import Iterator

from fedikit.model.host import HostState
from fedikit.remote.answer_messages import Facts, Listener
from fedikit.results.diagnosis import Finding


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
