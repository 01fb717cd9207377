"""Runbooks in real kernels: however a run ends, the record says so."""

import errno
import json
import os
import shutil
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fedikit.errors import ConfigurationError, FedikitError
from fedikit.events import Event, HostFinished, StepFinished, StepStarted
from fedikit.runbook import RunResult, RunStatus, list_records, read_record, run_runbook
from fedikit.runbook.stopping import StopRequest

Run = Callable[..., RunResult]


@pytest.fixture
def run(notebooks: Path, tmp_path: Path) -> Run:
    def run(name: str, parameters: dict[str, Any] | None = None, **options: Any) -> RunResult:
        return run_runbook(notebooks / f"{name}.ipynb", parameters, **{"records": tmp_path / "runs", **options})

    return run


def saved(result: RunResult) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(result.notebook.read_text())
    return notebook


def statuses(result: RunResult) -> dict[str, str]:
    """What the saved notebook says of the cells that the runbook has."""
    cells = [cell for cell in saved(result)["cells"] if "papermill" in cell["metadata"]]
    return {cell["id"]: cell["metadata"]["papermill"]["status"] for cell in cells}


def outputs(result: RunResult) -> str:
    """Everything that the saved notebook shows, as text."""
    texts: list[str] = []
    for cell in saved(result)["cells"]:
        for output in cell.get("outputs", []):
            texts += output.get("text", []) + output.get("traceback", [])
            texts += output.get("data", {}).get("text/plain", [])
    return "\n".join(texts)


def assert_failure_is_marked(result: RunResult) -> None:
    """The saved notebook says the same as the result, whatever ended the run."""
    assert statuses(result)["work"] == "failed"
    assert statuses(result)["after"] == "pending"
    assert saved(result)["metadata"]["papermill"]["exception"] is True
    assert "papermill-error-cell" in "".join(saved(result)["cells"][0]["source"])
    assert "this cell comes after" not in outputs(result)


def test_a_run_that_succeeds_leaves_its_whole_record(run: Run, notebooks: Path) -> None:
    told: list[Event] = []
    shown: list[str] = []
    result = run("ok", {"word": "moin", "names": ["a"]}, tell=told.append, show=shown.append)

    assert (result.status, result.exit_status, result.reason, result.failed_step) == (RunStatus.SUCCEEDED, 0, "", "")
    assert set(statuses(result).values()) == {"completed"}
    assert "the word is moin" in outputs(result)
    assert [type(event) for event in told] == [StepStarted, HostFinished, StepFinished]
    assert shown[1] == "'moin'"
    assert {file.name for file in result.folder.iterdir()} == {
        "ok.ipynb", "parameters.json", "events.ndjson", "result.json",
    }  # fmt: skip
    record = read_record(result.folder)
    assert record.result == result
    assert record.parameters == {"word": "moin", "number": 1, "names": ["a"], "dry_run": True}
    assert [event["event"] for event in record.events] == ["StepStarted", "HostFinished", "StepFinished"]
    assert result.started < result.finished
    assert result.dry_run is True


def test_only_its_owner_may_read_a_record(run: Run) -> None:
    folder = run("ok").folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "events.ndjson").stat().st_mode) == 0o600


def test_a_step_that_fails_ends_the_run_and_names_what_helps(run: Run) -> None:
    result = run("fails")
    assert (result.status, result.exit_status, result.failed_step) == (RunStatus.FAILED, 1, "apply")
    assert result.reason.startswith("probe: apply failed: the disk is full\n  → make room\n  → next: run probe.ipynb")
    assert "before it failed" in outputs(result)
    assert "Traceback" not in outputs(result)
    assert_failure_is_marked(result)


def test_a_fault_of_ours_keeps_its_traceback(run: Run) -> None:
    result = run("breaks")
    assert (result.status, result.exit_status, result.reason) == (RunStatus.FAILED, 1, "KeyError: 'missing'")
    assert "Traceback" in outputs(result)
    assert_failure_is_marked(result)


def test_mistakes_of_a_person_make_the_run_invalid(run: Run) -> None:
    result = run("invalid")
    assert (result.status, result.exit_status, result.failed_step) == (RunStatus.INVALID, 2, "pre-checks")
    assert "domain: is missing" in result.reason
    assert_failure_is_marked(result)


def test_a_kernel_that_dies_is_not_taken_for_success(run: Run) -> None:
    result = run("dies")
    assert (result.status, result.exit_status, result.failed_step) == (RunStatus.KERNEL_DIED, 4, "apply")
    assert_failure_is_marked(result)


