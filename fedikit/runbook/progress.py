"""The progress line of a notebook's cell: one output, updated in place, that ends as the step did.

It needs no widget and leaves one line in the saved notebook. It is quiet outside a Jupyter kernel, with
FEDIKIT_PROGRESS=none, and under pytest (nbval compares outputs).
"""

import threading
import time
from typing import Any

from fedikit.display.markup import styled, unstyled
from fedikit.display.progress import live_line
from fedikit.display.timeline import clock
from fedikit.events import CheckFinished, Event, HostPlanned, ItemFinished
from fedikit.runbook.front_end import is_quiet
from fedikit.runbook.guidance import ASIDE

_INTERVAL = 0.2  # seconds between two updates, so that a thousand items do not flood the record
_ALMOST = 0.97
"""How full the bar of a step gets that takes longer than usual."""


class ProgressLine:
    """Follows the events of one step. `usual`: how many seconds it takes as a rule, if earlier runs tell."""

    def __init__(self, step: str, *, total: int = 0, usual: float | None = None) -> None:
        self._step = step
        self._total = total
        self._usual = usual
        self._done = 0
        self._live = "…"
        self._began = time.monotonic()
        self._drawn = 0.0
        self._lock = threading.Lock()
        self._handle = None if is_quiet() else _display(self._bundle())

    def __call__(self, event: Event) -> None:
        """Takes an event in, from any thread; draws at most five times a second."""
        with self._lock:
            self._done += isinstance(event, ItemFinished | CheckFinished | HostPlanned)
            self._live = live_line(event) or self._live
            if time.monotonic() >= self._drawn + _INTERVAL:
                self._drawn = time.monotonic()
                self._draw(self._bundle())

    def end(self, seconds: float, failure: str) -> None:
        """Draws how the step ended; this is what the saved notebook keeps."""
        with self._lock:
            self._done = self._done if failure else self._total  # not every change is told by itself
            what = f"{self._step}{self._count()}"
            if failure:
                self._draw(line(f"✘ {what} failed after {seconds:.1f} s: {failure}", "red"))
            else:
                self._draw(line(f"✔ {what}, {seconds:.1f} s", "green"))

    def _bundle(self) -> dict[str, str]:
        words = f"{self._step}{self._count()}: {self._live}"
        elapsed = time.monotonic() - self._began
        if self._usual:
            left = max(0.0, self._usual - elapsed)
            return line(f"{words}{time_left(left)}", "dim", bar(elapsed, left))
        return line(words, "dim", bar(self._done, self._total - self._done) if self._total else bar())

    def _count(self) -> str:
        return f" {self._done}/{self._total}" if self._total else ""

    def _draw(self, bundle: dict[str, str]) -> None:
        if self._handle is not None:
            self._handle.update(bundle, raw=True, metadata=ASIDE)


def line(words: str, style: str, progress: str = "") -> dict[str, str]:
    """A line as text, and as HTML with a bar before it; the run's heading brings the colours."""
    return {"text/plain": words, "text/html": unstyled(progress, styled(words, style))}


def bar(done: float = 0, left: float = 0) -> str:
    """How much of it is done; it only moves if nobody knows. For eyes: who hears the page is told by the words."""
    if not done + left:
        return '<progress aria-hidden="true"></progress> '
    return f'<progress aria-hidden="true" value="{min(done / (done + left), _ALMOST):.2f}"></progress> '


def time_left(seconds: float | None) -> str:
    """That much in words, to be put behind others."""
    return "" if seconds is None else f" · {clock(round(seconds))} left or so"


def _display(bundle: dict[str, str]) -> Any:
    from IPython.display import display

    return display(bundle, raw=True, display_id=True, metadata=ASIDE)  # type: ignore[no-untyped-call]
