"""The progress line of a notebook's cell: one output, updated in place, that ends as the step did.

It needs no widget and leaves one line in the saved notebook. It is quiet outside a Jupyter kernel, with
FEDIKIT_PROGRESS=none, and under pytest (nbval compares outputs).
"""

import html
import os
import threading
import time
from typing import Any

from fedikit.display.progress import live_line
from fedikit.events import CheckFinished, Event, HostPlanned, ItemFinished
from fedikit.runbook.guidance import ASIDE

_INTERVAL = 0.2  # seconds between two updates, so that a thousand items do not flood the record


class ProgressLine:
    """Follows the events of one step."""

    def __init__(self, step: str, *, total: int = 0) -> None:
        self._step = step
        self._total = total
        self._done = 0
        self._live = "…"
        self._drawn = 0.0
        self._lock = threading.Lock()
        self._handle = None if is_quiet() else _display(_bundle(f"{step}: …", "gray"))

    def __call__(self, event: Event) -> None:
        """Takes an event in, from any thread; draws at most five times a second."""
        with self._lock:
            self._done += isinstance(event, ItemFinished | CheckFinished | HostPlanned)
            self._live = live_line(event) or self._live
            if time.monotonic() >= self._drawn + _INTERVAL:
                self._drawn = time.monotonic()
                self._draw(f"{self._step}{self._count()}: {self._live}", "gray")

    def end(self, seconds: float, failure: str) -> None:
        """Draws how the step ended; this is what the saved notebook keeps."""
        with self._lock:
            what = f"{self._step}{self._count()}"
            if failure:
                self._draw(f"✘ {what} failed after {seconds:.1f} s: {failure}", "red")
            else:
                self._draw(f"✔ {what}, {seconds:.1f} s", "green")

    def _count(self) -> str:
        return f" {self._done}/{self._total}" if self._total else ""

    def _draw(self, text: str, colour: str) -> None:
        if self._handle is not None:
            self._handle.update(_bundle(text, colour), raw=True, metadata=ASIDE)


def is_quiet() -> bool:
    """Whether progress shall not be shown, or cannot be."""
    from IPython import get_ipython

    if "PYTEST_CURRENT_TEST" in os.environ or os.environ.get("FEDIKIT_PROGRESS") == "none":
        return True
    return not hasattr(get_ipython(), "kernel")


def _display(bundle: dict[str, str]) -> Any:
    from IPython.display import display

    return display(bundle, raw=True, display_id=True, metadata=ASIDE)  # type: ignore[no-untyped-call]


def _bundle(text: str, colour: str) -> dict[str, str]:
    return {"text/plain": text, "text/html": f'<span style="color: {colour}">{html.escape(text)}</span>'}
