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
from fedikit.results.migration import MigrationReport, Phase
from tests.data.migration.full import SmallDisk, agents_that_look, fills, frees
from tests.data.migration.real import RealScene
from tests.data.migration.scene import Scene
from tests.data.migration.test_phases import never_both, require_one_serves
from tests.data.migration.test_real import real  # noqa: F401
from tests.remote.conftest import staged  # noqa: F401

NO_ROOM = ("no space left", "no room left", "disk is full")
SERVES_AGAIN = "old serves again, as before; do the same again"
SERVES = "old serves as before; do the same again"


BEFORE: list[tuple[str, Phase, tuple[str, ...], str]] = [
    ("new", "stage", (), SERVES),
    ("old", "copy", ("/srv/backups",), SERVES),
    ("old", "close", (), SERVES_AGAIN),
    ("old", "differences", (), SERVES_AGAIN),
    ("new", "differences", (), SERVES_AGAIN),
]
"""The side whose disk is full from that phase on, or which folders' disk alone; and what is said then."""
AFTER: list[tuple[str, Phase]] = [("new", "start"), ("old", "names")]
"""The same, once the new side may have been written to."""


def test_a_host_without_room_in_any_phase_says_so_and_the_same_again_ends_it(real: RealScene) -> None:  # noqa: F811
    with agents_that_look():
        for place, phase, folders, advice in BEFORE:
            real.post()
            report = failed_for_room(real, place, phase, folders)
            assert (report.phases[-1].phase, report.advice) == (phase, advice), report
            assert real.old.is_open
        for place, phase in AFTER:
            report = failed_for_room(real, place, phase)
            assert "old is closed, and new may have been written to: mend it, and do the same again" in report.advice
            assert not real.old.is_open
        assert real.migrate().error == ""
    real.require_all_is_there(real.new)


def failed_for_room(real: RealScene, place: str, phase: Phase, folders: tuple[str, ...] = ()) -> MigrationReport:  # noqa: F811
    """What came of it; then somebody makes room."""
    side = getattr(real, place)
    report = real.migrate(fills(side, phase, *folders))
    assert any(words in report.error.lower() for words in NO_ROOM), report.error
    real.require_never_both()
    frees(side)
    return report


@pytest.mark.parametrize("phase", ["copy", "differences"])
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


def test_a_deployer_without_room_as_the_new_side_opens_has_opened_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SmallDisk(scene.sides.journal.parent, monkeypatch)
    report = scene.migrate(disk.fills("open"))
    assert "how far the migration has come cannot be written down" in report.error
    assert report.advice == SERVES_AGAIN
    require_serves(scene)


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
        if event == StepStarted(step="close"):
            monkeypatch.setattr(tempfile, "TemporaryDirectory", full)

    report = scene.migrate(tell)
    assert "No space left on device: '/tmp/fedikit-way-x'" in report.error
    assert report.advice == SERVES
    require_serves(scene)
