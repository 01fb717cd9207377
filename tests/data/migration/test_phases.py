"""The phases of a migration, cut off anywhere and failing anywhere: never do both sides serve, nor is anything lost."""

from collections.abc import Sequence
from typing import Any

import pytest

from fedikit.data.backups import list_backups
from fedikit.data.migration.carrying_out import apply_migration
from fedikit.data.migration.hands import Hands
from fedikit.data.migration.sides import Pair
from fedikit.errors import FedikitError, StalePlan
from fedikit.events import Event, ItemStarted, StepFinished, StepStarted, Tell
from fedikit.results.migration import BACKWARDS, PHASES, REHEARSED, MigrationReport, Phase
from tests.data.migration.scene import APPLICATION, VOLUME, Cut, Scene, Side, cut_at


def phases(report: MigrationReport) -> list[str]:
    return [done.phase for done in report.phases]


def require_one_serves(scene: Scene, serving: Side, words: str) -> None:
    """This side serves, with these words, and the other one is closed."""
    other = scene.new if serving is scene.old else scene.old
    assert (serving.serves, other.serves) == (True, False)
    assert (serving.is_closed, other.is_closed) == (False, True)
    assert serving.read() == words


def never_both(scene: Scene) -> Tell:
    def tell(event: Event) -> None:
        if isinstance(event, StepStarted | StepFinished):
            assert not (scene.old.serves and scene.new.serves), event

    return tell


def as_it_closes(scene: Scene, words: str) -> Tell:
    """Somebody writes just before the old side is closed."""

    def tell(event: Event) -> None:
        if event == StepStarted(step="close"):
            scene.old.write(words)
        never_both(scene)(event)

    return tell


def cut_off_in_each(scene: Scene, order: Sequence[Phase], **how: bool) -> None:
    """When its work is done and not yet written down: so each is done twice."""
    for number, phase in enumerate(order):
        plan = scene.plan(**how)
        is_closed = "close" in order[: number - 1] if number else False
        assert (plan.left, plan.has_errors) == (tuple(order[number - 1 :]) if is_closed else tuple(order), False)
        with pytest.raises(Cut):
            apply_migration(plan, scene.sides, names_seconds=0, tell=cut_at(StepFinished, phase))
        assert not (scene.old.serves and scene.new.serves), phase


def test_an_application_leaves_with_what_was_written_last_and_comes_back_with_what_was_written_since(
    scene: Scene,
) -> None:
    report = scene.migrate(as_it_closes(scene, "the last words"))
    assert (report.error, phases(report), report.compared) == ("", list(PHASES), {APPLICATION: ()})
    assert report.read_only
    assert scene.new.state("followed").exists()
    require_one_serves(scene, scene.new, "the last words")
    assert scene.plan().is_noop

    scene.new.write("written at the new place")
    back = scene.migrate(never_both(scene), back=True)
    assert (back.error, phases(back), back.compared) == ("", list(BACKWARDS), {APPLICATION: ()})
    assert back.read_only
    require_one_serves(scene, scene.old, "written at the new place")
    assert not scene.sides.journal.exists()


def test_cut_off_in_every_phase_it_goes_on_there_each_time_on_both_ways(scene: Scene) -> None:
    cut_off_in_each(scene, PHASES)
    assert phases(scene.migrate()) == ["afterwards"]
    require_one_serves(scene, scene.new, "the first words")

    scene.new.write("written at the new place")
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepStarted, "close"), back=True)
    with pytest.raises(FedikitError, match="cannot be rehearsed any more"):
        scene.plan(rehearse=True)  # it would copy over what was written
    cut_off_in_each(scene, BACKWARDS, back=True)
    with pytest.raises(FedikitError, match="on its way back"):
        scene.plan()
    assert phases(scene.migrate(back=True)) == ["afterwards"]
    require_one_serves(scene, scene.old, "written at the new place")


def test_what_fails_before_the_new_side_opens_has_the_old_one_serve_again(scene: Scene) -> None:
    """And the switch begins anew: what is written meanwhile comes along the next time."""
    differs = scene.new.sign("differs")
    report = scene.migrate(never_both(scene))
    assert (report.phases[-1].phase, report.phases[-1].failed) == ("differences", True)
    assert "1 file too many" in report.error
    assert report.advice == "old serves again, as before; do the same again"
    require_one_serves(scene, scene.old, "the first words")
    assert scene.journal.closed_at is None

    def fails_as_it_closes(event: Event) -> None:
        if event == StepStarted(step="close"):
            scene.old.sign("fails")

    unclosed = scene.migrate(fails_as_it_closes)
    assert (unclosed.phases[-1].phase, unclosed.phases[-1].failed) == ("close", True)
    assert unclosed.error.startswith("here: ")
    require_one_serves(scene, scene.old, "the first words")

    scene.old.machine.path("/run/data-fails").unlink()
    scene.old.sign("opens-not")
    stuck = scene.migrate(never_both(scene))
    assert "old is closed, and could not be opened again: here: its door cannot be opened" in stuck.advice
    assert (scene.old.serves, scene.new.serves) == (False, False)

    differs.unlink()
    scene.old.write("written since")
    again = scene.migrate(never_both(scene))
    assert (again.error, phases(again)) == ("", list(PHASES)), "it may have opened after all"
    require_one_serves(scene, scene.new, "written since")


