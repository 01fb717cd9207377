"""Migrations of which the deployer knows nothing any more, or another deployer knows: told by what hosts have noted."""

import pytest

from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.planning import make_migration
from fedikit.data.migration.sides import Sides
from fedikit.errors import FedikitError
from fedikit.events import StepFinished
from fedikit.results.migration import PHASES, MigrationReport, Phase
from tests.data.migration.scene import Cut, Scene, cut_at
from tests.data.migration.test_phases import phases, require_one_serves

SWITCH = PHASES[PHASES.index("open") :]


def cut(scene: Scene, phase: Phase, **how: bool) -> str:
    """Cuts it off after a phase; the name of the migration."""
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepFinished, phase), **how)
    return scene.journal.id


def lose(scene: Scene) -> None:
    scene.sides.journal.unlink()


def migrate(sides: Sides, *, instead: str, back: bool = False) -> MigrationReport:
    return apply_migration(make_migration(sides, back=back, instead=instead), sides, names_seconds=0)


def refused(sides: Sides) -> FedikitError:
    with pytest.raises(FedikitError, match="of which nothing is known here") as caught:
        make_migration(sides)
    return caught.value


@pytest.mark.parametrize("phase", ["stage", "copy", "close", "differences"])
def test_a_lost_journal_is_said_and_another_migration_takes_the_place_of_that_one(scene: Scene, phase: Phase) -> None:
    lost = cut(scene, phase)
    lose(scene)
    error = refused(scene.sides)
    assert f"by the migration {lost}" in error.message
    assert f"fedikit migrate --instead {lost}" in error.hint
    report = migrate(scene.sides, instead=lost)
    assert (report.error, phases(report)) == ("", list(PHASES))
    require_one_serves(scene, scene.new, "the first words")
    assert scene.journal.id != lost


def test_where_the_new_side_serves_already_nothing_is_copied_over_what_was_written_there(scene: Scene) -> None:
    assert scene.migrate().succeeded
    lost = scene.journal.id
    lose(scene)
    scene.new.write("written at the new place")
    refused(scene.sides)
    report = migrate(scene.sides, instead=lost)
    assert (report.error, phases(report)) == ("", list(SWITCH))
    require_one_serves(scene, scene.new, "written at the new place")
    lost = scene.journal.id
    lose(scene)
    back = migrate(scene.sides, instead=lost, back=True)
    assert back.error == ""
    require_one_serves(scene, scene.old, "written at the new place")


@pytest.mark.parametrize("phase", ["close", "differences"])
def test_a_way_back_whose_journal_is_lost_goes_on_back(scene: Scene, phase: Phase) -> None:
    assert scene.migrate().succeeded
    scene.new.write("written at the new place")
    lost = cut(scene, phase, back=True)
    lose(scene)
    with pytest.raises(FedikitError, match="on its way back"):
        make_migration(scene.sides, instead=lost)
    assert migrate(scene.sides, instead=lost, back=True).error == ""
    require_one_serves(scene, scene.old, "written at the new place")


def test_the_way_back_before_the_new_side_served_needs_no_journal(scene: Scene) -> None:
    lost = cut(scene, "differences")
    lose(scene)
    assert phases(migrate(scene.sides, instead=lost, back=True)) == ["reopen"]
    require_one_serves(scene, scene.old, "the first words")


def test_the_migration_whose_place_was_taken_can_do_nothing_any_more(scene: Scene) -> None:
    first = cut(scene, "copy")
    plan, journal = scene.plan(), scene.sides.journal.read_text()
    lose(scene)
    assert migrate(scene.sides, instead=first).succeeded
    scene.new.write("written at the new place")
    scene.sides.journal.write_text(journal)
    refused(scene.sides)
    with pytest.raises(FedikitError, match="of which nothing is known here"):
        apply_migration(plan, scene.sides, names_seconds=0)
    require_one_serves(scene, scene.new, "written at the new place")


def test_two_deployers_that_begin_at_once_do_not_both_close(scene: Scene) -> None:
    """Both have planned before either did anything; the second one's journal lies elsewhere."""
    elsewhere = scene.new.stage.folder / "elsewhere"
    elsewhere.mkdir()
    other = Sides(scene.old.provider, scene.new.provider, scene.sides.configuration, elsewhere / "new.toml")
    plan = make_migration(other)
    cut(scene, "stage")
    with pytest.raises(FedikitError, match="by the migration"):
        apply_migration(plan, other, names_seconds=0)
    require_one_serves(scene, scene.old, "the first words")


def test_a_move_is_not_gone_on_with_as_a_migration(scene: Scene) -> None:
    """One that lost its journal would be begun again towards another provider."""
    with pytest.raises(FedikitError, match="is a move") as caught:
        make_migration(scene.sides, instead="move-20260101T000000Z-12345678")
    assert "fedikit move --instead move-2026" in caught.value.hint
