"""How a run is asked to stop: by a signal or by its deadline, politely first.

Nothing is raised from a signal handler: it only notes the wish, so that no file is left half written.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE = 5.0  # seconds that a cell has to come to its end once it is interrupted
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunInterrupted(KeyboardInterrupt):
    """The run was stopped by a signal."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(f"stopped by {signal.Signals(signum).name}")


class DeadlinePassed(Exception):
    """The run took longer than it was given."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stopped: no end after {seconds:g} s")


class StopRequest:
    """Whether a run shall stop, since when, and why."""

    def __init__(self, seconds: float | None = None) -> None:
        self.signals: list[int] = []
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._noticed: float | None = None

    def is_asked(self) -> bool:
        """Whether the run shall come to its end."""
        return bool(self.signals) or (self._deadline is not None and time.monotonic() >= self._deadline)

    def is_grace_over(self) -> bool:
        """Whether it had its time to do so since this was first asked; a second signal cuts that short."""
        if not self.is_asked():
            return False
        self._noticed = self._noticed or time.monotonic()
        return len(self.signals) > 1 or time.monotonic() >= self._noticed + GRACE

    def as_error(self) -> RunInterrupted | DeadlinePassed:
        """Why the run was stopped, to be raised."""
        return RunInterrupted(self.signals[0]) if self.signals else DeadlinePassed(self._seconds or 0)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes signals as wishes to stop; only the main thread can, elsewhere signals keep their meaning."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signals.append(signum)
