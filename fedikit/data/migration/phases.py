"""The phases of a migration, each written down when it has ended. Never do both sides serve.

The side that is left is closed, and tried to be, before the other opens. What fails in between opens it again, as long
as the other cannot have been written to.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fedikit.data.carrying_secrets import carry_secrets
from fedikit.data.certificates import carry_all_certificates
from fedikit.data.closing import Why
from fedikit.data.migration.hands import Hands
from fedikit.data.migration.journal import Journal, end_journal, write_journal
from fedikit.data.migration.names import lead_names
from fedikit.data.migration.sides import Pair, Sides
from fedikit.data.migration.staging import checks_before_names, staged
from fedikit.data.migration.standing import Standing
from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell
from fedikit.remote.session import new_run
from fedikit.results.backup import Backup
from fedikit.results.migration import READ_ONLY, MigrationPlan, MigrationReport, Phase, PhaseDone


class Migration:
    """One migration at work."""

    def __init__(self, plan: MigrationPlan, sides: Sides, journal: Journal, names_seconds: float, tell: Tell) -> None:
        self.plan, self.sides, self.journal, self.tell = plan, sides, journal, tell
        self.names_seconds = names_seconds
        self.hands = Hands(plan.id, plan.consent, tell)
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
            self._carry_out()
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

    def _carry_out(self) -> None:
        for phase in self.plan.left:
            with self._phase(phase):
                self._acts[phase]()

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
                why: Why = "moved" if one.closed.why == "moved" else "moving"
                self.hands.close(one.deployment, one.host, one.application, why=why, instead=self.plan.instead)

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
        self.hands.set_up(staged(self.taken, self.names))
        self._close_new()
        for pair in self.pairs:
            carry_all_certificates(self.left, self.taken, pair.application)

    def _close_new(self) -> None:
        for pair in self.pairs:
            self.hands.close(self.taken, pair.target, pair.application)

    def _copy(self) -> None:
        for pair in self.pairs:
            self._carry(pair)

    # The switch: from here on nobody can write until the new side serves

    def _close(self) -> None:
        self.note(closed_at=self.journal.closed_at or time.time())
        self.note(closed={pair.application: self._close_left(pair) for pair in self.pairs})

    def _close_left(self, pair: Pair) -> str:
        """Since when it is closed."""
        return self.hands.close(self.left, pair.source, pair.application)

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
        let_run = self.hands.open_and_start if goes_back else self.hands.open
        for pair in self.pairs:
            let_run(self.taken, pair.target, pair.application)
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
        self.hands.set_up(self.taken, self._hosts_to_start)
        self.note(opened_at=time.time())
        addresses: dict[str, tuple[str, ...]] = {}
        for record in self.taken.dns:
            addresses[record.name] = (*addresses.get(record.name, ()), record.address)
        self.hands.require(self.taken, checks_before_names(self.taken), addresses)

    # After: the new side serves

    def _lead_names(self) -> None:
        """Who still comes to the side that was left is told that it has moved."""
        for pair in self.pairs:
            self.hands.close(self.left, pair.source, pair.application, why="moved")
        lead_names(self.hosting, self.taken, leaving=self.left, seconds=self.names_seconds, tell=self.tell)

    def _verify(self) -> None:
        self.hands.require(self.taken, self.taken.checks, {})

    def _finish(self) -> None:
        """What makes anew what no backup holds, such as timelines; it may take hours, and nobody waits for it."""
        for pair in self.pairs:
            self.hands.do_what_follows(self.taken, pair.target, pair.application)

    def _reopen_old(self) -> None:
        """Of a way back before anybody wrote to the new side."""
        self._forget_the_switch()
        for pair in self.pairs:
            self.hands.open_and_start(self.taken, pair.target, pair.application)
        self.note(closed_at=None)

    # What several phases do

    def _carry(self, pair: Pair) -> tuple[str, ...]:
        """Backs up where it comes from, and restores that where it goes; in what the two differ."""
        backup = self._backed_up(pair).id
        differences = self.hands.bring(pair, self.left, self.taken, backup)
        self.note(copied={**self.journal.copied, pair.application: backup})
        return differences

    def _backed_up(self, pair: Pair) -> Backup:
        """Backs up where it comes from."""
        return self.hands.back_up(self.left, pair.source, pair.application)

    @property
    def _hosts_to_start(self) -> Sequence[str]:
        """Those to apply to when the side that is come to starts; all if empty."""
        return ()

    # How it stands in the end

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
            self.hands.open_and_start(self.left, pair.source, pair.application)
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
        if self.plan.left == ("reopen",):
            return f"{taken} serves as before; {left} stays closed, and ready for another try: fedikit migrate"
        if self.plan.direction == "back":
            end_journal(self.sides.journal)
            return f"{taken} serves again; {left} is closed: what is left there is yours to remove: fedikit remove"
        return (
            f"{taken} serves; {left} is closed, and keeps its data for a way back (fedikit migrate --back) "
            "until you remove it there (fedikit remove)"
        )
