"""Planning a migration: what fits, what travels, where names lead. Asks both sides, and changes neither."""

import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from fedikit.data.backups import list_backups
from fedikit.data.carrying_secrets import secrets_to_carry
from fedikit.data.migration.journal import Journal
from fedikit.data.migration.room import with_room
from fedikit.data.migration.sides import Pair, Sides, hosts_of, pairs_of
from fedikit.data.migration.staging import staged
from fedikit.data.migration.standing import Both, journal_of, read_standing
from fedikit.dns.lookup import look_up_names
from fedikit.errors import FedikitError, HostError
from fedikit.events import StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.data import settings_file
from fedikit.model.deployment import Deployment
from fedikit.model.dns import USUAL_TTL
from fedikit.plan import make_plan
from fedikit.policies.backup_units import PROGRAM
from fedikit.remote.sessions import Asked, Sessions
from fedikit.results.backup import Backup
from fedikit.results.migration import (
    BACKWARDS,
    PHASES,
    REHEARSED,
    ApplicationMigration,
    MigrationPlan,
    Moved,
    Phase,
)
from fedikit.results.plan import Plan, Question
from fedikit.results.restoring import Amount

_PROGRAM = f"file:{PROGRAM}/"
TRAVELS: frozenset[Phase] = frozenset(("copy", "differences"))
"""The phases in which data travels."""


def make_migration(
    sides: Sides, *, rehearse: bool = False, back: bool = False, instead: str = "", tell: Tell = tell_nobody
) -> MigrationPlan:
    """What carrying all applications over would take, or what is left of it where an earlier run was cut off.

    `rehearse`: everything but the switch, to learn how long nobody could write. `back`: the way back. `instead`:
    another migration that nobody can go on with; this one goes on from what the hosts know of it. Raises FedikitError
    where it could not be; what stands against one application is in its part.
    """
    start = time.monotonic()
    tell(StepStarted(step="plan"))
    source, target = sides.deployments()
    pairs = pairs_of(source, target)
    standing = read_standing(source, target, pairs, instead=instead)
    journal = journal_of(sides.journal, standing, name=new_id(), instead=instead)
    _require_same_hosts(journal, hosts_of(source, target))
    left = _phases_left(journal, rehearse=rehearse, back=back)
    planning = _Planning(source, target, pairs, _staged(journal, standing), tell)
    comes_whole = not back and not _is_copied(journal, standing)
    applications = tuple(planning.with_room(left) if comes_whole else planning.applications(left))
    hosting = sides.old if back else sides.new
    plan = MigrationPlan(
        id=journal.id,
        instead=journal.instead,
        source=source,
        target=target,
        direction="back" if back else "there",
        is_rehearsal=rehearse,
        applications=applications,
        secrets=() if back else tuple(_secrets_that_travel(source, target, pairs)),
        names=look_up_names(source if back else target).names,
        ttl=hosting.dns.ttl if hosting.dns else USUAL_TTL,
        sets_names=hosting.dns is not None,
        done=journal.done,
        left=left,
        predicted=journal.predicted,
        seconds=round(time.monotonic() - start, 3),
    )
    tell(StepFinished(step="plan", seconds=plan.seconds, failed=plan.has_errors))
    return plan


def new_id() -> str:
    """What a migration that begins is called on the hosts."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _require_same_hosts(journal: Journal, hosts: dict[str, tuple[str, str]]) -> None:
    """Raises FedikitError where the files were changed since it began, and something would go elsewhere."""
    if journal.hosts in ({}, hosts):
        return
    moved = sorted(name for name in {*journal.hosts, *hosts} if journal.hosts.get(name) != hosts.get(name))
    words = "; ".join(
        f"{name} was to go {_way(journal.hosts.get(name))}, and now {_way(hosts.get(name))}" for name in moved
    )
    hint = "put the files back as they were, and end it, or go back (fedikit migrate --back) before it goes elsewhere"
    raise FedikitError(f"the files were changed since this migration began: {words}", hint=hint)


def _way(hosts: tuple[str, str] | None) -> str:
    return f"from {hosts[0]} to {hosts[1]}" if hosts else "nowhere"


def _phases_left(journal: Journal, *, rehearse: bool, back: bool) -> tuple[Phase, ...]:
    """What is still to be done. Raises FedikitError where that is not what was asked for.

    Until the old side closes, all of it is done each time: what was copied a while ago would make the switch long.
    """
    if rehearse:
        _require_nothing_closed(journal)
        return REHEARSED
    if back and journal.direction == "there" and not journal.has_begun:
        return ("reopen",)
    if not back and journal.direction == "back":
        raise FedikitError("this migration is on its way back", hint="end that first: fedikit migrate --back")
    is_new_way = back and journal.direction == "there"
    done = () if is_new_way or "close" not in journal.done else journal.done
    return tuple(phase for phase in (BACKWARDS if back else PHASES) if phase not in done)


def _require_nothing_closed(journal: Journal) -> None:
    if journal.closed_at is not None or journal.direction == "back":
        words = "it cannot be rehearsed any more: the old side is closed"
        raise FedikitError(words, hint="go on with it: fedikit migrate; or back: fedikit migrate --back")


def _staged(journal: Journal, standing: list[Both]) -> set[str]:
    """The applications that are on the new side by this migration."""
    is_begun = journal.direction == "back" or "stage" in journal.done
    return {both.new.application for both in standing if is_begun or both.new.closed}


def _is_copied(journal: Journal, standing: list[Both]) -> bool:
    """Whether there is a copy of something on the new side: what comes still is what has changed since."""
    return bool(journal.copied) or journal.has_begun or any(both.new.is_copy for both in standing)


def _secrets_that_travel(source: Deployment, target: Deployment, pairs: list[Pair]) -> Iterator[str]:
    for pair in pairs:
        yield from secrets_to_carry(source, pair.application, target)


def notes_on(newest: Backup | None, error: str) -> Iterator[str]:
    """What is to be known of an application's backups before it is moved."""
    if newest is None:
        why = f" ({error})" if error else ""
        yield f"it has no backup yet{why}: the first copy makes one, of all of it"


