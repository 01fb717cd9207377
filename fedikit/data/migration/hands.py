"""What a migration does on hosts: closing and opening applications, carrying their data, setting up, looking."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from fedikit.apply import apply_plan
from fedikit.data.backups import make_backup
from fedikit.data.closing import Why, close_application, open_application, run_what_follows
from fedikit.data.migration.abreast import Turns
from fedikit.data.migration.sides import Pair
from fedikit.data.other import bring_backup
from fedikit.data.way.other import Other, way_to_repository
from fedikit.errors import FedikitError
from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.model.check import Check
from fedikit.model.deployment import Deployment
from fedikit.plan import make_plan
from fedikit.remote.data_messages import Closed
from fedikit.remote.payload import Closing
from fedikit.remote.sessions import Sessions
from fedikit.results.backup import Backup
from fedikit.verify import verify_deployment


class Way(NamedTuple):
    """A way to another repository that is open, `until` that is left."""

    until: ExitStack
    other: Other


@dataclass(frozen=True)
class Hands:
    """What works on hosts for one migration, by its name there, from several threads; all of it raises FedikitError.

    Used as a context manager, for ways that were opened ahead.

    consent    what an apply is told that data is brought along by
    listening  hears what is done; phases are steps, and what is done in them is none
    """

    migration: str
    consent: tuple[str, ...]
    listening: Tell
    turns: Turns = field(default_factory=Turns)
    _ways: dict[str, Way] = field(default_factory=dict)

    def __enter__(self) -> "Hands":
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the ways that nobody went."""
        while self._ways:
            self._ways.popitem()[1].until.close()

    # Whether it runs

    def close(self, side: Deployment, host: str, application: str, *, why: Why = "moving", instead: str = "") -> Closed:
        """What is noted of it there."""
        about = {"migration": self.migration, "instead": instead}
        with self.turns.on(side, host):
            return close_application(side, host, application, why=why, tell=self.tell, **about)

    def open(self, side: Deployment, host: str, application: str) -> None:
        """Lets it run; an apply starts it."""
        with self.turns.on(side, host):
            open_application(side, host, application, migration=self.migration, start=False, tell=self.tell)

    def open_and_start(self, side: Deployment, host: str, application: str) -> None:
        """Starts what ran when it was closed."""
        with self.turns.on(side, host):
            open_application(side, host, application, migration=self.migration, start=True, tell=self.tell)

    def do_what_follows(self, side: Deployment, host: str, application: str) -> None:
        """What makes anew what no backup holds."""
        with self.turns.on(side, host):
            run_what_follows(side, host, application, tell=self.tell)

    # Its data

    def back_up(self, side: Deployment, host: str, application: str) -> Backup:
        """Backs it up now."""
        with self.turns.on(side, host):
            report = make_backup(side, [application], limit=[host], tell=self.tell)
        (made,) = report.applications
        if made.error or made.backup is None:
            raise FedikitError(f"{application} could not be backed up on {host}: {made.error}")
        return made.backup

    def open_way(self, pair: Pair, left: Deployment, taken: Deployment) -> None:
        """Opens ahead the way by which the next `bring` of it goes."""
        with ExitStack() as stack:
            connection = taken.hosts[pair.target].connection
            way = way_to_repository(left, pair.source, pair.application, pair.target, connection)
            other = stack.enter_context(way)
            self._ways[pair.application] = Way(stack.pop_all(), other)

    def bring(self, pair: Pair, left: Deployment, taken: Deployment, backup: str) -> tuple[str, ...]:
        """Restores a backup of where it comes from where it goes; in what the two differ."""
        if pair.application not in self._ways:
            self.open_way(pair, left, taken)
        way = self._ways.pop(pair.application)
        with way.until:
            return self.put_back(taken, pair, backup, other=way.other)

    def put_back(self, taken: Deployment, pair: Pair, backup: str, *, other: Other | None = None) -> tuple[str, ...]:
        """Restores a backup where it goes, from its host's own repository or another; in what the two differ."""
        about = {"backup": backup, "migration": self.migration}
        with self.turns.on(taken, pair.target):
            done = bring_backup(taken, pair.target, pair.application, other=other, tell=self.tell, **about)
        return done.differences

    # All else

    def set_up(self, side: Deployment, hosts: Sequence[str] = (), *, closing: Sequence[Pair] = ()) -> None:
        """Applies it to these hosts, to all if none are named; first of all, those `closing` close where they go."""
        with Sessions(side, closing=self._closing(closing)) as sessions:
            plan = make_plan(side, limit=hosts, consent=self.consent, sessions=sessions, tell=self.tell)
            report = apply_plan(plan, sessions=sessions, tell=self.tell)
        failed = [f"{name}: {host.error}" for name, host in report.hosts.items() if host.error]
        failed += [f"{name}: {host.error}" for name, host in plan.hosts.items() if host.error]
        if failed or not report.succeeded:
            raise FedikitError(f"{side.name} could not be set up: {'; '.join(dict.fromkeys(failed))}")

    def _closing(self, pairs: Sequence[Pair]) -> Closing:
        coming: dict[str, list[str]] = {}
        for pair in pairs:
            coming.setdefault(pair.target, []).append(pair.application)
        return Closing(self.migration, coming)

    def require(self, side: Deployment, checks: tuple[Check, ...], addresses: Mapping[str, tuple[str, ...]]) -> None:
        """Looks from outside whether these checks hold; `addresses`: where names lead, as far as they are given."""
        looked_at = side.model_copy(update={"checks": checks})
        verdict = verify_deployment(looked_at, known=addresses, tell=self.tell)
        if failed := [f"{one.name}: {one.detail}" for one in verdict.results if not one.passed]:
            raise FedikitError(f"not every check holds: {'; '.join(failed)}")

    def tell(self, event: Event) -> None:
        """What phases do is no step of its own."""
        if not isinstance(event, StepStarted | StepFinished):
            self.listening(event)
