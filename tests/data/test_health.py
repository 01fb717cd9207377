"""How it is about backups, as hosts noted it: old ones, failed ones, and what no host should say."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fedikit.data.backups import make_backup
from fedikit.display.drawing import lines_of
from fedikit.model.check import BackupIsYoung
from fedikit.results.backup import BackupHealth
from fedikit.results.status import Status
from fedikit.status import read_status
from tests.data.scene import Scene
from tests.remote.conftest import Stage, stage, staged  # noqa: F401


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    return Scene(stage, ["mastodon"])


def status_of(scene: Scene) -> Status:
    return read_status(scene.stage.environment, health=True)


def backups_of(scene: Scene) -> BackupHealth:
    (backups,) = status_of(scene).hosts["one"].backups
    return backups


def told(scene: Scene) -> str:
    return "\n".join(lines_of(status_of(scene), 300))


def note(scene: Scene, **about: Any) -> None:
    whole = json.loads(scene.record("mastodon").read_text())
    scene.record("mastodon").write_text(json.dumps(whole | about))


def ago(**span: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"


def set_up(scene: Scene, **span: float) -> None:
    since = scene.record("mastodon").with_name("since")
    since.parent.mkdir(parents=True, exist_ok=True)
    since.touch()
    when = (datetime.now(UTC) - timedelta(**span)).timestamp()
    os.utime(since, (when, when))


def test_a_young_backup_is_well_and_its_age_is_told(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    assert status_of(scene).is_well
    assert "backup of mastodon" in told(scene)


def test_an_old_backup_is_seen(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    newest = json.loads(scene.record("mastodon").read_text())["newest"]
    note(scene, newest={**newest, "ended": ago(hours=31)})
    assert not status_of(scene).is_well
    assert "✗ backups of mastodon: the newest is 31 hours old, and should be of the last 26" in told(scene)


def test_how_old_it_may_be_is_the_deployments_word(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    newest = json.loads(scene.record("mastodon").read_text())["newest"]
    note(scene, newest={**newest, "ended": ago(hours=31)})
    check = BackupIsYoung(application="mastodon", host="one", max_age_hours=48)
    assert read_status(scene.wanted.model_copy(update={"checks": (check,)}), health=True).is_well


@pytest.mark.parametrize(("hours", "is_well"), [(1, True), (30, False)])
def test_none_yet_is_ill_only_once_the_first_was_due(scene: Scene, hours: float, is_well: bool) -> None:
    set_up(scene, hours=hours)
    assert backups_of(scene).is_well is is_well
    assert ("there is none yet" in told(scene)) is not is_well


def test_a_failed_attempt_is_seen_though_the_newest_is_young(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    scene.sign("fails", "the repository \u202e\x1b[31mis gone")
    assert not make_backup(scene.wanted).succeeded
    assert "✗ backups of mastodon: failed: volume:/srv/mastodon: the repository" in told(scene)
    assert "\x1b" not in told(scene)
    assert "\u202e" not in told(scene)


def test_what_cannot_be_read_any_more_in_the_repository_is_seen(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    note(scene, check={"ended": ago(hours=1), "failed": True, "error": "a pack is damaged"})
    assert "✗ backups of mastodon: cannot all be read: a pack is damaged" in told(scene)


def test_a_backup_of_the_future_is_no_good_sign(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    newest = json.loads(scene.record("mastodon").read_text())["newest"]
    note(scene, newest={**newest, "ended": ago(hours=-50)})
    assert "from the future" in told(scene)


@pytest.mark.parametrize("nonsense", ["{", "[]", '{"newest": 3}', '{"newest": {"id": "../.."}}', "[" * 100_000])
def test_a_record_that_is_none_is_said_to_be_unreadable(scene: Scene, nonsense: str) -> None:
    assert make_backup(scene.wanted).succeeded
    scene.record("mastodon").write_text(nonsense)
    assert backups_of(scene).error == "what the host noted of them cannot be read"
    assert not status_of(scene).is_well


@pytest.mark.parametrize(("journal", "named"), [('{"backup": "20261127T023000Z-1a2b3c4d"}', "1a2b3c4d"), ("{", "")])
def test_a_restore_that_was_cut_off_is_seen(scene: Scene, journal: str, named: str) -> None:
    assert make_backup(scene.wanted).succeeded
    scene.record("mastodon").with_name("journal.json").write_text(journal)
    assert f"{named} has not ended: if nobody is at it, run fedikit restore again" in told(scene).replace(
        "a backup", ""
    )
    assert not status_of(scene).is_well


def test_a_proof_that_failed_is_seen_whoever_asks_for_proofs(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    note(scene, proof={"ended": ago(days=1), "failed": True})
    assert not status_of(scene).is_well
    assert f"✗ backups of mastodon: the proof of {day(1)} failed" in told(scene)


@pytest.mark.parametrize(
    ("proof_days", "ended", "words"),
    [
        (0, 400, ""),
        (30, 29, ""),
        (30, 31, "proven 31 days ago, which should be within 30 days"),
        (30, -2, "the proof is from the future"),
    ],
)
def test_a_proof_may_be_as_old_as_the_environment_says(scene: Scene, proof_days: int, ended: float, words: str) -> None:
    assert make_backup(scene.wanted).succeeded
    note(scene, proof={"ended": ago(days=ended), "failed": False})
    wanted = scene.wanted.model_copy(update={"proof_days": proof_days})
    (backups,) = read_status(wanted, health=True).hosts["one"].backups
    assert backups.doubt.startswith(words)
    assert backups.is_well is not bool(words)


@pytest.mark.parametrize(("days", "is_well"), [(29, True), (31, False)])
def test_the_first_proof_is_due_once_backups_have_been_made_for_so_long(
    scene: Scene, days: float, is_well: bool
) -> None:
    assert make_backup(scene.wanted).succeeded
    set_up(scene, days=days)
    (backups,) = read_status(scene.wanted.model_copy(update={"proof_days": 30}), health=True).hosts["one"].backups
    assert backups.doubt == ("" if is_well else "never proven, which should be within 30 days")


def test_when_it_was_proven_is_told_where_all_is_well(scene: Scene) -> None:
    assert make_backup(scene.wanted).succeeded
    note(scene, proof={"ended": ago(days=3), "failed": False})
    assert f", proven {datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}" in told(scene)


def day(ago: float) -> str:
    return f"{datetime.now(UTC) - timedelta(days=ago):%d %b %Y}"


def test_no_link_is_followed_to_a_record(scene: Scene) -> None:
    set_up(scene, hours=1)
    scene.record("mastodon").symlink_to(scene.machine.path("/etc/passwd"))
    assert backups_of(scene).newest is None


def test_without_the_policy_nothing_is_said_of_backups(stage: Stage) -> None:  # noqa: F811
    scene = Scene(stage, [])
    assert "backup" not in told(scene)
