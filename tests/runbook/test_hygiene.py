"""The runbooks in the source tree are stripped and thin, and their parameters are those of their models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedikit.runbook.notebook import find_runbook
from fedikit.runbook.parameters import RUNBOOKS
from tests.runbook.hygiene import mistakes_in_runbook

RUNBOOK_FOLDER = Path(__file__).parents[2] / "runbooks"
HERE = Path(__file__).parent / "notebooks"
SECTIONS = ["## Pre-checks", "## Plan", "## Apply", "## Verify", "## Summary"]


@pytest.mark.parametrize("path", [*RUNBOOK_FOLDER.glob("*.ipynb"), *HERE.glob("*.ipynb")], ids=lambda path: path.stem)
def test_a_runbook_is_clean(path: Path) -> None:
    assert mistakes_in_runbook(path) == []


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_has_all_its_sections_in_order(name: str) -> None:
    notebook = json.loads((RUNBOOK_FOLDER / f"{name}.ipynb").read_text())
    titles = [cell["source"][0].strip() for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert [title for title in titles if title.startswith("## ")] == SECTIONS


def test_each_of_our_runbooks_is_found_by_its_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {name: find_runbook(name).model for name in RUNBOOKS} == RUNBOOKS


def cell(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def leave_output(notebook: dict[str, Any]) -> None:
    cell(notebook, "plan")["outputs"].append({"output_type": "stream", "name": "stdout", "text": ["x"]})


def leave_count(notebook: dict[str, Any]) -> None:
    cell(notebook, "plan")["execution_count"] = 3


def leave_timing(notebook: dict[str, Any]) -> None:
    cell(notebook, "plan")["metadata"]["papermill"] = {"status": "completed"}


def leave_run(notebook: dict[str, Any]) -> None:
    notebook["metadata"]["papermill"] = {}


def leave_widgets(notebook: dict[str, Any]) -> None:
    notebook["metadata"]["widgets"] = {}


def change_kernel(notebook: dict[str, Any]) -> None:
    notebook["metadata"]["kernelspec"]["name"] = "my-venv"


def repeat_id(notebook: dict[str, Any]) -> None:
    cell(notebook, "plan")["id"] = "apply"


def lose_id(notebook: dict[str, Any]) -> None:
    del cell(notebook, "plan")["id"]


def think(notebook: dict[str, Any]) -> None:
    cell(notebook, "apply")["source"] = ["if not dry_run:\n", "    report = run.apply(plan)"]


def define(notebook: dict[str, Any]) -> None:
    cell(notebook, "apply")["source"] = ["def act():\n", "    return run.apply(plan)"]


def grow(notebook: dict[str, Any]) -> None:
    cell(notebook, "apply")["source"] = ["run.apply(plan)\n"] * 9


def act_by_default(notebook: dict[str, Any]) -> None:
    cell(notebook, "parameters")["source"][-1] = "dry_run = False"


def forget_parameter(notebook: dict[str, Any]) -> None:
    del cell(notebook, "parameters")["source"][0]


def calculate_parameter(notebook: dict[str, Any]) -> None:
    cell(notebook, "parameters")["source"][0] = 'configuration = "a" + "b"\n'


def move_parameters(notebook: dict[str, Any]) -> None:
    notebook["cells"].append(notebook["cells"].pop(1))


def tag_twice(notebook: dict[str, Any]) -> None:
    cell(notebook, "plan")["metadata"]["tags"] = ["parameters"]


def name_no_model(notebook: dict[str, Any]) -> None:
    del notebook["metadata"]["fedikit"]


@pytest.mark.parametrize(
    "spoil",
    [
        leave_output, leave_count, leave_timing, leave_run, leave_widgets, change_kernel, repeat_id, lose_id, think,
        define, grow, act_by_default, forget_parameter, calculate_parameter, move_parameters, tag_twice, name_no_model,
    ],
    ids=lambda spoil: spoil.__name__,
)  # fmt: skip
def test_a_spoilt_runbook_is_noticed(tmp_path: Path, spoil: Callable[[dict[str, Any]], None]) -> None:
    notebook = json.loads((RUNBOOK_FOLDER / "deploy.ipynb").read_text())
    spoil(notebook)
    spoilt = tmp_path / "deploy.ipynb"
    spoilt.write_text(json.dumps(notebook))
    assert len(mistakes_in_runbook(spoilt)) == 1