def test_a_kernel_that_dies_before_it_is_ready_is_told_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    result = run("ok")
    assert (result.status, result.exit_status) == (RunStatus.KERNEL_DIED, 4)
    assert result.reason.startswith("the kernel died before it was ready")
    assert "\n" not in result.reason


@pytest.mark.parametrize(
    ("name", "ended"), [("ok", "all cells succeeded"), ("fails", "apply failed: the disk is full")]
)
def test_a_record_that_is_taken_away_meanwhile_does_not_hide_how_the_run_ended(
    run: Run, tmp_path: Path, name: str, ended: str
) -> None:
    with pytest.raises(FedikitError) as caught:
        run(name, show=lambda _: shutil.rmtree(tmp_path / "runs", ignore_errors=True))
    assert ended in caught.value.message
    assert "result.json cannot be written" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_disk_that_is_full_is_told_in_one_line_with_how_the_run_ended(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fills(_: str) -> None:
        monkeypatch.setattr("papermill.iorw.LocalHandler.write", full)
        monkeypatch.setattr("fedikit.runbook.record.os.fsync", full)

    with pytest.raises(FedikitError) as caught:
        run("ok", show=fills)
    assert "all cells succeeded" in caught.value.message
    assert "no space left on device" in caught.value.message
    assert caught.value.hint == "make room on this machine"


def test_a_notebook_that_cannot_be_begun_is_no_success(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("papermill.iorw.LocalHandler.write", full)
    result = run("ok")
    assert (result.status, result.exit_status) == (RunStatus.FAILED, 1)
    assert result.reason == "the run's notebook cannot be written: no space left on device; nothing was begun"


class UntilItActs(StopRequest):
    """A deadline that passes just after the act began, however slow the machine is."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._began = threading.Event()
        self.instances.append(self)

    instances: ClassVar[list["UntilItActs"]] = []

    def is_asked(self) -> bool:
        return self._began.is_set()

    @classmethod
    def tell(cls, event: Event) -> None:
        cls.instances[-1]._began.set()


def test_a_run_that_takes_too_long_is_asked_to_stop(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit.runbook.runner.StopRequest", UntilItActs)
    result = run("hangs", timeout=9, tell=UntilItActs.tell)
    assert (result.status, result.exit_status, result.failed_step) == (RunStatus.TIMED_OUT, 3, "apply")
    assert result.reason == "stopped: no end after 9 s"
    assert "partial output" in outputs(result)
    assert [event["event"] for event in read_record(result.folder).events] == ["StepStarted", "StepFinished"]
    assert_failure_is_marked(result)


def test_a_cell_that_does_not_listen_is_killed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit.runbook.stopping.GRACE", 0.5)
    monkeypatch.setattr("fedikit.runbook.runner.StopRequest", UntilItActs)
    result = run("deaf", tell=UntilItActs.tell)
    assert (result.status, result.failed_step) == (RunStatus.TIMED_OUT, "apply")
    assert_failure_is_marked(result)


def test_wrong_parameters_start_nothing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="wrod: is not known"):
        run("ok", {"wrod": "typo"})
    assert not (tmp_path / "runs").exists()


def test_two_runs_at_once_do_not_meet(run: Run) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda word: run("ok", {"word": word}), ["one", "two"])
    assert first.has_succeeded
    assert second.has_succeeded
    assert first.folder != second.folder
    assert "the word is one" in outputs(first)
    assert "the word is two" in outputs(second)
    assert len(list_records(first.folder.parent)) == 2


def test_the_kernel_is_this_python_whatever_is_installed_under_its_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "another", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.chdir(tmp_path)
    result = run("progress", records=Path("folder {with} braces"))
    assert result.has_succeeded
    assert result.folder.is_relative_to(tmp_path / "folder {with} braces")
    (work,) = [cell for cell in saved(result)["cells"] if cell["id"] == "work"]
    assert work["outputs"] == []  # progress is quiet under pytest: nbval compares outputs


def test_the_progress_line_is_one_output_that_ends_as_the_step_did(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    result = run("progress")
    (work,) = [cell for cell in saved(result)["cells"] if cell["id"] == "work"]
    (output,) = work["outputs"]
    assert "".join(output["data"]["text/plain"]).startswith("✔ apply 300/300, ")
    assert len(json.dumps(output)) < 250
    assert len(read_record(result.folder).events) == 302
    assert "PYTEST_CURRENT_TEST" not in os.environ
