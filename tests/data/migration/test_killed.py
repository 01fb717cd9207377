"""Migrations that are killed anywhere, on either side, again and again: never do both serve, and nothing is lost.

FEDIKIT_KILLS says how often, FEDIKIT_SEED which chance. Where nobody asks for more, it is always the same one; who does
has several tests of it, for as many processors.
"""

import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.data.migration.killing import Outcome, Run
from tests.data.migration.real import RealScene
from tests.remote.conftest import Stage, Staged, staged  # noqa: F401

FEW, USUAL = 2, 11
KILLS = int(os.environ.get("FEDIKIT_KILLS", FEW))
SEED = int(os.environ.get("FEDIKIT_SEED", USUAL if KILLS <= FEW else random.SystemRandom().randrange(1, 1 << 32)))
SHARES = 1 if KILLS <= FEW else 4
KILLS_OF_TRIAL = 15
LONGEST = 8.0
"""Seconds after which a run is killed at the latest, as long as none is known that came to its end."""
BEYOND = 1.2
"""By how much later than that one's end: some are not killed at all."""
CHANGES_OF_MIND = 0.08
JOURNALS_LOST = 0.08
OF_ANOTHER = re.compile(r"--instead (\S+)")
ON_ITS_WAY_BACK = "on its way back"
MOST_RUNS = 6
"""In which a migration that nobody kills must come to its end."""


class Moments:
    """When runs are killed: at any moment of one, however fast they are here."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.known = chance, 0.0

    def draw(self) -> float:
        """After how many seconds."""
        return self.chance.uniform(0, self.known * BEYOND or LONGEST)

    def learn(self, seconds: float) -> None:
        """A run that nobody killed took so long: a whole one takes the longest."""
        self.known = max(self.known, seconds)


class Trial:
    """One pair of providers; the application goes there and back, as long as there are kills left."""

    def __init__(self, scene: RealScene, moments: Moments) -> None:
        self.scene, self.moments, self.chance = scene, moments, moments.chance
        self.goes_back = self.is_over = False
        self.instead = ""

    def kill_once(self) -> int:
        """A run that is killed at some moment, if it is not over by then; how many were killed."""
        begun, moment = time.monotonic(), self.moments.draw()
        run, ends = Run(self.scene, back=self.goes_back, instead=self.instead), begun + moment
        while time.monotonic() < ends and not run.is_over:
            time.sleep(0.02)
        kills = 0 if run.is_over else 1
        killed = run.kill(self.chance) if kills else "nothing"
        outcome = run.end()
        if not kills and outcome and outcome.is_done:
            self.moments.learn(time.monotonic() - begun)
        print(f"{'back' if self.goes_back else 'there'}, killed: {killed}; {self.scene.state}; {outcome}")
        self.judge(outcome)
        if self.chance.random() < CHANGES_OF_MIND:
            self.goes_back = not self.goes_back
        if self.chance.random() < JOURNALS_LOST:
            self.scene.sides.journal.unlink(missing_ok=True)
        return kills

    def bring_to_an_end(self) -> None:
        for _ in range(MOST_RUNS):
            begun = time.monotonic()
            outcome = Run(self.scene, back=self.goes_back, instead=self.instead).end()
            self.moments.learn(time.monotonic() - begun)
            self.judge(outcome)
            if outcome and outcome.is_done:
                return
        raise AssertionError(f"it comes to no end: {outcome}")

    def judge(self, outcome: Outcome | None) -> None:
        """Whatever happened, one side serves at most; and who reads the outcome knows what to do."""
        self.scene.require_never_both()
        if outcome is None:
            return
        assert outcome.is_done != bool(outcome.error), outcome
        assert outcome.advice or outcome.is_done, outcome
        if outcome.is_done:
            self.scene.require_all_is_there(self.scene.old if self.goes_back else self.scene.new)
            self.is_over = not self.scene.sides.journal.exists()
            self.goes_back = not self.goes_back
        elif ON_ITS_WAY_BACK in outcome.error:
            self.goes_back = True
        elif lost := OF_ANOTHER.search(outcome.advice):
            self.instead = lost[1]


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_anywhere_again_and_again_it_comes_to_its_end_and_nothing_is_lost(
    staged: Staged,  # noqa: F811
    share: int,
) -> None:
    print(f"FEDIKIT_SEED={SEED} FEDIKIT_KILLS={KILLS}, share {share}")
    moments, kills, most = Moments(random.Random(SEED + share)), 0, -(-KILLS // SHARES)
    folder = Path.cwd()
    for number in count():
        with trial_in(folder / f"trial{number}", moments) as trial:
            begun = kills
            while not trial.is_over and kills - begun < KILLS_OF_TRIAL and kills < most:
                kills += trial.kill_once()
            if not trial.is_over:
                trial.bring_to_an_end()
        if kills >= most:
            return


@contextmanager
def trial_in(folder: Path, moments: Moments) -> Iterator[Trial]:
    folder.mkdir()
    scene = RealScene(lambda *hosts, **how: Stage(folder, *hosts, **how))
    with closing(scene), scene.people():
        yield Trial(scene, moments)
    shutil.rmtree(folder)
