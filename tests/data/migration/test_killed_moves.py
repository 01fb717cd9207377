"""Moves that are killed anywhere, again and again: never do both hosts serve, and nothing is lost.

FEDIKIT_KILLS says how often, FEDIKIT_SEED which chance. Where nobody asks for more, it is always the same one.
"""

import os
import random
import re
import shutil
import time
from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from fedikit.data.migration.journal import read_journal
from fedikit.data.migration.moving import apply_move
from fedikit.data.migration.planning_moves import make_move
from fedikit.data.migration.sides import Sides
from fedikit.model.deployment import Deployment
from fedikit.results.migration import MOVING, ONCE_CLOSED
from tests.data.migration.killing import STARTING, Outcome, Run, write_down
from tests.data.migration.move_scene import Placed
from tests.data.migration.real import RealScene, RealSide
from tests.data.migration.scene import APPLICATION
from tests.model.example import configuration
from tests.remote.conftest import Staged, staged  # noqa: F401

FEW, USUAL = 2, 7
KILLS = int(os.environ.get("FEDIKIT_KILLS", FEW))
SEED = int(os.environ.get("FEDIKIT_SEED", USUAL if KILLS <= FEW else random.SystemRandom().randrange(1, 1 << 32)))
PHASES = ("", *(phase for phase in MOVING if phase not in ONCE_CLOSED))
LONGEST = 1.0
"""Seconds after the end of some phase at which a run is killed at the latest."""
CHANGES_OF_MIND = 0.08
JOURNALS_LOST = 0.1
OF_ANOTHER = re.compile(r"fedikit move --instead (\S+)")
NOT_ENDED = "has not ended"
MOST_RUNS = 6
"""In which a move that nobody kills must come to its end."""


class RealHouse(RealScene):
    """One provider with both hosts; `placed`: where the application is to be from now on."""

    def __init__(self, staged: Staged) -> None:  # noqa: F811
        self.stage = staged("here", "there", name="house")
        self.old, self.new = (RealSide(self.stage, host) for host in ("here", "there"))
        self.folder, self.kept, self.placed = self.old.machine.root.parent, [], "here"
        for side, other in ((self.old, self.new), (self.new, self.old)):
            gate = side.machine.path(f"/usr/bin/gate/{APPLICATION}")
            gate.symlink_to(other.machine.path(f"/srv/backups/{APPLICATION}"))
        assert self.stage.bring(self.wanted_on(self.old)).succeeded

    def wanted_on(self, side: RealSide) -> Deployment:
        wanted = side.wanted
        state = wanted.hosts[side.host].model_copy(update={"applications": (APPLICATION,)})
        return wanted.model_copy(update={"hosts": {**wanted.hosts, side.host: state}})

    @property
    def sides(self) -> Sides:
        fields = {name: getattr(self.stage.environment, name) for name in ("name", "hosts", "secrets")}
        places = {side.host: self.wanted_on(side) for side in (self.old, self.new)}
        provider = Placed(placement={APPLICATION: (self.placed,)}, places=places, **fields)
        return Sides(provider, provider, configuration(), self.folder / "house.toml")

    @property
    def serving(self) -> RealSide:
        return self.old if self.placed == "here" else self.new

    def has_done(self, phase: str) -> bool:
        """Whether a move has ended that phase; what has no name has ended before it begins."""
        journal = read_journal(self.sides.journal)
        return not phase or bool(journal and phase in journal.done)

    def forget_what_left(self) -> None:
        """As what made it does when it leaves."""
        left = self.new if self.placed == "here" else self.old
        shutil.rmtree(left.state(""), ignore_errors=True)

    def turn_round(self) -> None:
        self.placed = "there" if self.placed == "here" else "here"


def deploy(provider: Placed, folder: Path, *, instead: str) -> None:
    os.chdir(folder)
    sides = Sides(provider, provider, configuration(), folder / "house.toml")
    write_down(lambda: _moved(sides, instead), folder)


def _moved(sides: Sides, instead: str) -> Outcome:
    plan = make_move(sides, instead=instead)
    if plan.has_errors:
        return Outcome("; ".join(one.error for one in plan.applications), "(in the error)")
    if plan.is_noop:
        return Outcome(is_done=True)
    report = apply_move(plan, sides, names_seconds=0)
    return Outcome(report.error, report.advice, is_done=report.succeeded)


class MoveRun(Run):
    """A deployer that moves."""

    scene: RealHouse

    def deployer(self, *, back: bool, instead: str) -> ForkServerProcess:
        told = (self.scene.sides.new, self.scene.folder)
        return STARTING.Process(target=deploy, args=told, kwargs={"instead": instead})


class Trial:
    """The application goes there and back, as long as there are kills left."""

    def __init__(self, house: RealHouse, chance: random.Random) -> None:
        self.house, self.chance, self.instead = house, chance, ""
        house.turn_round()

    def kill_once(self) -> int:
        """A run that is killed a moment after some phase, if it is not over by then; how many were killed."""
        run = MoveRun(self.house, back=False, instead=self.instead)
        phase, ends = self.chance.choice(PHASES), self.chance.uniform(0, LONGEST)
        while not run.is_over and not self.house.has_done(phase):
            time.sleep(0.02)
        begun = time.monotonic()
        while time.monotonic() < begun + ends and not run.is_over:
            time.sleep(0.02)
        kills = 0 if run.is_over else 1
        killed = run.kill(self.chance) if kills else "nothing"
        outcome = run.end()
        print(f"to {self.house.placed}, killed: {killed}; {self.house.state}; {outcome}")
        self.judge(outcome)
        if self.chance.random() < CHANGES_OF_MIND:
            self.house.turn_round()
        if self.chance.random() < JOURNALS_LOST:
            self.house.sides.journal.unlink(missing_ok=True)
        return kills

    def bring_to_an_end(self) -> None:
        for _ in range(MOST_RUNS):
            outcome = MoveRun(self.house, back=False, instead=self.instead).end()
            placed = self.house.placed
            self.judge(outcome)
            if outcome and outcome.is_done and placed != self.house.placed:
                return
        raise AssertionError(f"it comes to no end: {outcome}")

    def judge(self, outcome: Outcome | None) -> None:
        """Whatever happened, one host serves at most; and who reads the outcome knows what to do."""
        self.house.require_never_both()
        if outcome is None:
            return
        assert outcome.is_done != bool(outcome.error), outcome
        assert outcome.advice or outcome.is_done, outcome
        if outcome.is_done:
            self.instead = ""
            assert self.house.stage.bring(self.house.wanted_on(self.house.serving)).succeeded
            self.house.require_all_is_there(self.house.serving)
            self.house.forget_what_left()
            self.house.turn_round()
        elif NOT_ENDED in outcome.error:
            self.house.turn_round()
        elif lost := OF_ANOTHER.search(outcome.advice):
            self.instead = lost[1]


def test_killed_anywhere_again_and_again_a_move_comes_to_its_end_and_nothing_is_lost(staged: Staged) -> None:  # noqa: F811
    print(f"FEDIKIT_SEED={SEED} FEDIKIT_KILLS={KILLS}")
    house, kills = RealHouse(staged), 0
    with closing(house), house.people():
        trial = Trial(house, random.Random(SEED))
        while kills < KILLS:
            kills += trial.kill_once()
        trial.bring_to_an_end()
