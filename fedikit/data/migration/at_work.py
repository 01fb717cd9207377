"""A migration at work: phase after phase, each written down when it has ended, and how it stands in the end.

What fails before the side that is come to can have been written to has the side that is left serve again.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from fedikit.data.closing import Why
from fedikit.data.migration.abreast import for_each
from fedikit.data.migration.hands import Hands
from fedikit.data.migration.journal import Journal, end_journal, give_room, write_journal
from fedikit.data.migration.quiet import await_quiet
from fedikit.data.migration.sides import Pair, Sides
from fedikit.data.migration.standing import Standing
from fedikit.errors import FedikitError
from fedikit.events import StepFinished, StepStarted, Tell
from fedikit.remote.session import new_run
from fedikit.results.migration import READ_ONLY, MigrationPlan, MigrationReport, Phase, PhaseDone


class AtWork(ABC):
    """One migration at work, or a move."""

    def __init__(self, plan: MigrationPlan, sides: Sides, journal: Journal, names_seconds: float, tell: Tell) -> None:
        self.plan, self.sides, self.journal, self.tell = plan, sides, journal, tell
        self.names_seconds = names_seconds
        self.hands = Hands(plan.id, plan.consent, tell)
        self.name = new_run()
        self._noting = threading.Lock()
        self.phases: list[PhaseDone] = []
        self.compared: dict[str, tuple[str, ...]] = {}
        self.reading: set[str] = set()
        self.remarks: list[str] = []
        pairs = [Pair(one.application, one.source, one.target) for one in plan.applications]
        goes_back = plan.direction == "back"
        self.left, self.taken = (plan.target, plan.source) if goes_back else (plan.source, plan.target)
        self.hosting = sides.old if goes_back else sides.new
        self.pairs = [Pair(one.application, one.target, one.source) for one in pairs] if goes_back else pairs

    @property
    def names(self) -> list[str]:
        return [pair.application for pair in self.pairs]

    def note(self, **changes: Any) -> None:
        journal = self.journal.model_copy(update=changes)
        write_journal(self.sides.journal, journal)
        self.journal = journal

    def _note_copied(self, pair: Pair, backup: str) -> None:
        """Written by one at a time, whoever is at work."""
        with self._noting:
            self.note(copied={**self.journal.copied, pair.application: backup})

    # The phases, one after the other

    def run(self, closed: Sequence[Standing] = ()) -> MigrationReport:
        start, error = time.monotonic(), ""
        self.note()
        self._turn_round()
        try:
            with self.hands:
                self._await_quiet()
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

    def _await_quiet(self) -> None:
        """What an earlier run left at work on the hosts ends first."""
        left = [(self.left, pair.source) for pair in self.pairs]
        taken = [(self.taken, pair.target) for pair in self.pairs]
        await_quiet({(side.name, host): side for side, host in [*left, *taken]}, tell=self.tell)

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
                try:
                    self.hands.close(one.deployment, one.host, one.application, why=why, instead=self.plan.instead)
                except FedikitError:
                    if not self._is_yet_to_be_set_up(one):
                        raise

    def _is_yet_to_be_set_up(self, one: Standing) -> bool:
        """Whether a phase that is left sets it up and closes it there: what closes it may not be there before."""
        coming = [(self.taken.name, pair.target, pair.application) for pair in self.pairs]
        is_coming = (one.deployment.name, one.host, one.application) in coming
        return is_coming and not {"stage", "parts"}.isdisjoint(self.plan.left)

    @property
    @abstractmethod
    def _acts(self) -> Mapping[Phase, Callable[[], None]]:
        """What each phase does."""

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        self.tell(StepStarted(step=phase))
        start, failure = time.monotonic(), ""
        self.remarks = []
        try:
            yield
        except FedikitError as error:
            failure = error.headline.partition("\n")[0]
            raise
        except OSError as error:
            failure = f"this deployer's disk: {error}"
            raise FedikitError(failure, hint="see that there is room, and that you may write there") from error
        finally:
            seconds = round(time.monotonic() - start, 3)
            self.tell(StepFinished(step=phase, seconds=seconds, failed=bool(failure)))
            detail = failure or "; ".join(self.remarks)
            self.phases.append(PhaseDone(phase=phase, seconds=seconds, failed=bool(failure), detail=detail))
        if phase != "reopen":
            self.note(done=tuple(dict.fromkeys((*self.journal.done, phase))))

    # How it stands in the end

    def _after_failure(self) -> str:
        """Lets the side that was left serve again where the other cannot have been written to."""
        left = self._what_is_left
        give_room(self.sides.journal)
        if self.journal.has_begun:
            return self._how_it_stands_once_begun()
        if self.journal.closed_at is None:
            with suppress(FedikitError):
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
        for_each(self.pairs, lambda pair: self.hands.open_and_start(self.left, pair.source, pair.application))
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
