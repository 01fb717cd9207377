"""What happens in the middle of a migration: a cut where a side opens again, a hand on a host, another file."""

import time
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.closing import open_application
from fedikit.data.migration import hands
from fedikit.data.migration.journal import Journal, write_journal
from fedikit.errors import FedikitError
from fedikit.events import Event, StepFinished, StepStarted
from fedikit.results.migration import BACKWARDS, PHASES
from tests.data.migration.scene import APPLICATION, Cut, Scene, Side, cut_at
from tests.data.migration.test_phases import never_both, require_one_serves


def opened_and_cut(*words: Any, **options: Any) -> None:
    """The deployer is gone as soon as a host has opened an application, and before that is written down."""
    open_application(*words, **options)
    raise Cut


def test_cut_off_when_the_old_side_had_just_opened_again_it_is_closed_once_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs = scene.new.sign("differs")
    monkeypatch.setattr(hands, "open_application", opened_and_cut)
    with pytest.raises(Cut):
        scene.migrate()
    assert scene.old.serves
    assert scene.plan().left == PHASES
    monkeypatch.setattr(hands, "open_application", open_application)
    differs.unlink()
    scene.old.write("written since")
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "written since")


def test_cut_off_when_the_new_side_had_just_opened_again_it_is_closed_once_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scene.migrate().succeeded
    scene.old.sign("differs")
    monkeypatch.setattr(hands, "open_application", opened_and_cut)
    with pytest.raises(Cut):
        scene.migrate(back=True)
    assert scene.new.serves
    assert scene.plan(back=True).left == BACKWARDS


def test_what_somebody_opened_by_hand_is_not_left_behind(scene: Scene) -> None:
    """The journal says that it is closed, and the host knows better: people may have written there."""
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepFinished, "differences"))
    open_application(scene.old.wanted, "here", APPLICATION, migration=scene.journal.id, start=True)
    scene.old.write("written since")
    time.sleep(1.1)  # hosts tell times in seconds
    report = scene.migrate(never_both(scene))
    assert "somebody opened mastodon on here since it was closed" in report.error
    assert scene.old.serves
    assert scene.migrate(never_both(scene)).error == ""
    require_one_serves(scene, scene.new, "written since")


def test_a_repository_that_is_gone_in_the_window_has_the_old_side_serve_again(scene: Scene) -> None:
    folder = scene.old.machine.path(f"/srv/backups/{APPLICATION}")

    def tell(event: Event) -> None:
        if event == StepStarted(step="differences"):
            folder.rename(folder.with_name("elsewhere"))

    report = scene.migrate(tell)
    assert "the repository /srv/backups/mastodon can no longer be read: it is gone" in report.error
    assert report.advice == "old serves again, as before; do the same again"
    require_one_serves(scene, scene.old, "the first words")


def test_a_repository_that_is_gone_when_the_window_is_gone_on_with_has_the_old_side_serve_again(scene: Scene) -> None:
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepStarted, "differences"))
    keys = scene.old.machine.path(f"/srv/backups/{APPLICATION}/keys")
    keys.rename(keys.with_name("elsewhere"))
    report = scene.migrate()
    assert "there is no repository at /srv/backups/mastodon" in report.error
    assert report.advice == "old serves again, as before; do the same again"
    require_one_serves(scene, scene.old, "the first words")


def test_a_repository_that_is_gone_before_anything_closes_leaves_the_old_side_as_it_was(scene: Scene) -> None:
    keys = scene.old.machine.path(f"/srv/backups/{APPLICATION}/keys")

    def tell(event: Event) -> None:
        if event == StepStarted(step="copy"):
            keys.rename(keys.with_name("elsewhere"))

    report = scene.migrate(tell)
    assert "there is no repository at /srv/backups/mastodon" in report.error
    assert report.advice == "old serves as before; do the same again"
    require_one_serves(scene, scene.old, "the first words")


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_disk_that_is_full_in_the_window_has_the_old_side_serve_again(scene: Scene, side: str) -> None:
    full: Side = getattr(scene, side)

    def tell(event: Event) -> None:
        if event == StepStarted(step="differences"):
            full.sign("fails" if side == "old" else "is-full", "no space left on device")

    report = scene.migrate(tell)
    assert "no space left on device" in report.error
    assert report.advice == "old serves again, as before; do the same again"
    require_one_serves(scene, scene.old, "the first words")


def test_a_file_that_was_edited_meanwhile_sends_nothing_elsewhere(scene: Scene) -> None:
    with pytest.raises(Cut):
        scene.migrate(cut_at(StepFinished, "copy"))
    write_journal(scene.sides.journal, scene.journal.model_copy(update={"hosts": {APPLICATION: ("here", "elsewhere")}}))
    with pytest.raises(FedikitError, match="was to go from here to elsewhere, and now from here to there") as caught:
        scene.plan()
    assert "put the files back" in caught.value.hint


def test_a_journal_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    with pytest.raises(FedikitError, match="cannot be written down") as caught:
        write_journal(tmp_path / "full/journal.json", Journal(id="m1"))
    assert "room" in caught.value.hint
