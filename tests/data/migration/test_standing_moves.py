"""Moves of which the deployer knows nothing any more: told by what hosts have noted."""

import shutil

import pytest

from fedikit.data.migration.moving import apply_move
from fedikit.data.migration.planning_moves import make_move
from fedikit.errors import FedikitError
from fedikit.events import StepFinished
from fedikit.renaming import make_renaming, rename
from fedikit.results.migration import MOVING, ONCE_CLOSED, Phase
from tests.data.migration.exchange_scene import Exchange
from tests.data.migration.move_scene import SERVED, House
from tests.data.migration.scene import VOLUME, Cut, cut_at
from tests.remote.conftest import Staged, staged  # noqa: F401

BETWEEN = [phase for phase in MOVING if phase not in ONCE_CLOSED]
SWITCH = BETWEEN[BETWEEN.index("open") :]


@pytest.fixture
def house(staged: Staged) -> House:  # noqa: F811
    return House(staged)


def lose(scene: House | Exchange, phase: Phase) -> str:
    """Cuts it off after a phase, and loses its journal; what it was called."""
    with pytest.raises(Cut):
        scene.move(cut_at(StepFinished, phase))
    journal = scene.journal
    assert journal
    scene.sides.journal.unlink()
    return journal.id


def refused(house: House) -> FedikitError:
    with pytest.raises(FedikitError, match="of which nothing is known here") as caught:
        house.plan()
    return caught.value


@pytest.mark.parametrize("phase", ["stage", "differences"])
def test_a_lost_journal_is_said_and_another_move_takes_the_place_of_that_one(house: House, phase: Phase) -> None:
    house.placed = "two"
    lost = lose(house, phase)
    assert f"fedikit move --instead {lost}" in refused(house).hint
    if phase == "stage":
        house.one.write("written since")
    report = house.move(house.never_both(), instead=lost)
    assert (report.error, [done.phase for done in report.phases]) == ("", BETWEEN)
    assert (house.one.serves, house.two.serves) == (False, True)
    assert house.two.read() == ("written since" if phase == "stage" else "the first words")
    assert house.plan().is_noop


def test_where_it_was_opened_already_nothing_is_copied_over_what_was_written_there(house: House) -> None:
    house.placed = "two"
    lost = lose(house, "open")
    house.two.write("written at the new place")
    refused(house)
    report = house.move(house.never_both(), instead=lost)
    assert (report.error, [done.phase for done in report.phases]) == ("", SWITCH)
    assert house.two.read() == "written at the new place"


def test_placing_it_back_needs_no_journal_either(house: House) -> None:
    house.placed = "two"
    lost = lose(house, "differences")
    house.placed = "one"
    report = house.move(instead=lost)
    assert [done.phase for done in report.phases] == ["reopen"]
    assert house.one.serves


@pytest.mark.parametrize("phase", ["close", "parts"])
def test_what_was_saved_when_it_was_closed_is_put_back_and_not_what_has_begun_empty(house: House, phase: Phase) -> None:
    """From `parts` on the host looks at a database that begins."""
    house.server = "two"
    assert house.stage.bring(house.wanted).succeeded
    house.server = "one"
    lost = lose(house, phase)
    if phase == "parts":
        shutil.rmtree(house.one.machine.path(VOLUME))
        house.one.write("an empty one")
    report = house.move(instead=lost)
    assert report.error == ""
    assert house.one.serves
    assert house.one.read() == "the first words"
    assert house.one.machine.path(SERVED).is_dir()


def test_where_one_was_set_up_and_not_closed_yet_the_way_back_is_said(staged: Staged) -> None:  # noqa: F811
    """Which of its hosts has the newest data nobody has noted: neither is copied over the other."""
    exchange = Exchange(staged)
    former, exchange.placed = exchange.placed, {"mastodon": "two", "pixelfed": "one"}
    lost = lose(exchange, "stage")
    exchange.by_host["one"].machine.path("/var/lib/fedikit-data/pixelfed/closed.json").unlink()
    with pytest.raises(FedikitError, match="pixelfed is set up on one and on two, and closed on none") as caught:
        exchange.plan(instead=lost)
    assert "put the placement of all back" in caught.value.hint
    exchange.placed = former
    assert [done.phase for done in exchange.move(instead=lost).phases] == ["reopen"]
    assert exchange.stage.bring(exchange.wanted).succeeded
    assert (exchange.serving("mastodon"), exchange.serving("pixelfed")) == (["one"], ["two"])


def test_the_move_whose_place_was_taken_can_do_nothing_any_more(house: House) -> None:
    house.placed = "two"
    with pytest.raises(Cut):
        house.move(cut_at(StepFinished, "copy"))
    plan, journal = house.plan(), house.sides.journal.read_text()
    house.sides.journal.unlink()
    with pytest.raises(Cut):
        apply_move(house.plan(instead=plan.id), house.sides, names_seconds=0, tell=cut_at(StepFinished, "close"))
    house.sides.journal.write_text(journal)
    refused(house)
    with pytest.raises(FedikitError, match="of which nothing is known here"):
        apply_move(plan, house.sides, names_seconds=0)


def test_what_is_no_move_is_not_gone_on_with_as_one(house: House) -> None:
    with pytest.raises(FedikitError, match="is no move") as caught:
        make_move(house.sides, instead="20260101T000000Z-12345678")
    assert "fedikit migrate --instead 20260101T000000Z-12345678" in caught.value.hint


def test_an_environment_that_got_another_name_meanwhile_goes_on_with_what_its_hosts_know(house: House) -> None:
    house.placed = "two"
    with pytest.raises(Cut):
        house.move(cut_at(StepFinished, "close"))
    assert house.journal
    begun = house.journal.id
    house.stage.environment = house.stage.environment.model_copy(update={"name": "manor"})
    done = rename(house.stage.environment, make_renaming(house.stage.environment, "house"))
    assert {host.state for host in done.hosts.values()} == {"done"}
    assert f"fedikit move --instead {begun}" in refused(house).hint
    assert house.move(house.never_both(), instead=begun).error == ""
    assert (house.one.serves, house.two.serves) == (False, True)
