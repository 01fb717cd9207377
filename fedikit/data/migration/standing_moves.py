"""How a move stands, as its hosts have it written down, where its journal was lost or lies on another deployer.

Which host an application leaves is told by where it ran when it was closed. What was backed up first since then has
everything: what is backed up later may be of a database that begins.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from fedikit.data.backups import list_backups
from fedikit.data.migration.between import Between
from fedikit.data.migration.journal import Journal, read_journal
from fedikit.data.migration.moves import after, before
from fedikit.data.migration.sides import Pair, Sides
from fedikit.data.migration.standing import Noted, Standing, noted_on, require_ours, standing_of
from fedikit.errors import FedikitError
from fedikit.model.deployment import Deployment
from fedikit.results.migration import MOVING, Phase, is_move, verb_of

_CLOSED: tuple[Phase, ...] = MOVING[: MOVING.index("open")]
_SAVED: tuple[Phase, ...] = ("stage", "copy", "close", "save")


class Known(NamedTuple):
    """What is known of a move that is gone on with: its journal, if there is one, and what is closed by it."""

    journal: Journal | None
    closed: tuple[Standing, ...] = ()


class _Way(NamedTuple):
    left: Standing
    taken: Standing

    @property
    def pair(self) -> Pair:
        return Pair(self.left.application, self.left.host, self.taken.host)

    @property
    def goes_on(self) -> bool:
        """Whether it is still to be where it was to come to."""
        return self.taken.application in self.taken.deployment.hosts[self.taken.host].applications


def what_is_known(sides: Sides, target: Deployment, *, name: str, instead: str = "") -> Known:
    """The journal, or the one told by hosts of the move `instead`, called `name`; none of what was not begun.

    Asks all hosts, and changes nothing. Raises FedikitError where something is closed by another move.
    """
    if instead and not is_move(instead):
        raise FedikitError(f"{instead} is no move", hint=f"go on with it: {verb_of(instead)} --instead {instead}")
    journal = read_journal(sides.journal)
    noted = noted_on(target, target.hosts, requires_all=bool(instead))
    closed = tuple(_closed_by_moves(target, noted))
    if journal and instead in ("", journal.id, journal.instead):
        require_ours(closed, journal.id, journal.instead)
        return Known(journal, closed)
    require_ours(closed, instead)
    if not instead:
        return Known(None)
    ways = [_way_of(one, target, noted) for one in dict.fromkeys(one.application for one in closed)]
    told = _told_by_hosts(sides, ways)
    if not told.has_begun and all(way.goes_on for way in ways):
        _require_set_up_once(target, noted, {way.pair.application for way in ways})
    return Known(told.model_copy(update={"id": name, "instead": instead}), closed)


def _closed_by_moves(deployment: Deployment, noted: Noted) -> Iterator[Standing]:
    """What migrations closed is theirs."""
    for host in deployment.hosts:
        for name in noted[host]:
            one = standing_of(deployment, host, name, noted)
            if one.closed and is_move(one.closed.migration):
                yield one


def _require_set_up_once(target: Deployment, noted: Noted, known: Collection[str]) -> None:
    """Raises FedikitError where one was set up where it comes to, and not closed yet: which one serves is not noted."""
    for host, state in target.hosts.items():
        for name in state.applications:
            others = [other for other in target.hosts if name in noted[other] and other != host]
            if name in noted[host] and others and name not in known:
                words = f"{name} is set up on {host} and on {', '.join(others)}, and closed on none of them"
                hint = "put the placement of all back as it was when the move began, and do the same again"
                raise FedikitError(words, hint=hint)


def _way_of(application: str, target: Deployment, noted: Noted) -> _Way:
    """Where it is left, and where it comes to; the same where it stays on its host."""
    placed = [host for host, state in target.hosts.items() if application in state.applications]
    others = [host for host in target.hosts if application in noted[host] and host not in placed]
    if len(placed) != 1 or len(others) > 1:
        words = f"{application} is on {', '.join([*placed, *others])}: which of them it was to leave cannot be told"
        raise FedikitError(words, hint="put the placement back as it was when the move began")
    here, *there = (standing_of(target, host, application, noted) for host in [*placed, *others])
    other = there[0] if there else here
    return _Way(here, other) if _has_served(here) and not _has_served(other) else _Way(other, here)


def _has_served(one: Standing) -> bool:
    """Whether it runs there, or ran when it was closed."""
    return one.runs or bool(one.closed and one.closed.running)


def _told_by_hosts(sides: Sides, ways: list[_Way]) -> Journal:
    """As far as it had come; where that is in doubt, so far that nothing is taken for what was written last."""
    moment = min((way.left.closed.since.timestamp() for way in ways if way.left.closed), default=None)
    journal = Journal(
        id="",
        moving={way.pair.application: (way.pair.source, way.pair.target) for way in ways},
        closed={way.left.application: f"{way.left.closed.since}" for way in ways if way.left.closed},
        closed_at=moment,
    )
    if any(way.left.closed and way.taken.runs for way in ways):
        return journal.model_copy(update={"done": _CLOSED, "has_begun": True})
    saved = _saved(sides, ways)
    return journal.model_copy(update={"done": _SAVED, "copied": saved, "has_begun": True}) if saved else journal


def _saved(sides: Sides, ways: list[_Way]) -> dict[str, str]:
    """By application that is closed before its data is put back, what was backed up first since; nothing if not all."""
    pairs = [way.pair for way in ways]
    old, new = (step(sides.new, pairs).deployment(sides.configuration) for step in (before, after))
    others = {pair.application for pair in Between(pairs, old, new, sides.new, sides.configuration).others}
    since = {way.left.application: way.left.closed.since for way in ways if way.left.closed}
    if not others or not others <= since.keys():
        return {}
    found = {}
    for listed in list_backups(old, sorted(others)).applications:
        made = [one for one in listed.backups if one.is_regular and one.started >= since[listed.application]]
        if listed.error:
            raise FedikitError(f"what was backed up of {listed.application} cannot be read: {listed.error}")
        if made:
            found[listed.application] = min(made, key=lambda one: one.started).id
    return found if found.keys() == others else {}
