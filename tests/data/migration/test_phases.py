"""The phases of a migration, cut off anywhere and failing anywhere: never do both sides serve, nor is anything lost."""

from collections.abc import Callable

import pytest

from fedikit.data.migration.carrying_out import apply_migration
from fedikit.errors import FedikitError, StalePlan
from fedikit.events import Event, StepFinished, StepStarted
from fedikit.model.check import HttpAnswers
from fedikit.results.migration import BACKWARDS, PHASES, READ_ONLY, REHEARSED, MigrationReport, Phase
from tests.data.migration.scene import APPLICATION, Cut, Scene, cut_at

NOBODY_THERE = HttpAnswers(application=APPLICATION, url="http://127.0.0.1:1/")


def phases(report: MigrationReport) -> list[str]:
    return [done.phase for done in report.phases]


def require_moved(scene: Scene, words: str) -> None:
    """The new side serves, with these words, and the old one does not, and still has them."""
    assert (scene.new.serves, scene.old.serves) == (True, False)
    assert (scene.new.is_closed, scene.old.is_closed) == (False, True)
    assert (scene.new.read(), scene.old.read()) == (words, words)


def require_as_before(scene: Scene, words: str) -> None:
    """The old side serves, and the new one does not."""
    assert (scene.old.serves, scene.new.serves) == (True, False)
    assert not scene.old.is_closed
    assert scene.old.read() == words


def never_both(scene: Scene) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        if isinstance(event, StepStarted | StepFinished) and event.step != "secrets":
            assert not (scene.old.serves and scene.new.serves), event

    return tell


def test_an_application_leaves_with_what_was_written_last(scene: Scene) -> None:
    def tell(event: Event) -> None:
        if event == StepStarted(step="close"):
            scene.old.write("the last words")
        never_both(scene)(event)

    report = scene.migrate(tell)
    assert (report.error, phases(report)) == ("", list(PHASES))
    assert report.compared == {APPLICATION: ()}
    assert report.read_only is not None
    assert scene.new.state("finished").exists()
    require_moved(scene, "the last words")
    assert scene.plan().is_noop


def test_cut_off_in_every_phase_it_goes_on_there_each_time(scene: Scene) -> None:
    """Twice in each: as it begins, and when its work is done and not yet written down."""
    for phase in PHASES:
        for kind in (StepStarted, StepFinished):
            with pytest.raises(Cut):
                scene.migrate(cut_at(kind, phase))
            assert not (scene.old.serves and scene.new.serves), (phase, kind)
            assert scene.plan().left == PHASES[PHASES.index(phase) :]
    report = scene.migrate()
    assert (report.error, phases(report)) == ("", ["verify"])
    require_moved(scene, "the first words")


@pytest.mark.parametrize("phase", ["differences", "open"])
def test_what_fails_before_the_new_side_opens_has_the_old_one_serve_again(scene: Scene, phase: Phase) -> None:
    """And the switch begins anew: what is written meanwhile comes along the next time."""
    signed = scene.new.sign("differs" if phase == "differences" else "opens-not")
    report = scene.migrate()
    assert report.phases[-1].phase == phase
    assert report.phases[-1].failed
    assert report.advice == "old serves again, as before; do the same again"
    require_as_before(scene, "the first words")
    assert scene.journal.closed_at is None

    signed.unlink()
    scene.old.write("written since")
    again = scene.migrate(never_both(scene))
    assert (again.error, phases(again)) == ("", [phase for phase in PHASES if phase not in REHEARSED])
    require_moved(scene, "written since")


def test_what_cannot_be_closed_serves_on(scene: Scene) -> None:
    def tell(event: Event) -> None:
        if event == StepStarted(step="close"):
            scene.old.sign("fails")

    report = scene.migrate(tell)
    assert "starts although it must not" in report.error
    require_as_before(scene, "the first words")


def test_where_the_old_side_cannot_be_opened_again_it_says_so(scene: Scene) -> None:
    scene.new.sign("differs")
    scene.old.sign("opens-not")
    report = scene.migrate()
    assert "1 file too many" in report.error
    assert "old is closed, and could not be opened again" in report.advice
    assert "do the same again" in report.advice


