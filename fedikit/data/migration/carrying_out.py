"""Carrying out a migration: phase after phase, each written down when it has ended. Never do both sides serve.

The side that is left is closed, and tried to be, before the other opens. What fails in between opens it again, as long
as the other cannot have been written to.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fedikit.apply import apply_plan
from fedikit.data.backups import make_backup
from fedikit.data.carrying_secrets import carry_secrets
from fedikit.data.certificates import carry_all_certificates
from fedikit.data.closing import Why, close_application, open_application, run_what_follows
from fedikit.data.migration.journal import Journal, end_journal, held, write_journal
from fedikit.data.migration.names import lead_names
from fedikit.data.migration.predicting import predict, seconds_of
from fedikit.data.migration.sides import Pair, Sides, hosts_of, pairs_of
from fedikit.data.migration.staging import checks_before_names, staged
from fedikit.data.migration.standing import Standing, closed_of, journal_of, read_standing
from fedikit.data.other import restore_from
from fedikit.data.way.other import way_to_repository
from fedikit.errors import FedikitError, StalePlan
from fedikit.events import Event, StepFinished, StepStarted, Tell, tell_nobody
from fedikit.model.check import Check
from fedikit.model.deployment import Deployment
from fedikit.plan import make_plan
from fedikit.remote.session import new_run
from fedikit.remote.sessions import Sessions
from fedikit.results.backup import Backup
from fedikit.results.migration import READ_ONLY, MigrationPlan, MigrationReport, Phase, PhaseDone
from fedikit.verify import verify_deployment

NAMES_SECONDS = 3600.0
"""For how long somebody may take who sets names by hand."""


def apply_migration(
    plan: MigrationPlan, sides: Sides, *, names_seconds: float = NAMES_SECONDS, tell: Tell = tell_nobody
) -> MigrationReport:
    """Does what is left of a migration. Cut off anywhere, and run again, it goes on where it was.

    `names_seconds`: how long to wait for names that somebody sets by hand. What went wrong is in the report, with how
    it stands; FedikitError is raised only where nothing was begun.
    """
    with held(sides.journal):
        standing = read_standing(plan.source, plan.target, pairs_of(plan.source, plan.target), instead=plan.instead)
        journal = journal_of(sides.journal, standing, name=plan.id, instead=plan.instead)
        require_as_planned(plan, journal)
        journal = journal.model_copy(update={"hosts": hosts_of(plan.source, plan.target)})
        return Migration(plan, sides, journal, names_seconds, tell).run(list(closed_of(standing)))


def require_as_planned(plan: MigrationPlan, journal: Journal) -> None:
    """Raises StalePlan if it has come further since it was planned."""
    if journal.id != plan.id or journal.done != plan.done:
        raise StalePlan(plan.target.name, "it has gone on since it was planned", hint="plan again")


class Migration:
    """One migration at work."""

    def __init__(self, plan: MigrationPlan, sides: Sides, journal: Journal, names_seconds: float, tell: Tell) -> None:
        self.plan, self.sides, self.journal, self.tell = plan, sides, journal, tell
        self.names_seconds = names_seconds
        self.name = new_run()
        self.phases: list[PhaseDone] = []
        self.compared: dict[str, tuple[str, ...]] = {}
        pairs = [Pair(one.application, one.source, one.target) for one in plan.applications]
        goes_back = plan.direction == "back"
        self.left, self.taken = (plan.target, plan.source) if goes_back else (plan.source, plan.target)
        self.hosting = sides.old if goes_back else sides.new
        self.pairs = [Pair(one.application, one.target, one.source) for one in pairs] if goes_back else pairs

    @property
    def names(self) -> list[str]:
        return [pair.application for pair in self.pairs]

    def note(self, **changes: Any) -> None:
        self.journal = self.journal.model_copy(update=changes)
        write_journal(self.sides.journal, self.journal)

    # The phases, one after the other

    def run(self, closed: Sequence[Standing] = ()) -> MigrationReport:
        start, error = time.monotonic(), ""
        self.note()
        self._turn_round()
        try:
            self._claim(closed)
            for phase in self.plan.left:
                with self._phase(phase):
                    self._acts[phase]()
            if self.plan.is_rehearsal:
                self._predict()
        except FedikitError as failure:
            error = str(failure)
        advice = self._after_failure() if error else self._after_success()
        return MigrationReport(
            id=self.plan.id,
            run=self.name,
            direction=self.plan.direction,
            is_rehearsal=self.plan.is_rehearsal,
            phases=tuple(self.phases),
            compared=self.compared,
            read_only=self.journal.read_only,
            predicted=self.journal.predicted,
            error=error,
            advice=advice,
            seconds=round(time.monotonic() - start, 3),
        )

    def _turn_round(self) -> None:
        """The way back begins: nobody has written to the old side since it was closed."""
        if "close" in self.plan.left and self.plan.direction == "back" and self.journal.direction == "there":
            there = self.journal.done
            self.note(direction="back", there=there, done=(), closed_at=None, opened_at=None, has_begun=False)

    def _claim(self, closed: Sequence[Standing]) -> None:
        """What the migration closed whose place this one takes is this one's: that other can do nothing any more."""
        for one in closed:
            assert one.closed
            if self.plan.instead and one.closed.migration == self.plan.instead:
                about = {"migration": self.plan.id, "instead": self.plan.instead}
                why: Why = "moved" if one.closed.why == "moved" else "moving"
                close_application(one.deployment, one.host, one.application, why=why, tell=self._tell, **about)

    @property
    def _acts(self) -> Mapping[Phase, Callable[[], None]]:
        return {
            "secrets": self._carry_secrets, "stage": self._stage, "copy": self._copy, "close": self._close,
            "differences": self._copy_differences, "open": self._open, "start": self._start,
            "names": self._lead_names, "verify": self._verify, "afterwards": self._finish, "reopen": self._reopen_old,
        }  # fmt: skip

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        self.tell(StepStarted(step=phase))
        start, failure = time.monotonic(), ""
        try:
            yield
        except FedikitError as error:
            failure = error.headline.partition("\n")[0]
            raise
        finally:
            seconds = round(time.monotonic() - start, 3)
            self.tell(StepFinished(step=phase, seconds=seconds, failed=bool(failure)))
            self.phases.append(PhaseDone(phase=phase, seconds=seconds, failed=bool(failure), detail=failure))
        if phase != "reopen":
            self.note(done=tuple(dict.fromkeys((*self.journal.done, phase))))

    # Before: nobody notices anything

    def _carry_secrets(self) -> None:
        for name in self.names:
            carry_secrets(self.left, name, to=self.sides.file, configuration=self.sides.configuration)
        self.sides = self.sides.with_secrets()
        self.hosting = self.sides.new
        self.taken = self.hosting.deployment(self.sides.configuration)

    def _stage(self) -> None:
        """Everything is set up on the new side but the applications themselves, which are closed there at once."""
        self._apply(staged(self.taken, self.names))
        self._close_new()
        for pair in self.pairs:
            carry_all_certificates(self.left, self.taken, pair.application)

    def _close_new(self) -> None:
        for pair in self.pairs:
            close_application(self.taken, pair.target, pair.application, migration=self.plan.id, tell=self._tell)

    def _copy(self) -> None:
        for pair in self.pairs:
            self._carry(pair)

    # The switch: from here on nobody can write until the new side serves

    def _close(self) -> None:
        self.note(closed_at=self.journal.closed_at or time.time())
        self.note(closed={pair.application: self._close_left(pair) for pair in self.pairs})

    def _close_left(self, pair: Pair) -> str:
        """Since when it is closed."""
        told = close_application(self.left, pair.source, pair.application, migration=self.plan.id, tell=self._tell)
        return f"{told.since}"

    def _copy_differences(self) -> None:
        """The side that is left stands still; what comes out on the other must be equal, row for row."""
        for pair in self.pairs:
            self.compared[pair.application] = self._carry(pair)
        self._require_the_same()

    def _require_the_same(self) -> None:
        unlike = [f"{name}: {'; '.join(words[:9])}" for name, words in self.compared.items() if words]
        if unlike:
            raise FedikitError(f"what was copied is not what was there: {' · '.join(unlike)}", hint="do the same again")

    def _open(self) -> None:
        """From here on the new side may be written to: it is written down before."""
        self._require_closed_ever_since()
        self.note(has_begun=True)
        goes_back = self.plan.direction == "back"
        for pair in self.pairs:
            self._open_one(self.taken, pair.target, pair.application, start=goes_back)
        if goes_back:
            self.note(opened_at=time.time())

    def _require_closed_ever_since(self) -> None:
        """What was written to the side that is left after its differences were copied would be lost."""
        if "close" in {done.phase for done in self.phases}:
            return
        stay = [pair for pair in self.pairs if pair.source == pair.target and self.journal.has_begun]
        left = [pair for pair in self.pairs if pair not in stay]
        opened = [pair for pair in left if self._close_left(pair) != self.journal.closed.get(pair.application)]
        if opened:
            self._forget_the_switch()
            names = ", ".join(f"{pair.application} on {pair.source}" for pair in opened)
            hint = "do the same again: the switch begins anew"
            raise FedikitError(f"somebody opened {names} since it was closed, and may have written there", hint=hint)

    def _start(self) -> None:
        self._apply(self.taken, self._hosts_to_start)
        self.note(opened_at=time.time())
        addresses: dict[str, tuple[str, ...]] = {}
        for record in self.taken.dns:
            addresses[record.name] = (*addresses.get(record.name, ()), record.address)
        self._require(checks_before_names(self.taken), addresses)

    # After: the new side serves

    def _lead_names(self) -> None:
        """Who still comes to the side that was left is told that it has moved."""
        for pair in self.pairs:
            close_application(
                self.left, pair.source, pair.application, migration=self.plan.id, why="moved", tell=self._tell
            )
        lead_names(self.hosting, self.taken, leaving=self.left, seconds=self.names_seconds, tell=self.tell)

    def _verify(self) -> None:
        self._require(self.taken.checks, {})

    def _finish(self) -> None:
        """What makes anew what no backup holds, such as timelines; it may take hours, and nobody waits for it."""
        for pair in self.pairs:
            run_what_follows(self.taken, pair.target, pair.application, tell=self._tell)

    def _reopen_old(self) -> None:
        """Of a way back before anybody wrote to the new side."""
        self._forget_the_switch()
        for pair in self.pairs:
            self._open_one(self.taken, pair.target, pair.application, start=True)
        self.note(closed_at=None)

    # What several phases do

    def _carry(self, pair: Pair) -> tuple[str, ...]:
        """Backs up where it comes from, and restores that where it goes; in what the two differ."""
        backup = self._backed_up(pair).id
        differences = self._brought(pair, backup)
        self.note(copied={**self.journal.copied, pair.application: backup})
        return differences

    def _brought(self, pair: Pair, backup: str) -> tuple[str, ...]:
        """Restores a backup of where it comes from where it goes; in what the two differ."""
        connection = self.taken.hosts[pair.target].connection
        with way_to_repository(self.left, pair.source, pair.application, pair.target, connection) as other:
            about = {"backup": backup, "migration": self.plan.id}
            return restore_from(
                self.taken, pair.target, pair.application, other=other, tell=self._tell, **about
            ).differences

    def _backed_up(self, pair: Pair) -> Backup:
        """Backs up where it comes from."""
        report = make_backup(self.left, [pair.application], limit=[pair.source], tell=self._tell)
        (made,) = report.applications
        if made.error or made.backup is None:
            raise FedikitError(f"{pair.application} could not be backed up on {pair.source}: {made.error}")
        return made.backup

    def _open_one(self, deployment: Deployment, host: str, application: str, *, start: bool) -> None:
        open_application(deployment, host, application, migration=self.plan.id, start=start, tell=self._tell)

    def _apply(self, deployment: Deployment, limit: Sequence[str] = ()) -> None:
        with Sessions(deployment) as sessions:
            plan = make_plan(deployment, limit=limit, consent=self.plan.consent, sessions=sessions, tell=self._tell)
            report = apply_plan(plan, sessions=sessions, tell=self._tell)
        failed = [f"{name}: {host.error}" for name, host in report.hosts.items() if host.error]
        failed += [f"{name}: {host.error}" for name, host in plan.hosts.items() if host.error]
        if failed or not report.succeeded:
            raise FedikitError(f"{deployment.name} could not be set up: {'; '.join(dict.fromkeys(failed))}")

    @property
    def _hosts_to_start(self) -> Sequence[str]:
        """Those to apply to when the side that is come to starts; all if empty."""
        return ()

    def _require(self, checks: tuple[Check, ...], addresses: Mapping[str, tuple[str, ...]]) -> None:
        looked_at = self.taken.model_copy(update={"checks": checks})
        verdict = verify_deployment(looked_at, known=addresses, tell=self._tell)
        if failed := [f"{one.name}: {one.detail}" for one in verdict.results if not one.passed]:
            raise FedikitError(f"not every check holds: {'; '.join(failed)}")

    def _tell(self, event: Event) -> None:
        """What phases do is no step of its own."""
        if not isinstance(event, StepStarted | StepFinished):
            self.tell(event)

    # How it stands in the end

    def _predict(self) -> None:
        """Does once more what can be done while the old side serves; what cannot, its hosts are asked of."""
        acts: dict[Phase, Callable[[], None]] = {
            "close": self._close_new, "differences": self._copy_while_it_serves, "start": self._start_nothing,
        }  # fmt: skip
        measured = {phase: seconds_of(act) for phase, act in acts.items()}
        predicted = list(predict(self.left, self.pairs, measured))
        self.phases += predicted
        self.note(predicted=round(sum(one.seconds for one in predicted), 3))

    def _copy_while_it_serves(self) -> None:
        for pair in self.pairs:
            self.compared[pair.application] = self._carry(pair)

    def _start_nothing(self) -> None:
        """As the new side is started and looked at, but that nothing is to start, and the old side is looked at."""
        self._apply(staged(self.taken, self.names))
        verify_deployment(self.left.model_copy(update={"checks": checks_before_names(self.left)}), tell=self._tell)

    def _after_failure(self) -> str:
        """Lets the side that was left serve again where the other cannot have been written to."""
        left = self._what_is_left
        if self.journal.has_begun:
            return self._how_it_stands_once_begun()
        if self.journal.closed_at is None:
            self._forget_the_way_back()
            return f"{left} serves as before; do the same again"
        try:
            self._reopen()
        except FedikitError as failure:
            return f"{left} is closed, and could not be opened again: {failure.headline}; do the same again"
        return f"{left} serves again, as before; do the same again"

    @property
    def _what_is_left(self) -> str:
        return self.left.name

    def _how_it_stands_once_begun(self) -> str:
        left, taken = self.left.name, self.taken.name
        back = "" if self.plan.direction == "back" else "; or go back with what was written: fedikit migrate --back"
        return f"{left} is closed, and {taken} may have been written to: mend it, and do the same again{back}"

    def _reopen(self) -> None:
        self._forget_the_switch()
        for pair in self.pairs:
            self._open_one(self.left, pair.source, pair.application, start=True)
        self._forget_the_way_back()
        if self.plan.direction == "there":
            self.note(closed_at=None)

    def _forget_the_way_back(self) -> None:
        """It did not come to anything: the new side serves, and may have been written to."""
        if self.plan.direction == "back":
            self.note(direction="there", done=self.journal.there, has_begun=True)

    def _forget_the_switch(self) -> None:
        """Before a side opens again: cut off after that, nothing must say that it is closed."""
        self.note(done=tuple(phase for phase in self.journal.done if phase not in READ_ONLY))

    def _after_success(self) -> str:
        left, taken = self.left.name, self.taken.name
        if self.plan.is_rehearsal:
            return f"{left} serves as before, and {taken} is ready: fedikit migrate"
        if self.plan.left == ("reopen",):
            return f"{taken} serves as before; {left} stays closed, and ready for another try: fedikit migrate"
        if self.plan.direction == "back":
            end_journal(self.sides.journal)
            return f"{taken} serves again; {left} is closed: what is left there is yours to remove: fedikit remove"
        return (
            f"{taken} serves; {left} is closed, and keeps its data for a way back (fedikit migrate --back) "
            "until you remove it there (fedikit remove)"
        )
