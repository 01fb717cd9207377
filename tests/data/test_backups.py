"""Backups that hosts are asked for, over hosts that are directories: the real agent, a stand-in for the program."""

import json
import threading
import time
from pathlib import Path

import pytest

from fedikit.data.backups import list_backups, make_backup
from fedikit.display.drawing import lines_of
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.events import Event, ItemFinished, ItemStarted
from fedikit.plan import make_plan, make_removal
from fedikit.results.backups_left import backups_left_by
from tests.data.scene import Scene, settings_of
from tests.remote.conftest import Stage, Staged, stage, staged  # noqa: F401


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    return Scene(stage)


def drawn(value: object) -> str:
    return "\n".join(lines_of(value, 200))


def test_a_backup_now_tells_each_part_and_ends_with_figures(scene: Scene) -> None:
    told: list[Event] = []
    report = make_backup(scene.wanted, tell=told.append)
    assert report.succeeded, report
    assert [one.application for one in report.applications] == ["mastodon", "pixelfed"]
    parts = [(type(event), event.item) for event in told if isinstance(event, ItemStarted | ItemFinished)]
    assert parts[:2] == [
        (ItemStarted, "mastodon volume:/srv/mastodon"),
        (ItemFinished, "mastodon volume:/srv/mastodon"),
    ]
    made = report.applications[0].backup
    assert made
    assert (made.bytes, made.added) == (15, 7)
    assert [(part.bytes, part.counts) for part in made.parts] == [(15, {"files": 1})]
    assert list_backups(scene.wanted).applications[0].backups[0].reason == "now"
    assert "2 backups: 30 B, of which 14 B were new." in drawn(report)
    assert "volume:/srv/mastodon  1 file" in drawn(report)


def test_only_the_application_that_is_named_is_backed_up(scene: Scene) -> None:
    assert make_backup(scene.wanted, ["pixelfed"]).succeeded
    kept = list_backups(scene.wanted)
    assert [(one.application, len(one.backups)) for one in kept.applications] == [("mastodon", 0), ("pixelfed", 1)]


def test_a_list_tells_age_size_parts_and_what_failed_last(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    scene.sign("fails", "the disk is on fire")
    assert not make_backup(scene.wanted, ["mastodon"]).succeeded
    text = drawn(list_backups(scene.wanted))
    assert "the last attempt failed: volume:/srv/mastodon: the disk is on fire" in text
    assert "15 B" in text
    assert "! the manifest 12345678 cannot be read" in text
    assert "1 part" in text
    assert list_backups(scene.wanted).applications[0].last != list_backups(scene.wanted).applications[1].last


def test_a_backup_that_fails_is_told_with_the_part_and_the_others_go_on(scene: Scene) -> None:
    scene.machine.path("/srv/mastodon/posts").unlink()
    scene.machine.path("/srv/mastodon").rmdir()
    report = make_backup(scene.wanted)
    assert [one.outcome for one in report.applications] == ["failed", "changed"]
    assert "exit status 1" in report.applications[0].error


def test_whoever_is_at_work_already_is_named(scene: Scene) -> None:
    scene.sign("busy")
    report = make_backup(scene.wanted, ["mastodon"])
    assert "has been at work since 02:30" in report.applications[0].error


def test_a_program_that_is_killed_is_told_in_words(scene: Scene) -> None:
    scene.sign("dies")
    report = make_backup(scene.wanted, ["mastodon"])
    assert "ended with exit status -9" in report.applications[0].error


def test_a_host_without_backups_says_what_is_missing(stage: Stage) -> None:  # noqa: F811
    with pytest.raises(FedikitError, match=r"no policies\.backup"):
        make_backup(stage.wants())
    wanted = stage.wants(one=[settings_of("mastodon")])  # wanted, but not applied
    error = make_backup(wanted).applications[0].error
    assert "policies.backup is missing, or was not applied yet" in error
    assert "then apply" in error


def test_what_left_the_configuration_has_no_backups_any_more(scene: Scene) -> None:
    assert scene.stage.bring(scene.wants(settings_of("mastodon"))).succeeded
    report = make_backup(scene.wanted)
    assert [one.outcome for one in report.applications] == ["changed", "failed"]


def test_an_application_that_nobody_knows_is_a_mistake_with_its_name(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match='did you mean "mastodon"'):
        make_backup(scene.wanted, ["mastodn"])


def test_a_backup_does_not_keep_an_apply_waiting(scene: Scene) -> None:
    waits = scene.sign("waits")
    reports: list[object] = []
    at_work = threading.Thread(target=lambda: reports.append(make_backup(scene.wanted, ["mastodon"])))
    at_work.start()
    try:
        assert scene.stage.bring(scene.wanted).succeeded
        assert make_plan(scene.wanted).is_noop
        assert not reports
    finally:
        waits.unlink()
        at_work.join()


def test_a_backup_goes_on_when_its_deployer_is_gone(scene: Scene) -> None:
    waits = scene.sign("waits")

    def leave(event: Event) -> None:
        if isinstance(event, ItemStarted):
            threading.Timer(0.3, waits.unlink).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_backup(scene.wanted, ["mastodon"], tell=leave)
    deadline = time.monotonic() + 20
    while not list(scene.machine.path("/srv/backups").glob("mastodon/*/manifest.json")):
        assert time.monotonic() < deadline, "the backup did not go on"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("no JSON at all\n", "said nothing"),
        ("[" * 100_000 + "\n", "said nothing"),
        (json.dumps({"event": "done", "backups": "none"}) + "\n", "spoke nonsense"),
        (json.dumps({"event": "done", "backups": [{"id": "../../x"}]}) + "\n", "spoke nonsense"),
        (json.dumps({"event": "done"}) + "\n", "spoke nonsense"),
    ],
)
def test_whatever_the_program_says_is_that_hosts_failure(scene: Scene, words: str, said: str) -> None:
    scene.sign("speaks", words)
    (told, _) = list_backups(scene.wanted).applications
    assert said in told.error


def test_a_record_that_is_a_link_or_nonsense_harms_nothing(scene: Scene, tmp_path: Path) -> None:
    assert make_backup(scene.wanted).succeeded
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(scene.record("mastodon").read_text())
    scene.record("mastodon").unlink()
    scene.record("mastodon").symlink_to(elsewhere)
    scene.record("pixelfed").write_text('{"last": {"ended": "9999-99-99"}}')
    kept = list_backups(scene.wanted)
    assert not kept.has_errors
    assert [one.last for one in kept.applications] == [None, None]


@pytest.mark.parametrize("purge", [False, True])
def test_a_removal_says_that_backups_stay_and_how_they_go(scene: Scene, purge: bool) -> None:
    plan = make_removal(scene.stage.environment, purge=purge)
    assert backups_left_by(plan)[0] in drawn(plan)
    assert [words.partition(" stay in the repository")[0] for words in backups_left_by(plan)] == [
        "the backups of pixelfed on one",
        "the backups of mastodon on one",
    ]
    assert "until its folder is deleted there" in drawn(plan)
    assert backups_left_by(make_plan(scene.wanted)) == []


def test_what_is_to_be_known_of_the_repository_is_shown(scene: Scene) -> None:
    scene.sign("notes", "it lets nothing be deleted")
    assert "! it lets nothing be deleted" in drawn(make_backup(scene.wanted, ["mastodon"]))
    assert "! it lets nothing be deleted" in drawn(list_backups(scene.wanted, ["mastodon"]))
