"""Planning a move within one environment: what an apply would part from its data, and where it would be brought."""

import time
from collections.abc import Iterator
from pathlib import Path

from fedikit.data.backups import list_backups
from fedikit.data.migration.between import Between
from fedikit.data.migration.journal import Journal
from fedikit.data.migration.meeting import meeting_troubles
from fedikit.data.migration.moves import Moving, before, consent_for, servers_of, shares_data, what_moves
from fedikit.data.migration.planning import new_id, notes_on, parts_of
from fedikit.data.migration.sides import Pair, Sides
from fedikit.data.migration.sites import led_there, sites_that_come
from fedikit.data.migration.standing_moves import what_is_known
from fedikit.dns.lookup import look_up_names
from fedikit.environment.load import load_both
from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.deployment import Deployment
from fedikit.model.dns import USUAL_TTL
from fedikit.plan import make_plan
from fedikit.results.migration import (
    BETWEEN_HOSTS,
    MOVE,
    MOVING,
    ONCE_CLOSED,
    WHERE_NAMES_LEAD,
    WHILE_IT_SERVES,
    ApplicationMigration,
    MigrationPlan,
    Phase,
)
from fedikit.results.moves import would_stop
from fedikit.results.plan import Plan

_GONE = "if one is gone for good, the newest backup comes back by fedikit restore: docs/host-is-gone.md"


def load_move(environment: str | Path, configuration: str | Path) -> Sides:
    """Reads both files; the mistakes of both come at once."""
    wanted, configured = load_both(environment, configuration)
    return Sides(wanted, wanted, configured, Path(environment).absolute())


def make_move(sides: Sides, *, instead: str = "", tell: Tell = tell_nobody) -> MigrationPlan:
    """What bringing data along would take, where the environment has applications or their servers elsewhere now.

    Or what is left of it, where an earlier run was cut off. Nothing is changed. `instead`: another move that nobody can
    go on with; this one goes on from what the hosts know of it. Raises FedikitError where a host cannot be asked; what
    stands against one application is in its part.
    """
    start = time.monotonic()
    tell(StepStarted(step="plan"))
    target = sides.new.deployment(sides.configuration)
    name = f"{MOVE}{new_id()}"
    journal = what_is_known(sides, target, name=name, instead=instead).journal
    moving = _gone_on_with(journal, sides, target, tell) if journal else _asked_for(sides, _plan_of(target, tell))
    source = led_there(before(sides.new, moving.pairs).deployment(sides.configuration), moving.sites)
    journal = journal or Journal(id=name)
    plan = MigrationPlan(
        id=journal.id,
        instead=journal.instead,
        source=source,
        target=target,
        applications=tuple(_applications(source, moving, journal, tell)),
        names=look_up_names(target).names if moving.sites or _leaving(moving.pairs) else (),
        ttl=sides.new.dns.ttl if sides.new.dns else USUAL_TTL,
        sites=moving.sites,
        consent=moving.consent,
        sets_names=sides.new.dns is not None,
        done=journal.done,
        left=_phases_left(moving, journal, source, target),
        seconds=round(time.monotonic() - start, 3),
    )
    tell(StepFinished(step="plan", seconds=plan.seconds, failed=plan.has_errors))
    return plan


def _plan_of(target: Deployment, tell: Tell) -> Plan:
    """What an apply would do now. Raises FedikitError where that cannot be known."""
    plan = make_plan(target, tell=tell)
    if failed := [f"{host}: {planned.error}" for host, planned in plan.hosts.items() if planned.error]:
        words = "what is to be moved is not known before every host can be asked"
        raise FedikitError("\n".join([words, *failed]), hint=f"see that they are up; {_GONE}")
    return plan


def _asked_for(sides: Sides, plan: Plan) -> Moving:
    """What an apply would part from its data."""
    moving = what_moves(plan)
    errors = dict(moving.errors)
    fit = [pair for pair in moving.pairs if pair.application not in errors]
    source = before(sides.new, fit).deployment(sides.configuration)
    between = Between(fit, source, plan.deployment, sides.new, sides.configuration)
    for pair in fit:
        if troubles := [*meeting_troubles(pair, between, plan), *_troubles(pair, plan)]:
            errors[pair.application] = "; ".join(troubles)
    sites = tuple(sites_that_come(plan, source, [pair.application for pair in fit]))
    return moving._replace(sites=sites, errors=errors)


