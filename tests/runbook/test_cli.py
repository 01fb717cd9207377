"""The commands as they are used: processes of their own, signals, exit statuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fedikit.errors import FedikitError
from fedikit.runbook import RunStatus, read_record
from fedikit.runbook.cli import runs
from fedikit.runbook.notebook import find_runbook

FEDIKIT = [sys.executable, "-c", "from fedikit.cli import main; main(prog_name='fedikit')"]
PATIENCE = 20.0


def fedikit(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*FEDIKIT, *(str(word) for word in words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE)


def listed(cwd: Path) -> str:
    """What `fedikit runs` prints."""
    return CliRunner().invoke(runs, ["--records", str(cwd / "runs")]).output


def the_record(cwd: Path) -> Path:
    (folder,) = (cwd / "runs").iterdir()
    return folder


def wait_until_it_acts(cwd: Path) -> int:
    """Waits until the cell that hangs has begun; gives the kernel's process."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for file in cwd.glob("runs/*/pid"):
            if file.read_text():
                return int(file.read_text())
        time.sleep(0.05)
    raise AssertionError("the cell did not begin")


def is_gone(process: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_run_shows_what_its_cells_display(notebooks: Path, tmp_path: Path) -> None:
    done = fedikit("run", notebooks / "ok.ipynb", "word=moin", "number=010", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "'moin'" in done.stdout
    assert "✓ plan" not in done.stdout
    assert "ok: succeeded. Record: " in done.stdout
    assert json.loads((the_record(tmp_path) / "parameters.json").read_text())["number"] == 10
    assert listed(tmp_path).split()[1:] == ["succeeded", "dry", "run"]


def test_a_run_that_fails_exits_with_1_and_says_why(notebooks: Path, tmp_path: Path) -> None:
    done = fedikit("run", notebooks / "fails.ipynb", cwd=tmp_path)
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_parameters_exit_with_2_and_leave_no_record(notebooks: Path, tmp_path: Path) -> None:
    done = fedikit("run", notebooks / "ok.ipynb", "dry_runn=false", cwd=tmp_path)
    assert done.returncode == 2
    assert "dry_run" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_an_unknown_runbook_is_refused() -> None:
    known = "backup, deploy, migrate, move, prove, remove, restore, rollback, upgrade, verify"
    with pytest.raises(FedikitError, match=f"there are {known}"):
        find_runbook("deplyo")


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_with_an_honest_record(notebooks: Path, tmp_path: Path, signum: int, status: int) -> None:
    command = [*FEDIKIT, "run", str(notebooks / "hangs.ipynb")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        kernel = wait_until_it_acts(tmp_path)
        assert read_record(the_record(tmp_path)).status is RunStatus.RUNNING
        process.send_signal(signum)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == status
    assert is_gone(kernel)
    result = read_record(the_record(tmp_path)).result
    assert result is not None
    assert (result.status, result.exit_status, result.failed_step) == (RunStatus.INTERRUPTED, status, "apply")
    assert "partial output" in result.notebook.read_text()


def test_a_killed_runner_leaves_a_record_that_says_unfinished(notebooks: Path, tmp_path: Path) -> None:
    command = [*FEDIKIT, "run", str(notebooks / "hangs.ipynb")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        kernel = wait_until_it_acts(tmp_path)
        process.kill()
        process.wait(timeout=PATIENCE)
    assert is_gone(kernel)
    record = read_record(the_record(tmp_path))
    assert (record.status, record.runbook, record.result) == (RunStatus.UNFINISHED, "hangs", None)
    assert [event["event"] for event in record.events] == ["StepStarted"]
    assert "unfinished" in listed(tmp_path)


def test_plain_papermill_runs_a_runbook_too(notebooks: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "papermill", str(notebooks / "ok.ipynb"), "out.ipynb", "-p", "word", "moin"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "the word is moin" in (tmp_path / "out.ipynb").read_text()


def test_papermill_with_our_engine_is_told_of_a_wrong_parameter_by_the_runbook(notebooks: Path, tmp_path: Path) -> None:
    from papermill import PapermillExecutionError, execute_notebook

    with pytest.raises(PapermillExecutionError) as caught:
        execute_notebook(
            notebooks / "ok.ipynb",
            tmp_path / "out.ipynb",
            {"dry_run": "false"},
            engine_name="fedikit",
            progress_bar=False,
        )
    assert caught.value.ename == "InvalidInput"
    assert 'dry_run: is "false", should be true or false' in caught.value.evalue
