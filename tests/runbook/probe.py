"""What the notebooks of these tests work with."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fedikit.events import Event
from fedikit.runbook import Run
from fedikit.runbook.parameters import RunbookParameters


class Probe(RunbookParameters):
    """The parameters of the test notebooks."""

    runbook = "probe"

    word: str = "hello"
    number: int = 1
    names: tuple[str, ...] = ()
    dry_run: bool = True


def many(tell: Callable[[Event], None], event: Event) -> None:
    """Tells an event three hundred times, from two threads."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: tell(event), range(300)))


def leave_pid(run: Run) -> None:
    """Leaves the number of the kernel's process in the record, for the test that stops it."""
    if run.record:
        (run.record / "pid").write_text(str(os.getpid()))
