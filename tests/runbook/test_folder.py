"""A run works in the operator's folder, and runs nothing that lies there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedikit.errors import FedikitError
from fedikit.runbook.notebook import find_runbook
from fedikit.runbook.runner import _without_here

COMMAND = Path(sys.executable).parent / "fedikit"
MODULES = (
    *("fedikit", "papermill", "ipykernel_launcher", "ipykernel", "json", "sitecustomize", "usercustomize", "IPython"),
    *("traitlets", "zmq", "nbformat", "jupyter_client", "rich", "pydantic", "site", "antigravity"),
)
CONFIGURATIONS = (
    *("jupyter_config.py", "jupyter_server_config.py", "jupyter_notebook_config.py", "ipython_config.py"),
    *("ipython_kernel_config.py", "startup/00-first.py", "profile_default/startup/00-first.py"),
    ".ipython/profile_default/startup/00-first.py",
)


@pytest.fixture
def folder(tmp_path: Path, notebooks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder full of traps: each leaves a file when it is run."""
    folder = tmp_path / "operators"
    for name in (*(f"{module}.py" for module in MODULES), *CONFIGURATIONS):
        trap = folder / name
        trap.parent.mkdir(parents=True, exist_ok=True)
        trap.write_text(f"open({str(folder / 'ran-')!r} + {name.replace('/', '-')!r}, 'w').close()\n")
    (folder / ".env").write_text(f"PYTHONPATH={folder}\n")
    (folder / "runbooks").mkdir()
    for name in ("verify", "deploy"):
        notebook = json.loads((notebooks / "ok.ipynb").read_text())
        notebook["cells"][0]["source"] = [f"open({str(folder / 'ran-')!r} + {name!r}, 'w').close()"]
        (folder / "runbooks" / f"{name}.ipynb").write_text(json.dumps(notebook))
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"].split(os.pathsep)[0])  # of the probe alone
    return folder


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def traces(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("ran-*"))


def test_a_runbook_opened_by_its_path_works_there_and_no_module_of_the_folder_is_run(
    folder: Path, notebooks: Path
) -> None:
    done = run(folder, "run", notebooks / "ok.ipynb", "word=moin")
    assert done.returncode == 0, done.stderr
    assert "'moin'" in done.stdout
    assert traces(folder) == []


def test_a_bare_name_is_fedikits_own_runbook(folder: Path) -> None:
    (folder / "c.json").write_text("{}")
    (folder / "e.toml").write_text("")
    done = run(folder, "run", "verify", "configuration=c.json", "environment=e.toml")
    assert done.returncode == 2
    assert "pre-checks" in done.stderr
    assert traces(folder) == []


def test_the_traps_would_be_seen(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", "import json"], cwd=folder, check=False, capture_output=True, timeout=60)
    assert traces(folder) == ["ran-json.py"]


def test_a_path_is_a_path_and_a_name_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    own = find_runbook("verify").path
    assert folder not in own.parents
    for path in ("runbooks/verify.ipynb", "./runbooks/verify.ipynb", Path("runbooks/verify.ipynb")):
        assert find_runbook(path).path == Path("runbooks/verify.ipynb")
    monkeypatch.chdir(folder / "runbooks")
    assert find_runbook("verify.ipynb").path == Path("verify.ipynb")
    assert find_runbook("verify").path == own
    for nothing in ("runbooks/verify", "./verify", "..", ""):
        with pytest.raises(FedikitError, match="there is no runbook"):
            find_runbook(nothing)


def test_an_empty_entry_on_pythons_path_is_left_out_for_the_kernel() -> None:
    variables = {"PYTHONPATH": ":/a::.:./:/b:", "HOME": "/root"}
    assert _without_here(variables) == {"PYTHONPATH": "/a:/b", "PYTHONSAFEPATH": "1", "HOME": "/root"}


def test_python_m_does_not_look_there_once_it_has_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fedikit", "json"):
        (folder / f"{name}.py").unlink()  # what Python itself takes from there before fedikit can say anything
    for flags in ([], ["-P"]):
        command = [sys.executable, *flags, "-m", "fedikit", "runs"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "ran-papermill.py" not in traces(folder)
    assert "ran-rich.py" not in traces(folder)
