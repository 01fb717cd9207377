"""An apply, or an upgrade, of either side in the midst of a migration: nothing is lost, and never do both serve."""

import shutil
from collections.abc import Callable

import pytest

from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.hands import Hands
from fedikit.data.migration.planning import make_migration
from fedikit.events import Event, StepStarted
from fedikit.model.data import BucketPart
from fedikit.results.migration import PHASES, Phase
from tests.data.migration.move_scene import BUCKET, House
from tests.data.migration.scene import APPLICATION, Cut, Scene, Side
from tests.data.migration.test_phases import never_both, phases, require_one_serves
from tests.data.migration.test_planning import error_of
from tests.data.migration.test_standing import cut, lose, refused
from tests.data.scene import PLACE
from tests.remote.conftest import Staged

LATER = {"web": "example.org/mastodon:4.4"}
CUTS: tuple[Phase, ...] = ("stage", "copy", "close", "differences", "open", "start", "names")
SERVES_THERE: tuple[Phase, ...] = ("open", "start", "names")


def apply(scene: Scene, side: Side) -> None:
    assert side.stage.bring(side.wanted).succeeded
    assert not (scene.old.serves and scene.new.serves)


@pytest.fixture
def only_set_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Cuts a migration off when its new side is set up, just before the program there is told to close it."""

    def cut_off(act: Callable[[], object]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Hands, "close", gone)
            with pytest.raises(Cut):
                act()

    def gone(*_: object, **__: object) -> None:
        raise Cut

    return cut_off


OnlySetUp = Callable[[Callable[[], object]], None]


def test_a_new_side_that_is_only_set_up_is_started_by_nobody_and_it_goes_on(
    scene: Scene, only_set_up: OnlySetUp
) -> None:
    only_set_up(scene.migrate)
    apply(scene, scene.new)
    assert (scene.old.serves, scene.new.serves) == (True, False)
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "the first words")


def test_by_which_migration_it_was_set_up_is_known_without_its_journal(scene: Scene, only_set_up: OnlySetUp) -> None:
    only_set_up(scene.migrate)
    begun = scene.journal.id
    lose(scene)
    assert f"by the migration {begun}" in refused(scene.sides).message


def test_another_migration_takes_its_place_though_what_closes_it_was_not_there_yet(
    scene: Scene, only_set_up: OnlySetUp
) -> None:
    only_set_up(scene.migrate)
    begun = scene.journal.id
    lose(scene)
    program = scene.new.machine.path(PLACE)
    program.rename(program.with_name("not-yet"))

    def bring_it(event: Event) -> None:
        if event == StepStarted(step="stage"):
            program.with_name("not-yet").rename(program)

    report = apply_migration(make_migration(scene.sides, instead=begun), scene.sides, names_seconds=0, tell=bring_it)
    assert report.error == ""
    require_one_serves(scene, scene.new, "the first words")


@pytest.mark.parametrize("elsewhere", [(), (BUCKET,)], ids=["copied", "once it is closed"])
def test_a_host_that_is_only_set_up_for_a_move_starts_nothing_either_and_it_goes_on(
    staged: Staged, only_set_up: OnlySetUp, elsewhere: tuple[BucketPart, ...]
) -> None:
    house = House(staged)
    house.elsewhere, house.placed = elsewhere, "two"
    only_set_up(house.move)
    report = house.stage.bring(house.wanted, limit=["two"], consent=[APPLICATION])
    assert report.succeeded, report
    assert not house.two.serves
    report = house.move(house.never_both())
    assert (report.error, house.one.serves, house.two.serves) == ("", False, True)
    assert house.two.read() == "the first words"


@pytest.mark.parametrize("phase", CUTS)
def test_an_apply_of_both_sides_where_it_was_cut_off_starts_nothing_and_it_goes_on(scene: Scene, phase: Phase) -> None:
    cut(scene, phase)
    is_read = scene.old.serves
    for side in (scene.old, scene.new):
        apply(scene, side)
    assert scene.old.serves == is_read == (phase in ("stage", "copy"))
    assert scene.new.serves == (phase in SERVES_THERE), "what may run already is started by its own apply"
    if scene.new.serves:
        scene.new.write("written at the new place")
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "written at the new place" if phase in SERVES_THERE else "the first words")


@pytest.mark.parametrize("phase", ["stage", "close"])
@pytest.mark.parametrize("side", ["old", "new"])
def test_another_version_on_one_side_is_said_before_data_meets_it(scene: Scene, phase: Phase, side: str) -> None:
    cut(scene, phase)
    upgraded: Side = getattr(scene, side)
    upgraded.images = LATER
    apply(scene, upgraded)
    assert error_of(scene.plan()).endswith("migrate one version, upgrade afterwards")
    (scene.new if upgraded is scene.old else scene.old).images = LATER
    apply(scene, scene.new)
    apply(scene, scene.old)
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "the first words")


@pytest.mark.parametrize("phase", ["start", "names"])
def test_an_upgrade_of_the_side_that_serves_already_does_not_keep_what_is_left_from_being_done(
    scene: Scene, phase: Phase
) -> None:
    cut(scene, phase)
    scene.new.images = LATER
    apply(scene, scene.new)
    scene.new.write("written by the later version")
    report = scene.migrate(never_both(scene))
    assert (report.error, phases(report)) == ("", list(PHASES[PHASES.index(phase) :]))
    require_one_serves(scene, scene.new, "written by the later version")
    assert "migrate one version" in error_of(scene.plan(back=True)), "the earlier one may not read what it wrote"


def test_the_old_side_opens_again_though_the_new_one_is_gone_or_another_by_now(scene: Scene) -> None:
    """Nobody wrote there: that its host is lost, or was upgraded, is no reason to stay closed."""
    cut(scene, "close")
    scene.new.images = LATER
    shutil.rmtree(scene.new.machine.root)
    report = scene.migrate(back=True)
    assert (report.error, phases(report)) == ("", ["reopen"])
    assert scene.old.serves
    assert scene.old.read() == "the first words"
