"""Disks that are full in a phase of a migration: the old side's, the new side's, the repository's, the deployer's.

Each time a sentence says so, one side serves, and the same again ends it once there is room.
"""

import errno
import os
import tempfile

import pytest

from fedikit.data.migration.journal import read_journal
from fedikit.errors import FedikitError
from fedikit.events import Event, StepStarted
from fedikit.results.migration import Phase
from tests.data.migration.full import SmallDisk, agents_that_look, fills, frees
from tests.data.migration.real import RealScene
from tests.data.migration.scene import Scene
from tests.data.migration.test_phases import never_both, require_one_serves
from tests.data.migration.test_real import real  # noqa: F401
from tests.remote.conftest import staged  # noqa: F401

NO_ROOM = "no space left|no room left|disk is full"
SERVES_AGAIN = "old serves again, as before; do the same again"
SERVES = "old serves as before; do the same again"


@pytest.mark.parametrize(
    ("place", "folders", "phases"),
    [
        ("old", (), {"copy": SERVES, "close": SERVES_AGAIN, "differences": SERVES_AGAIN}),
        ("old", ("/srv/backups",), {"copy": SERVES, "differences": SERVES_AGAIN}),
        ("new", (), {"stage": SERVES, "copy": SERVES, "differences": SERVES_AGAIN}),
    ],
)
def test_a_host_without_room_has_the_old_side_serve_until_there_is_some(
    real: RealScene,  # noqa: F811
    place: str,
    folders: tuple[str, ...],
    phases: dict[Phase, str],
) -> None:
    side = getattr(real, place)
    real.post()
    with agents_that_look():
        for phase, advice in phases.items():
            report = real.migrate(fills(side, phase, *folders))
            assert (report.phases[-1].phase, report.advice) == (phase, advice), report
            assert any(words in report.error.lower() for words in NO_ROOM.split("|")), report.error
            real.require_never_both()
            assert real.old.is_open
            real.post()
            frees(side)
        assert real.migrate().error == ""
    real.require_all_is_there(real.new)


@pytest.mark.parametrize(("place", "phase"), [("new", "start"), ("old", "names")])
def test_once_the_new_side_may_have_been_written_to_it_waits_for_room(
    real: RealScene,  # noqa: F811
    place: str,
    phase: Phase,
) -> None:
    real.post()
    side = getattr(real, place)
    with agents_that_look():
        report = real.migrate(fills(side, phase))
        assert "old is closed, and new may have been written to: mend it, and do the same again" in report.advice
        assert any(words in report.error.lower() for words in NO_ROOM.split("|")), report.error
        assert not real.old.is_open
        frees(side)
        assert real.migrate().error == ""
    real.require_all_is_there(real.new)


@pytest.mark.parametrize("phase", ["stage", "close", "differences"])
def test_a_deployer_without_room_for_its_journal_has_the_old_side_serve(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    disk = SmallDisk(scene.sides.journal.parent, monkeypatch)
    report = scene.migrate(disk.fills(phase))
    assert "how far the migration has come cannot be written down" in report.error
    assert report.advice in (SERVES, SERVES_AGAIN)
    require_serves(scene)
    assert not list(scene.sides.journal.parent.glob(".*.room"))
    disk.is_full = False
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "the first words")


def require_serves(scene: Scene) -> None:
    assert (scene.old.serves, scene.old.is_closed, scene.new.serves) == (True, False, False)


@pytest.mark.parametrize("phase", ["open", "start"])
def test_a_deployer_without_room_later_says_so_and_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    disk = SmallDisk(scene.sides.journal.parent, monkeypatch)
    report = scene.migrate(disk.fills(phase))
    assert "how far the migration has come cannot be written down" in report.error
    if phase == "open":
        require_serves(scene)
        assert report.advice == SERVES_AGAIN
    else:
        assert "may have been written to" in report.advice
        assert not scene.old.serves
    disk.is_full = False
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "the first words")


def test_without_room_for_a_journal_nothing_is_begun(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SmallDisk(scene.sides.journal.parent, monkeypatch)
    disk.is_full = True
    with pytest.raises(FedikitError, match="cannot be written down") as caught:
        scene.migrate()
    assert "room" in caught.value.hint
    assert read_journal(scene.sides.journal) is None
    require_serves(scene)


def test_a_deployer_without_room_for_what_it_needs_meanwhile_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/fedikit-way-x")

    def tell(event: Event) -> None:
        if event == StepStarted(step="differences"):
            monkeypatch.setattr(tempfile, "TemporaryDirectory", full)

    report = scene.migrate(tell)
    assert "No space left on device: '/tmp/fedikit-way-x'" in report.error
    assert report.advice == SERVES_AGAIN
    require_serves(scene)
