"""Several applications of one migration: side by side, each host with one after the other, and all or none switched."""

import json
import threading

import pytest

from fedikit.data.migration.abreast import AT_A_TIME, Turns, for_each
from fedikit.data.migration.sides import Pair
from fedikit.errors import FedikitError, HostError, StalePlan
from fedikit.events import Event, ItemFinished, ItemStarted, StepStarted
from tests.data.migration.scene import APPLICATION, Scene, Side, lend

OTHER = "pixelfed"
BOTH = [APPLICATION, OTHER]
PAIRS = [Pair(name, "old", "new") for name in BOTH]
PATIENCE = 60.0


@pytest.fixture
def several(scene: Scene) -> Scene:
    """Both applications serve on the old side's one host."""
    for side in (scene.old, scene.new):
        side.applications = BOTH
    file = scene.old.machine.path(f"/srv/{OTHER}/pictures")
    file.parent.mkdir()
    file.write_text("the first picture")
    assert scene.old.stage.bring(scene.old.wanted).succeeded
    lend(scene.old, scene.new, OTHER)
    lend(scene.new, scene.old, OTHER)
    return scene


def running(side: Side) -> list[str]:
    units = json.loads(side.machine.path("/run/simulated-systemd.json").read_text())
    return [name for name in BOTH if units.get(f"{name}.service", {}).get("active") == "active"]


def test_all_of_them_leave_and_no_host_works_on_two_at_once(several: Scene) -> None:
    told: list[Event] = []
    guard = threading.Lock()

    def tell(event: Event) -> None:
        with guard:
            told.append(event)

    report = several.migrate(tell)
    assert (report.error, report.compared) == ("", dict.fromkeys(BOTH, ()))
    assert set(several.journal.copied) == set(several.journal.closed) == set(BOTH)
    assert (running(several.old), running(several.new)) == ([], BOTH)
    assert several.new.machine.path(f"/srv/{OTHER}/pictures").read_text() == "the first picture"
    for host in ("here", "there"):
        items = [e for e in told if isinstance(e, ItemStarted | ItemFinished) and e.host == host and " " in e.item]
        assert {event.item.split()[0] for event in items} == set(BOTH)
        starts, ends = items[::2], items[1::2]
        assert [(type(e), e.item) for e in starts] == [(ItemStarted, e.item) for e in ends], "one ends before another"


def test_one_that_fails_lets_the_other_end_and_the_old_side_serve_both_again(several: Scene) -> None:
    ended: list[str] = []

    def tell(event: Event) -> None:
        if event == StepStarted(step="differences"):
            ended.clear()
            several.old.machine.path(f"/srv/backups/{APPLICATION}/password").write_text("another")
        if isinstance(event, ItemFinished) and event.action == "restore":
            ended.append(event.item)

    report = several.migrate(tell)
    assert report.phases[-1].phase == "differences"
    assert report.error.startswith(f"{APPLICATION}: there: ")
    assert ended == [f"{OTHER} volume:/srv/{OTHER}"]
    assert report.compared == {OTHER: ()}
    assert report.advice == "old serves again, as before; do the same again"
    assert (running(several.old), running(several.new)) == (BOTH, [])


def test_a_repository_that_cannot_be_reached_is_seen_before_anything_closes(several: Scene) -> None:
    def tell(event: Event) -> None:
        if event == StepStarted(step="close"):
            several.old.machine.path(f"/srv/backups/{OTHER}/keys").rename(several.old.machine.path("/srv/elsewhere"))

    report = several.migrate(tell)
    assert (report.phases[-1].phase, report.phases[-1].failed) == ("close", True)
    assert f"{OTHER}: there is no repository at " in report.error
    assert several.journal.closed_at is None
    assert report.advice == "old serves as before; do the same again"
    assert running(several.old) == BOTH


def test_the_same_is_done_for_each_at_once() -> None:
    all_there = threading.Barrier(2, timeout=PATIENCE)

    def act(pair: Pair) -> str:
        all_there.wait()
        return pair.application.upper()

    assert for_each(PAIRS, act) == {APPLICATION: "MASTODON", OTHER: "PIXELFED"}
    assert for_each([], act) == {}
    assert AT_A_TIME == 4


def test_each_that_fails_is_named_and_what_is_to_be_done_said_once() -> None:
    def act(pair: Pair) -> None:
        raise HostError("old", "its disk is full", hint="make room")

    with pytest.raises(FedikitError) as caught:
        for_each(PAIRS, act)
    assert caught.value.message == "mastodon: old: its disk is full; pixelfed: old: its disk is full"
    assert caught.value.hint == "make room"


def test_the_failure_of_the_only_one_is_what_it_was() -> None:
    def act(pair: Pair) -> None:
        raise StalePlan("old", "has moved")

    with pytest.raises(StalePlan):
        for_each(PAIRS[:1], act)


def test_what_waits_for_its_turn_on_a_host_waits_for_that_host_only(several: Scene) -> None:
    turns, passed = Turns(), threading.Event()
    old, new = several.old.wanted, several.new.wanted

    def wait_for_turn() -> None:
        with turns.on(old, "here"):
            passed.set()

    thread = threading.Thread(target=wait_for_turn)
    with turns.on(old, "here"):
        thread.start()
        with turns.on(new, "here"):
            assert not passed.is_set()
    thread.join(PATIENCE)
    assert passed.is_set()
