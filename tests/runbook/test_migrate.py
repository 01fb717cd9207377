"""The runbook of migrations: over hosts that are directories, and from its notebook on."""

import json
from pathlib import Path

import pytest

from fedikit.display.drawing import summary_of
from fedikit.errors import FedikitError
from fedikit.results.migration import REHEARSED
from fedikit.runbook import run_runbook
from fedikit.runbook.detached import RefusedOrder, RunOrder, launch
from fedikit.runbook.go import offer
from fedikit.runbook.parameters import MigrateParameters
from fedikit.runbook.session import Run
from fedikit.runbook.summary import NothingDone
from fedikit.runbook.work import at_work
from tests.data.migration.conftest import scene  # noqa: F401
from tests.data.migration.scene import Scene
from tests.remote.conftest import staged  # noqa: F401

ENVIRONMENT = 'name = "{0}"\n[hosts.one]\ntype = "directory"\npath = "{0}"\n[secrets]\nmaster_key = "file:{0}.key"\n'
PERSON = {"displayName": "Ada", "username": "ada", "email": "ada@example.org"}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    folder = tmp_path / "record"
    folder.mkdir()
    return folder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Both providers without a policy of backups, in the folder that one is in."""
    monkeypatch.chdir(tmp_path)
    for name in ("here", "there"):
        (tmp_path / f"{name}.key").write_text("5" * 64 + "\n")
        (tmp_path / f"{name}.key").chmod(0o600)
        (tmp_path / f"{name}.toml").write_text(ENVIRONMENT.format(name))
    (tmp_path / "configuration.json").write_text(json.dumps({"domain": "example.org", "initialUser": PERSON}))
    return {"configuration": "configuration.json", "old": "here.toml", "new": "there.toml"}


def planned(parameters: MigrateParameters, scene: Scene, record: Path) -> Run:  # noqa: F811
    run = Run(parameters, record=record)
    with run.step("plan"):
        run.require_answers(scene.plan(rehearse=parameters.rehearse))
    return run


def kept(record: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((record / name).read_text())
    return found


def test_the_migration_that_was_agreed_to_is_done_and_its_phases_are_steps(scene: Scene, record: Path) -> None:  # noqa: F811
    plan = scene.plan(rehearse=True)
    dry = MigrateParameters(rehearse=True)
    assert isinstance(planned(dry, scene, record).migrate(plan, scene.sides), NothingDone)
    assert offer(plan, dry, record)
    assert summary_of(plan).plain == "A rehearsal: 1 application from old to new."
    other = planned(MigrateParameters(rehearse=True, dry_run=False, agreed="0" * 64), scene, record)
    with pytest.raises(FedikitError, match="no longer what was agreed to"):
        other.migrate(plan, scene.sides)
    assert not scene.sides.journal.exists()

    agreed = MigrateParameters(rehearse=True, dry_run=False, agreed=plan.digest)
    report = planned(agreed, scene, record).migrate(scene.plan(rehearse=True), scene.sides)
    assert not isinstance(report, NothingDone)
    assert kept(record, "migrated.json")["predicted"] == report.predicted
    assert kept(record, "migration.json")["applications"]
    events = [json.loads(line) for line in (record / "events.ndjson").read_text().splitlines()]
    steps = [event["step"] for event in events if event["event"] == "StepStarted"]
    assert steps[steps.index("apply") + 1 :][-3:] == list(REHEARSED)


def test_a_migration_that_fails_says_how_it_stands(scene: Scene, record: Path) -> None:  # noqa: F811
    scene.old.sign("fails", "the disk is on fire")
    run = planned(MigrateParameters(dry_run=False), scene, record)
    with pytest.raises(FedikitError, match=r"could not be backed up on here: .*: the disk is on fire") as caught:
        run.migrate(scene.plan(), scene.sides)
    assert "old serves as before; do the same again" in str(caught.value)
    assert "migrate.ipynb again" in caught.value.hint
    assert "on fire" in str(kept(record, "migrated.json")["error"])


def test_the_notebook_says_what_is_missing_where_there_are_no_backups(files: dict[str, str]) -> None:
    result = run_runbook("migrate", {**files, "dry_run": False}, timeout=120)
    assert not result.has_succeeded
    assert "here has no backups: the environment has no policies.backup" in result.reason


def test_a_button_takes_both_environments(files: dict[str, str], tmp_path: Path) -> None:
    parameters = MigrateParameters(**files).model_dump(mode="json")
    for busy in ("here.toml", "there.toml"):
        with at_work(tmp_path / busy, "somebody", "deploy"), pytest.raises(RefusedOrder, match="somebody"):
            launch("fedikit.runbook.own_process", RunOrder(runbook="migrate", parameters=parameters, records="runs"))


def test_a_way_there_and_a_way_back_are_two_things() -> None:
    with pytest.raises(ValueError, match="choose one of them"):
        MigrateParameters(rehearse=True, back=True)