def test_what_fails_once_people_may_write_to_the_new_side_leaves_the_old_one_closed(scene: Scene) -> None:
    scene.new.checks = (NOBODY_THERE,)
    report = scene.migrate()
    assert report.phases[-1].phase == "start"
    assert "127.0.0.1:1" in report.error
    assert "old is closed, and new may have been written to" in report.advice
    assert "fedikit migrate --back" in report.advice
    assert scene.old.is_closed
    assert not scene.old.serves

    scene.new.checks = ()
    assert phases(scene.migrate()) == list(PHASES[PHASES.index("start") :])
    require_moved(scene, "the first words")


def test_a_rehearsal_closes_nothing_and_says_how_long_it_would_take(scene: Scene) -> None:
    report = scene.migrate(never_both(scene), rehearse=True)
    assert (report.error, phases(report)) == ("", [*REHEARSED, "differences"])
    assert report.compared == {APPLICATION: ()}
    assert report.predicted is not None
    assert report.read_only is None
    assert scene.new.is_closed
    require_as_before(scene, "the first words")

    scene.old.write("written since")
    plan = scene.plan()
    assert (plan.left, plan.predicted) == (PHASES[len(REHEARSED) :], report.predicted)
    moved = scene.migrate(never_both(scene))
    assert moved.predicted == report.predicted
    require_moved(scene, "written since")


def test_once_the_old_side_is_closed_there_is_nothing_to_rehearse(scene: Scene) -> None:
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepFinished, "close"))
    with pytest.raises(FedikitError, match="the old side is closed") as caught:
        scene.plan(rehearse=True)
    assert "--back" in caught.value.hint


def test_the_way_back_before_the_new_side_served_just_opens_the_old_one(scene: Scene) -> None:
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepFinished, "differences"))
    assert scene.plan(back=True).left == ("reopen",)
    report = scene.migrate(back=True)
    assert (report.error, phases(report)) == ("", ["reopen"])
    assert scene.new.is_closed
    require_as_before(scene, "the first words")

    scene.old.write("written since")
    assert [phase for phase in phases(scene.migrate()) if phase in READ_ONLY] == list(READ_ONLY)
    require_moved(scene, "written since")


def test_the_way_back_brings_what_was_written_meanwhile(scene: Scene) -> None:
    scene.migrate()
    scene.new.write("written at the new place")
    report = scene.migrate(never_both(scene), back=True)
    assert report.error == ""
    assert phases(report) == list(BACKWARDS)
    assert report.compared == {APPLICATION: ()}
    assert report.read_only is not None
    assert scene.new.is_closed
    require_as_before(scene, "written at the new place")
    assert not scene.sides.journal.exists()


def test_a_way_back_that_is_cut_off_goes_on_there_and_nowhere_else(scene: Scene) -> None:
    scene.migrate()
    scene.new.write("written at the new place")
    for phase in BACKWARDS:
        with pytest.raises(Cut):
            scene.migrate(cut_at(StepFinished, phase), back=True)
        with pytest.raises(FedikitError, match="on its way back"):
            scene.plan()
        assert not (scene.old.serves and scene.new.serves), phase
    assert phases(scene.migrate(back=True)) == ["verify"]
    require_as_before(scene, "written at the new place")


def test_a_way_back_that_fails_has_the_new_side_serve_again(scene: Scene) -> None:
    scene.migrate()
    scene.new.write("written at the new place")
    signed = scene.old.sign("differs")
    report = scene.migrate(back=True)
    assert report.advice == "new serves again, as before; do the same again"
    assert (scene.new.serves, scene.old.serves) == (True, False)
    scene.new.write("and more")
    signed.unlink()
    assert scene.migrate(never_both(scene), back=True).error == ""
    require_as_before(scene, "and more")


def test_a_plan_that_was_overtaken_is_not_carried_out(scene: Scene) -> None:
    plan = scene.plan()
    scene.migrate(rehearse=True)
    with pytest.raises(StalePlan, match="has gone on since"):
        apply_migration(plan, scene.sides)


def test_a_migration_that_is_at_work_is_not_begun_twice(scene: Scene) -> None:
    plan, refused = scene.plan(), list[str]()

    def tell(event: Event) -> None:
        if event == StepStarted(step="copy"):
            with pytest.raises(FedikitError, match="being carried out already") as caught:
                apply_migration(plan, scene.sides)
            refused.append(caught.value.hint)

    assert scene.migrate(tell).error == ""
    assert refused
