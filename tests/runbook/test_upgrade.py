"""The runbook of upgrades, over hosts that are directories: what was agreed to is done, and nothing else."""

import json
from pathlib import Path

import pytest

from fedikit.errors import FedikitError
from fedikit.runbook import run_runbook
from fedikit.runbook.parameters import UpgradeParameters
from fedikit.runbook.session import Run
from fedikit.runbook.summary import NothingDone
from fedikit.upgrade import make_upgrade
from tests.remote.conftest import staged  # noqa: F401
from tests.remote.test_upgrade import ALL_NEW, ALL_OLD, Scene, archive, scene  # noqa: F401


def planned(parameters: UpgradeParameters, scene: Scene, record: Path) -> Run:  # noqa: F811
    run = Run(parameters, record=record)
    with run.step("plan"):
        run.require_answers(make_upgrade(scene.wanted))
    return run


def test_exactly_the_upgrade_that_was_agreed_to_is_done(scene: Scene, tmp_path: Path) -> None:  # noqa: F811
    record = tmp_path / "record"
    record.mkdir()
    plan = make_upgrade(scene.wanted)
    assert isinstance(planned(UpgradeParameters(), scene, record).upgrade(plan), NothingDone)
    other = planned(UpgradeParameters(dry_run=False, agreed="0" * 64), scene, record)
    with pytest.raises(FedikitError, match="no longer what was agreed to"):
        other.upgrade(plan)
    assert scene.versions("one") == ALL_OLD
    agreed = planned(UpgradeParameters(dry_run=False, agreed=plan.digest), scene, record)
    report = agreed.upgrade(plan)
    assert not isinstance(report, NothingDone)
    assert report.succeeded
    assert scene.versions("one") == ALL_NEW
    assert json.loads((record / "upgraded.json").read_text())["run"] == report.run
    steps = [json.loads(line) for line in (record / "events.ndjson").read_text().splitlines()]
    assert {event["step"] for event in steps if "step" in event} == {"plan", "apply"}


def test_the_runbook_says_that_there_is_nothing_to_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    result = run_runbook("upgrade", {**files, "dry_run": False}, timeout=120)
    assert result.has_succeeded, result.reason
    assert "Nothing to upgrade." in result.notebook.read_text()
