"""Restores: planned, carried out application by application, over hosts that are directories."""

import threading

import pytest

from fedikit.data import carrying_out
from fedikit.data.backups import make_backup
from fedikit.data.carrying_out import apply_restore
from fedikit.data.planning import make_restore
from fedikit.display.drawing import lines_of
from fedikit.errors import ConfigurationError
from fedikit.events import Event, ItemFinished
from fedikit.model.check import HttpAnswers
from fedikit.model.deployment import Deployment
from fedikit.results.check import CheckResult
from fedikit.results.restoring import RestorePlan
from fedikit.results.verdict import Verdict
from tests.data.scene import Scene, settings_of
from tests.remote.conftest import Stage, Staged, stage, staged, tree_of  # noqa: F401


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    """Both applications are backed up, and written to since."""
    scene = Scene(stage)
    assert make_backup(scene.wanted).succeeded
    for name in ("mastodon", "pixelfed"):
        scene.write(name, "other words, since")
    return scene


def drawn(value: object) -> str:
    return "\n".join(lines_of(value, 200))


def test_a_plan_says_what_is_replaced_by_what_and_changes_nothing(scene: Scene) -> None:
    before = tree_of(scene.machine)
    plan = make_restore(scene.wanted)
    assert tree_of(scene.machine) == before
    one, _ = plan.applications
    (part,) = one.parts
    assert part.was
    assert part.becomes
    assert (part.was.bytes, part.becomes.bytes, one.stop) == (18, 15, ("mastodon.service",))
    assert "! a note" in drawn(plan)
    assert "~ volume:/srv/mastodon  1 file, 18 B → 1 file, 15 B" in drawn(plan)
    assert "stands still meanwhile: mastodon.service" in drawn(plan)
    assert RestorePlan.model_validate_json(plan.model_dump_json()) == plan


def test_a_restore_puts_back_what_was(scene: Scene) -> None:
    told: list[Event] = []
    report = apply_restore(make_restore(scene.wanted), tell=told.append)
    assert report.succeeded, report
    assert (scene.read("mastodon"), scene.read("pixelfed")) == ("the first words", "the first words")
    assert [event.item for event in told if isinstance(event, ItemFinished)] == [
        "mastodon volume:/srv/mastodon", "pixelfed volume:/srv/pixelfed",
    ]  # fmt: skip


def test_only_the_application_that_is_named_is_put_back(scene: Scene) -> None:
    assert apply_restore(make_restore(scene.wanted, application="pixelfed")).succeeded
    assert (scene.read("mastodon"), scene.read("pixelfed")) == ("other words, since", "the first words")


def test_a_backup_of_a_time_is_found_and_one_that_there_was_not_is_said(scene: Scene) -> None:
    plan = make_restore(scene.wanted, at="2001-01-01")
    assert "no backup that had ended by then" in plan.applications[0].error
    assert not plan.has_changes
    name = make_restore(scene.wanted).applications[0].backup
    assert name
    assert make_restore(scene.wanted, at=name.id, application="mastodon").applications[0].backup == name


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "--purge", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_is_none_is_a_mistake(scene: Scene, at: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time"):
        make_restore(scene.wanted, at=at)


def test_exactly_the_backup_that_was_planned_is_restored(scene: Scene) -> None:
    plan = make_restore(scene.wanted, application="mastodon")
    assert make_backup(scene.wanted).succeeded
    scene.write("mastodon", "still others")
    assert apply_restore(plan).succeeded
    assert scene.read("mastodon") == "the first words"


def test_a_host_that_has_moved_since_refuses(scene: Scene) -> None:
    plan = make_restore(scene.wanted)
    moved = scene.wants(settings_of("mastodon", images={"web": "x:2"}), settings_of("pixelfed"))
    assert scene.stage.bring(moved).succeeded
    report = apply_restore(plan)
    assert "has changed since it was planned" in report.applications[0].error
    assert report.applications[1].outcome == "skipped"
    assert "the restore ended at mastodon" in report.applications[1].error
    assert scene.read("mastodon") == "other words, since"


def test_a_restore_that_was_killed_is_told_and_goes_on(scene: Scene) -> None:
    dies = scene.sign("dies")
    report = apply_restore(make_restore(scene.wanted, application="mastodon"))
    assert "ended with exit status -9" in report.applications[0].error
    dies.unlink()
    again = make_restore(scene.wanted, application="mastodon")
    assert "was cut off here; this goes on with it" in drawn(again)
    assert apply_restore(again).succeeded
    assert scene.read("mastodon") == "the first words"


def test_another_backup_than_the_one_that_was_cut_off_gives_that_up(scene: Scene) -> None:
    dies = scene.sign("dies")
    assert not apply_restore(make_restore(scene.wanted, application="mastodon")).succeeded
    dies.unlink()
    assert make_backup(scene.wanted, ["mastodon"]).succeeded
    again = make_restore(scene.wanted, application="mastodon")
    assert "was cut off here; this gives it up" in drawn(again)
    assert apply_restore(again).succeeded
    assert scene.read("mastodon") == "other words, since"


def test_what_cannot_be_saved_is_given_up_only_if_that_was_planned(scene: Scene) -> None:
    scene.sign("fails", "no room")
    saving = make_restore(scene.wanted, application="mastodon")
    assert "cannot be saved" in apply_restore(saving).applications[0].error
    assert scene.read("mastodon") == "other words, since"
    giving_up = make_restore(scene.wanted, application="mastodon", saves=False)
    assert giving_up.digest != saving.digest
    assert "and no backup is made of it before" in drawn(giving_up)
    assert apply_restore(giving_up).succeeded
    assert scene.read("mastodon") == "the first words"


def test_no_apply_goes_on_while_data_is_put_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_restore(scene.wanted, application="mastodon")
    busy: list[str] = []

    def try_to_apply(event: Event) -> None:
        if isinstance(event, ItemFinished) and not busy:
            other = threading.Thread(target=lambda: busy.append(scene.stage.bring(other_wanted).hosts["one"].error))
            other.start()
            other.join()

    other_wanted = scene.wants(settings_of("mastodon"))
    scene.sign("lingers")
    assert apply_restore(plan, tell=try_to_apply).succeeded
    assert "is being changed by" in busy[0]


def test_what_differs_from_the_backup_is_said_and_is_no_success(scene: Scene) -> None:
    scene.sign("differs")
    report = apply_restore(make_restore(scene.wanted, application="mastodon"))
    assert not report.succeeded
    assert "not as in the backup: volume: 1 file too many" in drawn(report)


def test_each_application_is_verified_before_the_next(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = tuple(HttpAnswers(application=name, url=f"https://{name}.example/") for name in ("mastodon", "pixelfed"))
    asked: list[list[str]] = []

    def verify(deployment: Deployment, *, tell: object) -> Verdict:
        asked.append([check.application for check in deployment.checks])
        failed = CheckResult(application="mastodon", name="answers", passed=False, detail="502", seconds=1, attempts=3)
        return Verdict(results=(failed,))

    monkeypatch.setattr(carrying_out, "verify_deployment", verify)
    report = apply_restore(make_restore(scene.wanted.model_copy(update={"checks": checks})))
    assert asked == [["mastodon"]]
    assert "was restored, but not every check holds: answers: 502" in report.applications[0].error
    assert report.applications[1].outcome == "skipped"
    assert scene.read("pixelfed") == "other words, since"