def parts_of(source: Deployment, pair: Pair, newest: Backup | None) -> Iterator[Moved]:
    """All that travels of an application, and how much of it the newest backup has."""
    amounts = {part.id: Amount(bytes=part.bytes, counts=part.counts) for part in newest.parts} if newest else {}
    for part in source.hosts[pair.source].data[pair.application].parts:
        yield Moved(id=part.id, kind=part.kind, there=amounts.get(part.id))


class _Planning:
    """Both sides, asked what of each application they have; `ours` are on the new side by this migration."""

    def __init__(self, source: Deployment, target: Deployment, pairs: list[Pair], ours: set[str], tell: Tell) -> None:
        self.source, self.target = source, target
        self.pairs, self.ours, self.tell = pairs, ours, tell

    def applications(self, left: Collection[Phase]) -> Iterator[ApplicationMigration]:
        kept = {one.application: one for one in list_backups(self.source, tell=self.tell).applications}
        there = self._plan_of_new_side()
        asked = {host: self._asked_of_old_side(host) for host in dict.fromkeys(pair.source for pair in self.pairs)}
        for pair in self.pairs:
            listed = kept[pair.application]
            newest = next((one for one in listed.backups if one.is_regular), None)
            yield ApplicationMigration(
                application=pair.application,
                source=pair.source,
                target=pair.target,
                parts=tuple(parts_of(self.source, pair, newest)),
                notes=(*notes_on(newest, listed.error), *self._notes_on_reading(pair, asked[pair.source])),
                error="; ".join(self._errors(pair, there, asked[pair.source], left)),
            )

    def _plan_of_new_side(self) -> Plan:
        names = [pair.application for pair in self.pairs]
        return make_plan(staged(self.target, names), tell=self.tell)

    def with_room(self, left: Collection[Phase]) -> Iterator[ApplicationMigration]:
        """The same, with the disks to which all of them comes."""
        return with_room(self.target, tuple(self.applications(left)), staged=self.ours)

    def _errors(self, pair: Pair, there: Plan, asked: Asked | None, left: Collection[Phase]) -> Iterator[str]:
        """What stands against it, in words: nothing against opening again what was closed."""
        if "reopen" in left:
            return
        if host_error := there.hosts[pair.target].error:
            yield f"{pair.target} cannot be asked: {host_error}"
        if TRAVELS.isdisjoint(left):
            return  # what both sides differ in was decided when data came
        yield from (f"{pair.source} {words}" for words in (asked.refused if asked else ()))
        yield from self._misfits(pair)
        if not host_error and pair.application not in self.ours and self._is_there(pair, there):
            yield (
                f"{pair.target} has it already, and not by this migration: what is there would be replaced; "
                "remove it there first: fedikit remove --purge"
            )

    def _misfits(self, pair: Pair) -> Iterator[str]:
        """In what both sides differ that data would not fit."""
        old = self.source.hosts[pair.source].data[pair.application]
        new = self.target.hosts[pair.target].data[pair.application]
        lacking = {part.id for part in old.parts} ^ {part.id for part in new.parts}
        if lacking:
            yield f"{', '.join(sorted(lacking))}: it is on one of the sides only"
        for name, image in old.images.items():
            if new.images.get(name, image) != image:
                was, is_now = f"{image} in {self.source.name}", f"{new.images[name]} in {self.target.name}"
                yield f"{name} is {was} and {is_now}: migrate one version, upgrade afterwards"

    def _asked_of_old_side(self, host: str) -> Asked | None:
        """What its host says to these files: another key would seal other secrets. Silence is told with its backups."""
        with suppress(HostError), Sessions(self.source) as sessions:
            asked = sessions.ask(host, Question(purpose="apply"), of_images=False)
            asked.session.close()
            return asked
        return None

    def _notes_on_reading(self, pair: Pair, asked: Asked | None) -> Iterator[str]:
        """An earlier fedikit's program closes wholly what could be read; so may one with other settings."""
        changes = {change.id for change in asked.answer.changes} if asked else set()
        changed = [id for id in changes if id == f"file:{settings_file(pair.application)}" or id.startswith(_PROGRAM)]
        if changed and self.source.hosts[pair.source].data[pair.application].reads:
            yield (
                f"{pair.source} is not as this fedikit would set it up: it may close wholly what could be read "
                f"meanwhile; apply {self.source.name} before"
            )

    def _is_there(self, pair: Pair, there: Plan) -> bool:
        """Whether the application runs on the host already, or has data there."""
        planned, state = there.hosts[pair.target], self.target.hosts[pair.target]
        units = {f"unit:{unit}" for unit in state.data[pair.application].stop}
        if any(change.id in units and change.action == "update" for change in planned.changes):
            return True
        met = [change.id for change in planned.changes if change.action == "adopt" and change.bears_data]
        return any(pair.application in state.belongings.get(id, ()) for id in (*met, *planned.kept))
