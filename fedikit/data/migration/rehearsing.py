"""A rehearsal: what comes before the switch, and then once more what can be done of that while the old side serves."""

from collections.abc import Callable
from time import monotonic

from fedikit.data.migration.abreast import for_each
from fedikit.data.migration.phases import Migration
from fedikit.data.migration.predicting import predict
from fedikit.data.migration.staging import staged
from fedikit.results.migration import Phase


class Rehearsal(Migration):
    """One rehearsal at work."""

    def _carry_out(self) -> None:
        super()._carry_out()
        self._open_ways()
        acts: dict[Phase, Callable[[], None]] = {
            "close": self._close_new, "differences": self._copy_while_it_serves, "start": self._start_nothing,
        }  # fmt: skip
        measured = {phase: _seconds_of(act) for phase, act in acts.items()}
        predicted = list(predict(self.left, self.pairs, measured))
        self.phases += predicted
        self.note(predicted=round(sum(one.seconds for one in predicted), 3))

    def _copy_while_it_serves(self) -> None:
        for_each(self.pairs, self._compare)

    def _start_nothing(self) -> None:
        """As the new side is set up to start, but that nothing is to; it is looked at when it can be written to."""
        self.hands.set_up(staged(self.taken, self.names))

    def _after_success(self) -> str:
        return f"{self.left.name} serves as before, and {self.taken.name} is ready: fedikit migrate"


def _seconds_of(act: Callable[[], None]) -> float:
    """How long it takes."""
    started = monotonic()
    act()
    return monotonic() - started
