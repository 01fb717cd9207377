"""A deployer in a process of its own, and what kills it, or what works for it on either side.

The deployer is started by a server of processes, which has loaded all that it needs.
"""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from fedikit.data import carrying_secrets
from fedikit.data.migration import sides as sides_module
from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.planning import make_migration
from fedikit.data.migration.sides import Sides
from fedikit.errors import FedikitError
from tests.data.migration.real import RealScene, RealSide
from tests.data.migration.scene import Provider
from tests.model.example import configuration

STARTING = multiprocessing.get_context("forkserver")
STARTING.set_forkserver_preload([__name__])
PATIENCE = 120.0
"""Seconds in which a deployer that nobody killed must come to an end."""


class Outcome(NamedTuple):
    """How a run ended: with what was wrong, and what it says is to be done."""

    error: str = ""
    advice: str = ""
    is_done: bool = False


def deploy(old: Provider, new: Provider, folder: Path, *, back: bool, instead: str) -> None:
    """Plans and carries out; what comes of it is in the file `outcome`."""
    os.chdir(folder)
    sides = Sides(old, new, configuration(), folder / "new.toml")
    for module in (carrying_secrets, sides_module):
        module.load_environment = lambda path: sides.new  # type: ignore[attr-defined]
    write_down(lambda: _migrated(sides, back=back, instead=instead), folder)


def write_down(act: Callable[[], Outcome], folder: Path) -> None:
    """What comes of a run is whole, or not there."""
    try:
        outcome = act()
    except FedikitError as error:
        outcome = Outcome(error.message, error.hint)
    draft = folder / "outcome.draft"
    draft.write_text(json.dumps(outcome))
    draft.rename(folder / "outcome")


def _migrated(sides: Sides, *, back: bool, instead: str) -> Outcome:
    plan = make_migration(sides, back=back, instead=instead)
    if plan.has_errors:
        return Outcome("; ".join(one.error for one in plan.applications), "(in the error)")
    if plan.is_noop:
        return Outcome(is_done=True)
    report = apply_migration(plan, sides, names_seconds=0)
    return Outcome(report.error, report.advice, is_done=report.succeeded)


class Run:
    """One run of a deployer."""

    def __init__(self, scene: RealScene, *, back: bool, instead: str = "") -> None:
        self.scene = scene
        self.file = scene.folder / "outcome"
        self.file.unlink(missing_ok=True)
        self.process = self.deployer(back=back, instead=instead)
        self.process.start()

    def deployer(self, *, back: bool, instead: str) -> ForkServerProcess:
        """The process that is to be started."""
        told = (self.scene.old.provider, self.scene.new.provider, self.scene.folder)
        return STARTING.Process(target=deploy, args=told, kwargs={"back": back, "instead": instead})

    @property
    def is_over(self) -> bool:
        return not self.process.is_alive()

    def kill(self, chance: random.Random) -> str:
        """SIGKILL for the deployer or one of the processes at work on a side, or a reboot of that; which."""
        side = chance.choice([self.scene.old, self.scene.new])
        match chance.choice(["deployer", "process", "process", "host"]):
            case "host":
                boot(side)
                return f"boot {side.host}"
            case "process" if at_work := sorted(processes_of(side)):
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(at_work), signal.SIGKILL)
                return f"process of {side.host}"
            case _:
                self.process.kill()
                return "deployer"

    def end(self) -> Outcome | None:
        """What came of it; None if it was killed."""
        self.process.join(PATIENCE)
        assert not self.process.is_alive(), "a deployer does not come to an end"
        return Outcome(*json.loads(self.file.read_text())) if self.file.exists() else None


def processes_of(side: RealSide) -> Iterator[int]:
    """All that works on a side, agents and programs, but systemd."""
    root = str(side.machine.root).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            is_own = b"PATH=" + root in environment or root in command
            if is_own and b"systemctl" not in command:
                yield int(folder.name)


def boot(side: RealSide) -> None:
    """The host is switched off, and on again."""
    for process in processes_of(side):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    time.sleep(0.05)
    side.boot()
