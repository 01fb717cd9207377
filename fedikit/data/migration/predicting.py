"""For how long nobody could write: what a rehearsal measures, and what hosts know of the pace of their units."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fedikit.data.migration.sides import Pair
from fedikit.model.deployment import Deployment
from fedikit.remote.data_messages import Pace, UnitPace
from fedikit.remote.session import Session
from fedikit.remote.sessions import failing_alone
from fedikit.results.migration import Phase, PhaseDone

WHILE_IT_SERVES = "rehearsed, while the old side serves"


def predict(left: Deployment, pairs: Sequence[Pair], measured: Mapping[Phase, float]) -> Iterator[PhaseDone]:
    """The phases in which nobody could write, with the seconds that each would take.

    `measured`: what was done in a rehearsal; `close` was done where nothing ran, `start` where nothing was to start.
    Added is what the units took on their host the last time, and for each job that is left out as long as the slowest
    unit takes: it starts the same software. Hosts are at it side by side. Raises a HostError.
    """
    paces = {pair: _pace_of(left, pair) for pair in pairs}
    stop = _longest((pair.source, _sum(unit.stop for unit in pace)) for pair, pace in paces.items())
    start = _longest(
        (pair.target, _sum(unit.start for unit in pace) + _jobs_seconds(left, pair, pace))
        for pair, pace in paces.items()
    )
    unknown = [unit.unit for pace in paces.values() for unit in pace if unit.stop is None]
    yield _predicted("close", measured["close"] + stop, _words_of(unknown))
    yield _predicted("differences", measured["differences"])
    yield _predicted("open", measured["close"])
    yield _predicted("start", measured["start"] + start)


def _longest(seconds: Iterable[tuple[str, float]]) -> float:
    """The host that has most to do: one thing after the other."""
    hosts: dict[str, float] = {}
    for host, each in seconds:
        hosts[host] = hosts.get(host, 0.0) + each
    return max(hosts.values(), default=0.0)


def _sum(seconds: Iterable[float | None]) -> float:
    return sum(each or 0.0 for each in seconds)


def _pace_of(deployment: Deployment, pair: Pair) -> tuple[UnitPace, ...]:
    request = {"op": "data", "deployment": deployment.name, "verb": "pace", "application": pair.application}
    with failing_alone(pair.source), Session(pair.source, deployment.hosts[pair.source].connection) as session:
        return session.ask(request, Pace).units


def _jobs_seconds(deployment: Deployment, pair: Pair, pace: Sequence[UnitPace]) -> float:
    jobs = deployment.hosts[pair.source].data[pair.application].jobs
    return len(jobs) * max((unit.start or 0 for unit in pace), default=0)


def _words_of(unknown: Sequence[str]) -> str:
    if not unknown:
        return WHILE_IT_SERVES
    return f"and what it takes to stop {', '.join(unknown)}, not stopped since the host booted"


def _predicted(phase: Phase, seconds: float, detail: str = WHILE_IT_SERVES) -> PhaseDone:
    return PhaseDone(phase=phase, seconds=round(seconds, 3), detail=detail)