def test_what_fails_once_people_may_write_to_the_side_that_is_come_to_leaves_the_other_closed(scene: Scene) -> None:
    scene.new.program = "false"
    report = scene.migrate(never_both(scene))
    assert (report.phases[-1].phase, report.phases[-1].failed) == ("start", True)
    assert "new could not be set up: there: " in report.error
    assert "old is closed, and new may have been written to" in report.advice
    assert "fedikit migrate --back" in report.advice
    assert (scene.old.is_closed, scene.old.serves) == (True, False)
    assert scene.plan().left[0] == "start"

    scene.new.mend()
    scene.old.sign("differs")
    back = scene.migrate(never_both(scene), back=True)
    assert (back.phases[-1].phase, back.phases[-1].failed) == ("differences", True)
    assert back.advice == "new serves again, as before; do the same again"
    assert scene.old.is_closed
    assert scene.plan().left[0] == "start", "what was left to do there is left to do still"


def test_a_rehearsal_closes_nothing_and_says_how_long_it_would_take(scene: Scene) -> None:
    report = scene.migrate(never_both(scene), rehearse=True)
    predicted = ["close", "differences", "open", "start"]
    assert (report.error, phases(report)) == ("", [*REHEARSED, *predicted])
    assert report.compared == {APPLICATION: ()}
    assert report.predicted
    assert report.read_only is None
    require_one_serves(scene, scene.old, "the first words")
    plan = scene.plan()
    assert (plan.left, plan.predicted) == (PHASES, report.predicted), "what was copied may be old by then"
    assert scene.plan(rehearse=True).left == REHEARSED


def test_what_a_rehearsal_measures_goes_by_a_way_that_is_open_already_as_the_differences_do(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open it is no part of what nobody can write for."""
    opened: list[bool] = []
    bring = Hands.bring

    def watched(self: Hands, pair: Pair, *sides: Any) -> tuple[str, ...]:
        opened.append(pair.application in self._ways)
        return bring(self, pair, *sides)

    monkeypatch.setattr(Hands, "bring", watched)
    for rehearse in (True, False):
        assert scene.migrate(rehearse=rehearse).error == ""
        assert opened == [False, True], "the first copy opens its own"
        opened.clear()


def test_the_way_back_before_the_new_side_served_just_opens_the_old_one(scene: Scene) -> None:
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepFinished, "close"))
    with pytest.raises(FedikitError, match="the old side is closed") as caught:
        scene.plan(rehearse=True)
    assert "--back" in caught.value.hint
    report = scene.migrate(back=True)
    assert (report.error, phases(report)) == ("", ["reopen"])
    require_one_serves(scene, scene.old, "the first words")
    assert scene.plan().left == PHASES, "another try copies again before the switch"


def test_a_plan_that_was_overtaken_is_not_carried_out(scene: Scene) -> None:
    plan = scene.plan()
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepStarted, "stage"))
    with pytest.raises(StalePlan, match="has gone on since"):
        apply_migration(plan, scene.sides)


def test_a_migration_that_is_at_work_is_not_begun_twice(scene: Scene) -> None:
    plan = scene.plan()

    def tell(event: Event) -> None:
        with pytest.raises(FedikitError, match="being carried out already"):
            apply_migration(plan, scene.sides)
        raise Cut

    with pytest.raises(Cut):
        scene.migrate(tell)


def test_where_it_serves_now_it_is_backed_up_at_once_and_not_while_nobody_can_write(scene: Scene) -> None:
    """Nor does a backup that fails keep what is due from being done."""
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        if event == StepStarted(step="afterwards"):
            scene.new.sign("fails", "no space left on device")

    report = scene.migrate(tell)
    assert (report.phases[-1].phase, report.phases[-1].failed) == ("afterwards", True)
    assert "no space left on device" in report.error
    assert scene.new.state("followed").exists()
    require_one_serves(scene, scene.new, "the first words")

    scene.new.machine.path("/run/data-fails").unlink()
    assert phases(scene.migrate()) == ["afterwards"]
    (kept,) = list_backups(scene.new.wanted).applications
    assert len(kept.backups) == 1
    made = [event for event in told if isinstance(event, ItemStarted) and event.action == "backup"]
    of_new = next(event for event in made if event.host == "there" and VOLUME in event.item)
    assert told.index(of_new) > told.index(StepStarted(step="afterwards"))
