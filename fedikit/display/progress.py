"""Draws events in a terminal while they happen: lasting lines for what ended, one live line for what goes on."""

import sys
import threading
import time
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Protocol

from fedikit.events import (
    CheckFinished,
    Event,
    HostFinished,
    ItemFinished,
    ItemStarted,
    Progress,
    StepFinished,
    StepStarted,
    Waiting,
)

if TYPE_CHECKING:
    from rich.console import Console

REDRAWS_PER_SECOND = 10
PIPED_EVERY_SECONDS = 10.0


class Output(Protocol):
    """As much as is needed of a rich console."""

    @property
    def is_terminal(self) -> bool: ...
    @property
    def width(self) -> int: ...
    @property
    def file(self) -> IO[str]: ...
    def print(self, *objects: Any, highlight: bool | None = None, soft_wrap: bool | None = None) -> None: ...


class StandardError:
    """Standard error as rich prints there; rich is slow to import, so that is done when something is printed."""

    def __init__(self) -> None:
        self.file = sys.stderr
        self.is_terminal = sys.stderr.isatty()

    @cached_property
    def _console(self) -> "Console":
        from rich.console import Console

        return Console(stderr=True)

    @property
    def width(self) -> int:
        return self._console.width

    def print(self, *objects: Any, highlight: bool | None = None, soft_wrap: bool | None = None) -> None:
        self._console.print(*objects, highlight=highlight, soft_wrap=soft_wrap)


class TerminalProgress:
    """A listener for events. On a terminal the last line lives; piped, a line is written now and then."""

    def __init__(self, console: Output) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._live = ""
        self._drawn_at = 0.0

    def __call__(self, event: Event) -> None:
        with self._lock:
            if line := lasting_line(event):
                self._clear()
                self._console.print(line, highlight=False, soft_wrap=not self._console.is_terminal)
            elif live := live_line(event):
                self._draw(live)

    def close(self) -> None:
        with self._lock:
            self._clear()

    def _draw(self, line: str) -> None:
        pause = 1 / REDRAWS_PER_SECOND if self._console.is_terminal else PIPED_EVERY_SECONDS
        if time.monotonic() - self._drawn_at < pause:
            return
        self._drawn_at = time.monotonic()
        if not self._console.is_terminal:
            self._console.file.write(f"  … {line}\n")
            self._console.file.flush()
            return
        self._live = line
        self._console.file.write(f"\r\x1b[K  … {_cut(line, self._console.width - 6)}")
        self._console.file.flush()

    def _clear(self) -> None:
        if self._live:
            self._live = ""
            self._console.file.write("\r\x1b[K")


def _cut(line: str, cells: int) -> str:
    """As much of it as fits: a line that breaks could not be cleared."""
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= cells else set_cell_size(line, cells)


def lasting_line(event: Event) -> str:
    """What stays on the screen, as rich markup; nothing for most events."""
    match event:
        case HostFinished(host=host, outcome="failed" | "skipped" as outcome, detail=detail):
            return f"  [bold red]✗[/] {host} {outcome}: {_plain(detail.splitlines()[0] if detail else '')}"
        case HostFinished(host=host, outcome="changed", seconds=seconds, detail=detail):
            return f"  [green]✓[/] {host} {_plain(detail) or 'changed'} [dim]({seconds:.1f} s)[/]"
        case ItemFinished(host=host, item=item, seconds=seconds, failed=True, action="backup" | "restore"):
            return f"    [bold red]✗[/] {host}: {_plain(item)} failed after {seconds:.1f} s"
        case ItemFinished(host=host, item=item, seconds=seconds, action="backup" | "restore"):
            return f"    [dim]{host}: {_plain(item)} took {seconds:.1f} s[/]"
        case ItemFinished(host=host, item=item, seconds=seconds, failed=False) if seconds >= 2:
            return f"    [dim]{host}: {_plain(item)} took {seconds:.1f} s[/]"
        case CheckFinished(check=check, passed=False, detail=detail):
            return f"  [bold red]✗[/] {_plain(check)}: {_plain(detail)}"
        case StepFinished(step=step, seconds=seconds, failed=failed) if step not in ("plan",):
            return f"  {'[bold red]✗[/]' if failed else '[green]✓[/]'} {_plain(step)} [dim]({seconds:.1f} s)[/]"
        case _:
            return ""


def live_line(event: Event) -> str:
    """What goes on just now, as plain text."""
    match event:
        case StepStarted(step=step):
            return step
        case Waiting(what=what):
            return what
        case ItemStarted(host=host, item=item, action=action):
            return f"{host}: {action} {item}"
        case Progress(what=what, done=done, total=total, host=host):
            where = f"{host}: " if host else ""
            return f"{where}{what} {done / 1e6:.1f} of {total / 1e6:.1f} MB"
        case CheckFinished(check=check):
            return check
        case _:
            return ""


def _plain(text: str) -> str:
    from rich.markup import escape  # slow to import, and most events need it not

    return escape(text)
