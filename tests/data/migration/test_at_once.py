"""Others at work on what is being migrated: another migration, and whatever else is done to either side meanwhile."""

import fcntl
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fedikit.data import carrying_secrets
from fedikit.data.backups import make_backup
from fedikit.data.carrying_out import apply_restore
from fedikit.data.migration import quiet
from fedikit.data.migration import sides as sides_module
from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.planning import make_migration
from fedikit.data.migration.sides import Sides
from fedikit.data.planning import make_restore
from fedikit.errors import FedikitError
from fedikit.events import Event, StepFinished, StepStarted, Waiting
from tests.data.migration.real import RealScene, RealSide
from tests.data.migration.scene import Cut, Scene, Side, cut_at
from tests.data.migration.test_phases import require_one_serves
from tests.data.migration.test_real import real  # noqa: F401
from tests.model.example import configuration
from tests.remote.conftest import Staged, staged  # noqa: F401


@pytest.fixture
def third(scene: Scene, staged: Staged, monkeypatch: pytest.MonkeyPatch) -> Side:  # noqa: F811
    """Another provider, where somebody else would like it to go."""
    third = Side(staged("elsewhere", name="third", key="7" * 64), "elsewhere")
    gates = third.machine.path("/srv/gates")
    gates.mkdir()
    (gates / "mastodon").symlink_to(scene.new.machine.path("/srv/gates/mastodon"))
    for module in (carrying_secrets, sides_module):
        monkeypatch.setattr(
            module, "load_environment", lambda path: (third if Path(path).name == "third.toml" else scene.new).provider
        )
    return third


def to_the_third(scene: Scene, third: Side) -> Sides:
    return Sides(scene.old.provider, third.provider, configuration(), third.stage.folder / "third.toml")


def test_of_two_migrations_to_two_places_one_ends_and_the_other_is_told(scene: Scene, third: Side) -> None:
    """Nor does it take what is kept where both began: that is old by now, and the first place serves."""
    other = to_the_third(scene, third)

    def tell(event: Event) -> None:
        if event == StepStarted(step="close"):
            scene.old.write("the last words")
            assert scene.migrate().error == ""

    report = apply_migration(make_migration(other), other, names_seconds=0, tell=tell)
    assert f"by the migration {scene.journal.id}, which is another" in report.error
    assert report.advice.startswith("old is closed, and could not be opened again")
    require_one_serves(scene, scene.new, "the last words")
    assert (third.serves, third.is_closed) == (False, True)

    with pytest.raises(FedikitError, match="by the migration"):
        make_migration(other)
    third.stage.remove()
    with pytest.raises(FedikitError, match="has left here of old already, and not for elsewhere of third") as caught:
        make_migration(other, instead=scene.journal.id)
    assert "--to" in caught.value.hint


def test_what_an_earlier_run_left_at_work_on_a_host_ends_first(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "PAUSE_SECONDS", 0.001)
    lock = scene.new.machine.path("/var/lib/fedikit/lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    waited: list[str] = []
    with lock.open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(json.dumps({"who": "root@deployer"}))
        held.flush()

        def tell(event: Event) -> None:
            if isinstance(event, Waiting):
                waited.append(event.what)
                held.close()

        assert scene.migrate(tell).error == ""
    assert waited == ["there, which is being changed by root@deployer since just now (run unknown)"]


def restore(side: RealSide) -> str:
    (done,) = apply_restore(make_restore(side.wanted)).applications
    return done.error


def apply(side: RealSide) -> str:
    assert side.stage.bring(side.wanted).succeeded
    return ""


def back_up(side: RealSide) -> str:
    assert make_backup(side.wanted).succeeded
    return ""


def remove(side: RealSide) -> str:
    """And set up again, as somebody who took one side for the other would."""
    assert side.stage.remove().succeeded
    return apply(side)


def roll_back(side: RealSide) -> str:
    """To what was there before, if only nothing; and set up again, as below."""
    with suppress(FedikitError):
        side.stage.rollback()
    return apply(side)


ACTS: list[tuple[Callable[[RealSide], str], str]] = [
    (restore, "and restored by that alone"),
    (apply, ""),
    (roll_back, ""),
    (back_up, ""),
    (remove, ""),
]


def test_whatever_is_done_to_either_side_of_a_migration_that_was_cut_off_nothing_is_lost(
    real: RealScene,  # noqa: F811
) -> None:
    real.post()
    assert make_backup(real.old.wanted).succeeded
    real.post()
    with pytest.raises(Cut):
        real.migrate(cut_at(StepFinished, "differences"))
    for act, refusal in ACTS:
        for side in (real.old, real.new):
            if act is restore and side is real.new:
                back_up(side)
            said = act(side)
            assert refusal in said if refusal else not said, (act, said)
            assert (real.old.serves, real.new.serves) == (False, False)
    assert real.migrate().error == ""
    real.require_all_is_there(real.new)
