"""Moves within one environment: data comes along, nothing ever serves twice, and what served leaves last."""

import shutil
from collections.abc import Callable

import pytest

from fedikit.data.migration.moving import apply_move
from fedikit.display.drawing import lines_of
from fedikit.errors import FedikitError
from fedikit.events import Event, StepFinished, StepStarted, Tell
from fedikit.plan import make_plan
from fedikit.results.migration import (
    BETWEEN_HOSTS,
    MOVING,
    ONCE_CLOSED,
    WHERE_NAMES_LEAD,
    WHILE_IT_SERVES,
    MigrationPlan,
    MigrationReport,
    Phase,
)
from tests.data.migration.move_scene import BUCKET, SERVED, House
from tests.data.migration.scene import APPLICATION, VOLUME, Cut, Side, cut_at
from tests.remote.conftest import Staged, staged  # noqa: F401

TO_ANOTHER_HOST = tuple(phase for phase in MOVING if phase not in ONCE_CLOSED)
ON_THE_SAME = tuple(phase for phase in MOVING if phase not in (*BETWEEN_HOSTS, *WHERE_NAMES_LEAD, *WHILE_IT_SERVES))


@pytest.fixture
def house(staged: Staged) -> House:  # noqa: F811
    return House(staged)


@pytest.fixture
def served(house: House) -> House:
    """What the second host keeps for the application is to be kept by the first from now on."""
    house.server = "two"
    assert house.stage.bring(house.wanted).succeeded
    house.server = "one"
    return house


def phases(report: MigrationReport) -> list[str]:
    return [done.phase for done in report.phases]


def when(step: str, act: Callable[[], object], house: House) -> Tell:
    """Has something happen as a phase begins; all the while, nothing serves twice."""

    def tell(event: Event) -> None:
        if event == StepStarted(step=step):
            act()
        house.never_both()(event)

    return tell


def require_closed(side: Side, why: str = "moved") -> None:
    """Visitors are told that it has moved, for as long as names may lead there."""
    assert side.is_closed
    assert f'"why": "{why}"' in side.state("closed.json").read_text()


def error_of(plan: MigrationPlan) -> str:
    (one,) = plan.applications
    assert plan.has_changes != plan.has_errors
    return one.error


def test_an_application_goes_to_another_host_with_what_was_written_last_and_comes_back(house: House) -> None:
    house.placed = "two"
    plan = house.plan()
    assert (error_of(plan), plan.left) == ("", TO_ANOTHER_HOST)
    assert "mastodon  one  → two" in "\n".join(lines_of(plan))

    report = house.move(when("close", lambda: house.one.write("the last words"), house))
    assert (report.error, phases(report), report.compared) == ("", list(TO_ANOTHER_HOST), {APPLICATION: ()})
    assert (house.one.serves, house.two.serves) == (False, True)
    assert house.two.read() == "the last words"
    assert house.one.read() == "the last words", "it is kept where it was"
    assert not house.two.is_closed
    assert make_plan(house.wanted).is_noop
    assert house.plan().is_noop

    house.two.write("written on the second")
    house.placed = "one"
    shutil.rmtree(house.one.state("closed.json").parent)  # as what made it does when it leaves
    back = house.move(when("verify", lambda: require_closed(house.two), house))
    assert back.error == ""
    assert (house.one.serves, house.two.serves) == (True, False)
    assert house.one.read() == "written on the second", "not what was kept there"


def test_what_another_host_keeps_for_it_is_put_back_where_it_begins_empty(served: House) -> None:
    """The application stays where it is, and is closed before anything begins empty."""

    def begin_empty() -> None:
        assert not served.one.serves
        assert served.one.is_closed
        shutil.rmtree(served.one.machine.path(VOLUME))

    plan = served.plan()
    assert (error_of(plan), plan.left) == ("", ON_THE_SAME)
    assert "stays on one, and its data goes elsewhere" in "\n".join(lines_of(plan))
    report = served.move(when("put-back", begin_empty, served))
    assert (report.error, phases(report), report.compared) == ("", list(ON_THE_SAME), {APPLICATION: ()})
    assert served.one.serves
    assert not served.one.is_closed
    assert served.one.read() == "the first words"
    assert served.one.machine.path(SERVED).is_dir()
    assert served.two.machine.path(SERVED).is_dir(), "it is kept where it was"
    assert make_plan(served.wanted).is_noop


def test_what_leaves_some_of_its_data_where_it_is_is_closed_before_anything_is_put_back(house: House) -> None:
    """A copy made while it serves would come over what is in use."""
    house.placed, house.elsewhere = "two", (BUCKET,)
    order = tuple(phase for phase in MOVING if phase not in WHILE_IT_SERVES)
    assert house.plan().left == order
    report = house.move(when("put-back", lambda: require_closed(house.one, "moving"), house))
    assert (report.error, phases(report), report.compared) == ("", list(order), {APPLICATION: ()})
    assert (house.one.serves, house.two.serves) == (False, True)
    assert house.two.read() == "the first words"


