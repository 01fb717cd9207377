"""How a verb ends early: by Ctrl-C, by a signal, when its terminal closes or nobody reads what it prints.

It says what it had done so far and ends at once, without taking apart what it was at: hosts that have their order go
on by themselves. Rule: what runs in a signal handler takes no lock and prints past every buffer.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from fedikit.events import Event, HostFinished, ItemFinished, ItemStarted, StepStarted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WORDS = {
    signal.SIGINT: "stopped by Ctrl-C",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped: the terminal was closed",
    signal.SIGPIPE: "stopped: nobody reads what it prints",
}
UNTOUCHED = "no host was touched"
_ON = "the same command again goes on where it was"
NEXT = {
    "apply": "`fedikit status` tells how each host ended; the same command again completes what is missing",
    "backup": "`fedikit backup list` tells what became of it",
    "restore": "the same command again completes what is missing; until then the application may stand still",
    **dict.fromkeys(("secrets", "stage", "copy"), f"the old side serves as before; {_ON}"),
    **dict.fromkeys(
        ("close", "differences", "open", "start"),
        f"neither side may serve now: {_ON}; and --back has the old side serve again",
    ),
    **dict.fromkeys(("names", "afterwards"), f"applications serve where they came to; {_ON}"),
}
"""By the steps in which something is done on hosts: what to do after one that was left."""


class Witness:
    """Listens to what happens, so that it can be told at any time what was done so far."""

    def __init__(self) -> None:
        self._step = ""
        self._done: dict[str, int] = {}
        self._doing: dict[str, str] = {}
        self._ended: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case StepStarted(step=step) if step in NEXT or self._step not in NEXT:
                self._step = step  # what only looks changes nothing of what was done before it
            case ItemStarted(host=host, item=item):
                self._doing[host] = item
                self._ended.pop(host, None)  # it had done one application, and is at the next
            case ItemFinished(host=host, failed=False):
                self._done[host] = self._done.get(host, 0) + 1
            case HostFinished(host=host, outcome=outcome):
                self._ended[host] = outcome

    def lines(self) -> Iterator[str]:
        """What is to be said of it: each host that is or was worked on, and what to do now."""
        if self._step not in NEXT:
            yield f"  {UNTOUCHED}"
            return
        for host in sorted(self._doing.keys() | self._ended.keys()):
            yield f"  {host}: {self._words(host)}"
        yield "  hosts that are not named were not changed, unless they had just got their order"
        yield f"  → {NEXT[self._step]}"

    def _words(self, host: str) -> str:
        if host in self._ended:
            return self._ended[host]
        done, doing = self._done.get(host, 0), self._doing[host]
        return f"{done} done, at work on {doing}; goes on by itself"


def heed_signals(witness: Witness | None = None) -> None:
    """From now on a signal ends the process so; a second one before it is through ends it without a word."""

    def end(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:
            signal.signal(other, lambda number, frame: os._exit(128 + number))
        end_by(signal.Signals(number), witness)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)


def end_by(number: signal.Signals, witness: Witness | None) -> NoReturn:
    """Says why and how far it came, on standard error, and ends the process as a shell expects it."""
    lines = [WORDS[number], *(witness.lines() if witness else ())]
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, (start + "".join(f"{line}\n" for line in lines)).encode())
    os._exit(128 + number)
