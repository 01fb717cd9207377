"""The runbooks themselves, rehearsed on a real machine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedikit.runbook import RunResult, list_records, run_runbook
from fedikit.secrets.redaction import find_leaks
from fedikit_lab import Lab

pytestmark = pytest.mark.lab

PASSWORD = "correct-horse-battery"
Rehearse = Callable[..., RunResult]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project folder with a lab of one machine and a configuration for it."""
    folder = tmp_path_factory.mktemp("stage")
    configuration = {
        "domain": "fediversity.test",
        "hello": {"enable": True},
        "initialUser": {
            "displayName": "Testy McTestface",
            "username": "test",
            "email": "test@fediversity.test",
            "password": PASSWORD,
        },
    }
    (folder / "configuration.sample.json").write_text(json.dumps(configuration))
    with Lab(folder / ".lab", machines=["hello"], acme=False):
        yield folder


@pytest.fixture
def rehearse(stage: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearse:
    monkeypatch.chdir(stage)

    def rehearse(name: str, **parameters: object) -> RunResult:
        result = run_runbook(name, parameters, timeout=120)
        assert result.has_succeeded, result.reason
        return result

    return rehearse


def shown(result: RunResult) -> str:
    return result.notebook.read_text()


def test_the_runbooks_deploy_verify_roll_back_and_remove(stage: Path, rehearse: Rehearse) -> None:
    assert "package   hello" in shown(rehearse("deploy"))
    assert "package   hello" in shown(rehearse("deploy", dry_run=False))
    assert "nothing to change" in shown(rehearse("deploy", dry_run=False))
    assert "1 check held" in shown(rehearse("verify"))
    assert "would go back" in shown(rehearse("rollback"))
    assert "1 delete" in shown(rehearse("rollback", dry_run=False))
    assert "1 create" in shown(rehearse("deploy", dry_run=False))
    assert "would be cleared" in shown(rehearse("remove"))
    assert "1 delete" in shown(rehearse("remove", dry_run=False))

    records = list_records(stage / "runs")
    assert [record.runbook for record in records] == [
        "deploy", "deploy", "deploy", "verify", "rollback", "rollback", "deploy", "remove", "remove",
    ]  # fmt: skip
    assert find_leaks([stage / "runs"], [PASSWORD]) == []
    assert find_leaks([stage], [PASSWORD]) != []  # in the configuration: the search does find it