@pytest.mark.parametrize("name", ["house", "served"])
def test_cut_off_in_every_phase_it_goes_on_there(request: pytest.FixtureRequest, name: str) -> None:
    house: House = request.getfixturevalue(name)
    order = ON_THE_SAME if name == "served" else TO_ANOTHER_HOST
    house.placed = "one" if name == "served" else "two"
    for number, phase in enumerate(order):
        plan = house.plan()
        assert (error_of(plan), plan.left) == ("", order[max(0, number - 1) :])
        with pytest.raises(Cut):
            apply_move(plan, house.sides, names_seconds=0, tell=cut_at(StepFinished, phase))
        assert not (house.one.serves and house.two.serves), phase
    assert phases(house.move()) == [order[-1]]
    side = house.one if name == "served" else house.two
    assert side.serves
    assert side.read() == "the first words"


def test_what_fails_before_it_is_opened_elsewhere_has_it_serve_again_where_it_was(house: House) -> None:
    house.placed = "two"
    differs = house.two.sign("differs")
    report = house.move(house.never_both())
    assert report.phases[-1].phase == "differences"
    assert report.advice == "mastodon on one serves again, as before; do the same again"
    assert (house.one.serves, house.two.serves) == (True, False)
    assert house.journal
    assert house.journal.closed_at is None

    differs.unlink()
    house.one.write("written since")
    assert house.move(house.never_both()).error == ""
    assert house.two.read() == "written since"


def test_a_backup_that_fails_leaves_everything_as_it_was(served: House) -> None:
    fails = served.one.sign("fails", "the repository is full")
    report = served.move()
    assert report.phases[-1].phase == "close"
    fails.unlink()
    dies = served.one.sign("dies")
    report = served.move()
    assert report.phases[-1].phase == "save"
    assert served.one.serves
    assert not served.one.machine.path(SERVED).exists()
    dies.unlink()
    assert served.move().error == ""


def test_placing_it_back_ends_a_move_that_nobody_has_written_to(house: House) -> None:
    house.placed = "two"
    with pytest.raises(Cut):
        house.move(cut_at(StepFinished, "close"))
    assert not house.one.serves
    house.placed = "one"
    report = house.move()
    assert (report.error, phases(report)) == ("", ["reopen"])
    assert house.one.serves
    assert house.stage.bring(house.wanted).succeeded
    assert house.plan().is_noop


def test_placing_it_back_once_the_other_host_was_opened_is_refused(house: House) -> None:
    house.placed, house.two.program = "two", "false"
    report = house.move(house.never_both())
    assert report.phases[-1].phase == "start"
    assert "mastodon on two may have been written to, and nothing else serves" in report.advice
    house.placed = "one"
    with pytest.raises(FedikitError, match="has not ended") as caught:
        house.plan()
    assert 'place it on "two" again' in caught.value.hint
    house.placed, house.two.program = "two", "app"
    assert house.move(house.never_both()).error == ""


@pytest.mark.parametrize("phase", ["put-back", "verify"])
def test_another_server_for_what_was_put_back_on_one_is_refused_until_that_has_ended(
    house: House, phase: Phase
) -> None:
    """The application would be led to a bucket without what is in this one."""
    house.placed, house.elsewhere = "two", (BUCKET,)
    with pytest.raises(Cut):
        house.move(cut_at(StepFinished, phase))
    house.elsewhere = (BUCKET.model_copy(update={"endpoint": "https://s3.example.org"}),)
    with pytest.raises(FedikitError, match="bucket:media of mastodon is being moved to media at https:"):
        house.plan()
    house.elsewhere = (BUCKET,)
    assert house.move(house.never_both()).error == ""


def test_another_server_before_anything_was_put_back_is_where_it_is_put(house: House) -> None:
    house.placed, house.elsewhere = "two", (BUCKET,)
    with pytest.raises(Cut):
        house.move(cut_at(StepFinished, "save"))
    house.elsewhere = (BUCKET.model_copy(update={"endpoint": "https://s3.example.org"}),)
    report = house.move(house.never_both())
    assert (report.error, report.compared) == ("", {APPLICATION: ()})


def test_without_backups_it_says_that_data_travels_by_them(house: House) -> None:
    house.one.is_backed_up = house.two.is_backed_up = False
    assert house.stage.bring(house.wanted).succeeded
    house.placed = "two"
    assert "data travels by backups, and none are made of it where it is" in error_of(house.plan())


def test_a_host_that_is_down_is_named_with_what_helps_if_it_is_gone(house: House) -> None:
    house.placed = "two"
    shutil.rmtree(house.one.machine.root)
    house.one.machine.root.write_text("no directory any more")
    with pytest.raises(FedikitError, match="every host can be asked") as caught:
        house.plan()
    assert "docs/host-is-gone.md" in caught.value.hint


def test_a_plan_that_refuses_to_begin_empty_names_the_move(house: House) -> None:
    house.placed = "two"
    plan = make_plan(house.wanted)
    assert plan.is_refused
    (refused,) = plan.hosts["two"].refused
    assert "fedikit move brings it along" in refused
    assert "--consent mastodon" in refused


def test_an_apply_in_the_midst_of_a_move_does_not_take_away_what_alone_serves(house: House) -> None:
    house.placed = "two"
    with pytest.raises(Cut):
        house.move(cut_at(StepFinished, "copy"))
    plan = make_plan(house.wanted)
    assert plan.is_refused
    assert plan.hosts["one"].refused == (
        "mastodon is being moved from one to two, where it is closed: fedikit move goes on with that",
    )
    assert house.one.serves
    assert house.move(house.never_both()).error == ""
