"""Which applications an apply would part from their data, and where each was: as the hosts' own records say it."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from fedikit.data.migration.sides import Pair
from fedikit.environment.environment import Environment
from fedikit.model.check import BucketWorks
from fedikit.model.data import BucketPart, VolumePart, settings_file
from fedikit.model.deployment import Deployment
from fedikit.model.host import MovedSite
from fedikit.model.item import File, class_of
from fedikit.results.moves import LEAVES, Move, moves_of
from fedikit.results.plan import Plan


class Moving(NamedTuple):
    """What is to move: the applications, what the plan wants consent for, and why one of them cannot, by its name.

    `sites`: the web sites that come to a host without their application.
    """

    pairs: list[Pair]
    consent: tuple[str, ...]
    errors: dict[str, str]
    sites: tuple[MovedSite, ...] = ()


def what_moves(plan: Plan) -> Moving:
    """The applications whose data would stay behind; those that stay on their host have it as source and target."""
    moves = moves_of(plan)
    consent = tuple(dict.fromkeys(move.name for move in moves))
    names = dict.fromkeys(name for move in moves for name in _applications_of(move, plan.deployment))
    pairs, errors = [], {}
    for name in names:
        targets = [host for host, state in plan.deployment.hosts.items() if name in state.applications]
        source = _source_of(name, targets[0], plan)
        pairs.append(Pair(name, source or targets[0], targets[0]))
        if len(targets) > 1:
            errors[name] = f"it is placed on several hosts ({', '.join(targets)}), each with data of its own"
        elif other := [move for move in moves if move.becomes and name in _applications_of(move, plan.deployment)]:
            errors[name] = f"{other[0].name} is called {other[0].becomes} there, and what is in it is not brought along"
        elif not source:
            errors[name] = (
                "data travels by backups, and none are made of it where it is: put the placement and the policies "
                "back, set policies.backup, apply, and move it then"
            )
    return Moving(pairs, consent, errors)


def _applications_of(move: Move, deployment: Deployment) -> Iterator[str]:
    """Whose data it is, by what is wanted at its target."""
    if state := deployment.hosts.get(move.target):
        yield from state.belongings.get(move.arrives, ())
        return
    checks = (check for check in deployment.checks if isinstance(check, BucketWorks))
    yield from (check.application for check in checks if check.bucket.endswith(move.name))


def _source_of(application: str, target: str, plan: Plan) -> str:
    """The host where it is, by the settings of its backups; empty if none of them has them."""
    settings = f"file:{settings_file(application)}"
    for host, planned in plan.hosts.items():
        if any(change.id == settings and change.action in LEAVES for change in planned.changes):
            return host
    is_new = any(change.id == settings and change.action == "create" for change in plan.hosts[target].changes)
    has_any = any(isinstance(item, File) and item.id == settings for item in plan.deployment.hosts[target].items)
    return target if has_any and not is_new else ""


def before(environment: Environment, pairs: list[Pair]) -> Environment:
    """The environment with these applications placed where they were."""
    return placed_on(environment, {pair.application: pair.source for pair in pairs})


def after(environment: Environment, pairs: list[Pair]) -> Environment:
    """The same with them placed where they come to."""
    return placed_on(environment, {pair.application: pair.target for pair in pairs})


def placed_on(environment: Environment, hosts: Mapping[str, str]) -> Environment:
    """The environment with these applications on these hosts."""
    placement = {**environment.placement, **{name: (host,) for name, host in hosts.items()}}
    return environment.model_copy(update={"placement": placement})


def shares_data(pair: Pair, source: Deployment, target: Deployment) -> bool:
    """Whether it goes to another host, and some of its data stays where it is, such as a database on a third host.

    Then no copy may be put over it while it is in use, nor may its server be told of another user.
    """
    if pair.source == pair.target:
        return False
    parts = source.hosts[pair.source].data[pair.application].parts
    same = [part for part in target.hosts[pair.target].data[pair.application].parts if part in parts]
    is_a_providers = any(isinstance(part, BucketPart) and not _is_here(part) for part in same)
    return is_a_providers or bool(hosts_that_keep(pair, source, target))


def moves_of_application(plan: Plan, application: str) -> list[Move]:
    """Its data that does not follow by itself."""
    return [move for move in moves_of(plan) if application in _applications_of(move, plan.deployment)]


def consent_for(plan: Plan, applications: Collection[str]) -> tuple[str, ...]:
    """By what an apply is told that the data of these is brought along."""
    moves = (move for move in moves_of(plan) if {*_applications_of(move, plan.deployment)}.intersection(applications))
    return tuple(dict.fromkeys(move.name for move in moves))


def stores_of(application: str, deployment: Deployment, host: str) -> list[str]:
    """The ids of the databases and buckets that a host shall have for an application."""
    state = deployment.hosts[host]
    mine = (item.id for item in state.items if application in state.belongings.get(item.id, ()))
    return [id for id in mine if class_of(id).is_store]


def hosts_that_keep(pair: Pair, source: Deployment, target: Deployment) -> set[str]:
    """The hosts with databases or buckets of an application before and after it moves."""
    found = set()
    for host in target.hosts:
        there = {item.id for item in source.hosts[host].items}
        if there.intersection(stores_of(pair.application, target, host)):
            found.add(host)
    return found


def _is_here(part: BucketPart) -> bool:
    """Whether its S3 API is the host's own, which is another on each."""
    return "//127." in part.endpoint or "//[::1]" in part.endpoint or "//localhost" in part.endpoint


def servers_of(pair: Pair, target: Deployment) -> dict[str, str]:
    """By part of its data, the server that is to keep it, as the application's host reaches it."""
    data = target.hosts[pair.target].data.get(pair.application)
    found: dict[str, str] = {}
    for part in data.parts if data else ():
        if isinstance(part, BucketPart):
            found[part.id] = f"{part.bucket} at {part.endpoint}"
        elif not isinstance(part, VolumePart):
            found[part.id] = f"{part.host}, port {part.port}"
    return found


def hosts_with_servers(deployment: Deployment, pairs: list[Pair]) -> list[str]:
    """The hosts that these applications come to, with all those that serve them there."""
    found: dict[str, None] = {}
    waiting = [pair.target for pair in pairs]
    while waiting:
        if (host := waiting.pop()) not in found:
            found[host] = None
            waiting += deployment.hosts[host].served_by
    return list(found)