def _troubles(pair: Pair, plan: Plan) -> Iterator[str]:
    """What stands against moving one application, in words."""
    stops = would_stop(plan)
    for host, planned in plan.hosts.items():
        known = (*plan.moves, *stops.get(host, ()))
        refused = [words for words in planned.refused if not any(move in words for move in known)]
        blocked = [f"{change.id}: {change.reasons[0]}" for change in planned.changes if change.action == "blocked"]
        yield from (f"{host}: {words}" for words in (*refused, *blocked))
    units = {f"unit:{unit}" for unit in plan.deployment.hosts[pair.target].data[pair.application].stop}
    met = [c.id for c in plan.hosts[pair.target].changes if c.id in units and c.action != "create"]
    if pair.source != pair.target and met:
        yield f"{pair.target} runs it already, and it is not known with what data: remove it there first"


def _leaving(pairs: list[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.source != pair.target]


def _gone_on_with(journal: Journal, sides: Sides, target: Deployment, tell: Tell) -> Moving:
    """What was begun. Raises FedikitError where the environment wants another thing by now, and it is too late."""
    pairs = [Pair(name, *hosts) for name, hosts in journal.moving.items()]
    for pair in pairs:
        placed = [host for host, state in target.hosts.items() if pair.application in state.applications]
        if placed != [pair.target] and (placed != [pair.source] or journal.has_begun):
            words = f"{pair.application} is being moved from {pair.source} to {pair.target}, and that has not ended"
            raise FedikitError(words, hint=f'place it on "{pair.target}" again, and end that first: fedikit move')
        if journal.has_begun:
            _require_same_servers(pair, journal, target)
    is_told_by_hosts = journal.instead and not journal.consent
    return (
        _with_the_rest(pairs, journal, sides, target, tell)
        if is_told_by_hosts
        else Moving(pairs, journal.consent, {}, journal.sites)
    )


def _require_same_servers(pair: Pair, journal: Journal, target: Deployment) -> None:
    """What was put back on one server is on no other. Raises FedikitError."""
    wanted = servers_of(pair, target)
    for part, server in journal.servers.get(pair.application, {}).items():
        if wanted.get(part) != server:
            words = f"{part} of {pair.application} is being moved to {server}, and that has not ended"
            raise FedikitError(words, hint="put the policies back as they were, and end that first: fedikit move")


def _with_the_rest(pairs: list[Pair], journal: Journal, sides: Sides, target: Deployment, tell: Tell) -> Moving:
    """Hosts know nothing of what was not closed yet; nor may that follow any more once others were opened elsewhere."""
    plan = _plan_of(target, tell)
    known = set(journal.moving)
    found = _asked_for(sides, plan)
    rest = [] if journal.has_begun else [pair for pair in found.pairs if pair.application not in known]
    errors = {pair.application: words for pair in rest if (words := found.errors.get(pair.application))}
    moving = [*pairs, *rest]
    names = [pair.application for pair in moving]
    source = before(sides.new, moving).deployment(sides.configuration)
    return Moving(moving, consent_for(plan, names), errors, tuple(sites_that_come(plan, source, names)))


def _applications(source: Deployment, moving: Moving, journal: Journal, tell: Tell) -> Iterator[ApplicationMigration]:
    names = [pair.application for pair in moving.pairs if pair.application not in moving.errors]
    is_new = bool(names) and not journal.done
    kept = list_backups(source, names, tell=tell).applications if is_new else ()
    for pair in moving.pairs:
        listed = next((one for one in kept if one.application == pair.application), None)
        newest = next((one for one in listed.backups if one.is_regular), None) if listed else None
        yield ApplicationMigration(
            application=pair.application,
            source=pair.source,
            target=pair.target,
            parts=tuple(parts_of(source, pair, newest)),
            notes=tuple(notes_on(newest, listed.error)) if listed else (),
            error=moving.errors.get(pair.application, ""),
        )


def _phases_left(moving: Moving, journal: Journal, source: Deployment, target: Deployment) -> tuple[Phase, ...]:
    """What is still to be done; all that is, where the environment wants it where it was again, is to open it."""
    pairs = moving.pairs
    if any(pair.application not in target.hosts[pair.target].applications for pair in pairs):
        return ("reopen",)
    leaving = _leaving(pairs)
    copied = [pair for pair in leaving if not shares_data(pair, source, target)]
    names = [*leaving, *moving.sites]
    groups = {
        BETWEEN_HOSTS: leaving,
        WHERE_NAMES_LEAD: names,
        WHILE_IT_SERVES: copied,
        ONCE_CLOSED: len(copied) < len(pairs),
    }
    without = {phase for phases, is_needed in groups.items() if not is_needed for phase in phases}
    return tuple(phase for phase in MOVING if phase not in without and phase not in journal.done) if pairs else ()
