"""The runbooks of backups and restores, over hosts that are directories, from their notebooks on."""

import json
from pathlib import Path

import pytest

from fedikit.data.backups import make_backup
from fedikit.data.planning import make_restore
from fedikit.display.drawing import summary_of
from fedikit.errors import FedikitError
from fedikit.runbook import run_runbook
from fedikit.runbook.go import offer
from fedikit.runbook.parameters import BackupParameters, RestoreParameters
from fedikit.runbook.session import Run
from fedikit.runbook.summary import NothingDone
from tests.data.scene import Scene
from tests.remote.conftest import Stage, stage, staged  # noqa: F401


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    scene = Scene(stage)
    assert make_backup(scene.wanted).succeeded
    scene.write("mastodon", "other words, since")
    return scene


@pytest.fixture
def record(tmp_path: Path) -> Path:
    folder = tmp_path / "record"
    folder.mkdir()
    return folder


def planned(parameters: RestoreParameters, scene: Scene, record: Path) -> Run:
    run = Run(parameters, record=record)
    with run.step("plan"):
        run.require_answers(make_restore(scene.wanted, at=parameters.at, application=parameters.application))
    return run


def steps_in(record: Path) -> list[str]:
    events = [json.loads(line) for line in (record / "events.ndjson").read_text().splitlines()]
    return [event["step"] for event in events if event["event"] == "StepStarted"]


def test_exactly_the_restore_that_was_agreed_to_is_done(scene: Scene, record: Path) -> None:
    plan = make_restore(scene.wanted)
    assert isinstance(planned(RestoreParameters(), scene, record).restore(plan), NothingDone)
    other = planned(RestoreParameters(dry_run=False, agreed="0" * 64), scene, record)
    with pytest.raises(FedikitError, match="no longer what was agreed to"):
        other.restore(plan)
    assert scene.read("mastodon") == "other words, since"
    report = planned(RestoreParameters(dry_run=False, agreed=plan.digest), scene, record).restore(plan)
    assert not isinstance(report, NothingDone)
    assert scene.read("mastodon") == "the first words"
    assert json.loads((record / "restored.json").read_text())["run"] == report.run
    assert json.loads((record / "restore.json").read_text())["applications"][0]["application"] == "mastodon"
    assert set(steps_in(record)) == {"plan", "apply"}


def test_the_button_below_a_plan_names_what_is_replaced_and_asks_for_the_environments_name(
    scene: Scene, record: Path
) -> None:
    plan = make_restore(scene.wanted)
    button = offer(plan, RestoreParameters(), record)
    assert button
    assert plan.may_lose_data
    assert summary_of(plan).plain == "2 parts of 2 applications replaced; 30 B to fetch."
    assert offer(make_restore(scene.wanted, at="2001-01-01"), RestoreParameters(), record) is None


def test_a_plan_that_was_agreed_to_is_refused_once_there_is_a_newer_backup(scene: Scene, record: Path) -> None:
    agreed = make_restore(scene.wanted).digest
    assert make_backup(scene.wanted).succeeded
    run = planned(RestoreParameters(dry_run=False, agreed=agreed), scene, record)
    with pytest.raises(FedikitError, match="no longer what was agreed to"):
        run.restore(make_restore(scene.wanted))


def test_a_backup_that_fails_fails_the_run_and_says_what_helps(scene: Scene, record: Path) -> None:
    scene.sign("fails", "the disk is on fire")
    run = Run(BackupParameters(dry_run=False, applications=("mastodon",)), record=record)
    with run.step("plan"):
        pass
    with pytest.raises(FedikitError, match=r"run backup\.ipynb again"):
        run.back_up(scene.wanted)
    assert "on fire" in json.loads((record / "backup.json").read_text())["applications"][0]["error"]


def test_what_was_backed_up_has_to_be_among_what_is_kept(scene: Scene, record: Path) -> None:
    from fedikit.data.backups import list_backups

    run = Run(BackupParameters(dry_run=False), record=record)
    with run.step("plan"):
        before = list_backups(scene.wanted)
    report = run.back_up(scene.wanted)
    run.require_kept(list_backups(scene.wanted), report)
    with pytest.raises(FedikitError, match="is not in the repository: mastodon, pixelfed"):
        run.require_kept(before, report)


@pytest.mark.parametrize("name", ["backup", "restore", "prove"])
def test_the_notebooks_say_what_is_missing_where_there_are_no_backups(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "master.key").write_text("5" * 64 + "\n")
    (tmp_path / "master.key").chmod(0o600)
    environment = (
        'name = "home"\n[hosts.one]\ntype = "directory"\npath = "one"\n[secrets]\nmaster_key = "file:master.key"\n'
    )
    (tmp_path / "environment.toml").write_text(environment)
    person = {"displayName": "Ada", "username": "ada", "email": "ada@example.org"}
    (tmp_path / "configuration.json").write_text(json.dumps({"domain": "example.org", "initialUser": person}))
    files = {"configuration": "configuration.json", "environment": "environment.toml"}
    result = run_runbook(name, {**files, "dry_run": False}, timeout=120)
    assert not result.has_succeeded
    assert "no policies.backup" in result.reason
