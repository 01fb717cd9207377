"""Moves that meet on a host: what is set up there for one must not touch what another uses until that is closed."""

from collections.abc import Iterator

from fedikit.data.migration.between import Between
from fedikit.data.migration.moves import moves_of_application, stores_of
from fedikit.data.migration.sides import Pair
from fedikit.errors import ConfigurationError
from fedikit.results.plan import Plan

_IN_TWO_STEPS = "do it in two moves: the new placement first, with the policies as they were, then the policies"


def meeting_troubles(pair: Pair, between: Between, plan: Plan) -> Iterator[str]:
    """Why an application cannot move together with the others, in words; with the way in two steps."""
    touched = set(between.staged)
    for host in sorted(_hosts_in_use(pair, plan) & touched):
        yield f"{host} has data of it that is in use until it is closed, and is changed before that: {_IN_TWO_STEPS}"
    for host in sorted(touched) if pair in between.leaving else ():
        for identity in _used_already(pair, between, plan, host):
            yield f"{identity} is on {host} already, where it is in use until it is closed: {_IN_TWO_STEPS}"
    if pair in between.leaving and pair.source in between.busy:
        yield from _unlike(pair, between)


def _hosts_in_use(pair: Pair, plan: Plan) -> set[str]:
    """Where an application has what it uses, if policies say that some of that goes another way than it does."""
    moves = moves_of_application(plan, pair.application)
    if all((move.source, move.target) == (pair.source, pair.target) for move in moves):
        return set()
    return {pair.source, *(move.source for move in moves)}


def _used_already(pair: Pair, between: Between, plan: Plan, host: str) -> Iterator[str]:
    """What keeps its data on a host that had it before, though not by the policies that there are now."""
    known = {item.id for item in between.source.hosts[host].items}
    coming = {change.id for change in plan.hosts[host].changes if change.action in ("create", "adopt")}
    yield from (id for id in stores_of(pair.application, plan.deployment, host) if id not in known | coming)


def _unlike(pair: Pair, between: Between) -> Iterator[str]:
    """Where what leaves a host cannot be there beside what comes."""
    try:
        between.while_they_serve()
        between.once_closed()
    except ConfigurationError as error:
        words = "; ".join(f"{mistake}" for mistake in error.mistakes)
        yield f"it cannot stay on {pair.source} until it has moved ({words}): move it to a third host first"
