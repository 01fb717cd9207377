"""Cells that are run out of order, after a restart of the kernel, or with words of JSON in them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from fedikit.runbook.parameters import RUNBOOKS

FOLDER = Path(__file__).parents[2] / "runbooks"


def cells(runbook: str) -> dict[str, str]:
    """The code of a runbook's cells by their ids, after that of the parameters."""
    notebook = json.loads((FOLDER / f"{runbook}.ipynb").read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return {cell["id"]: "".join(cell["source"]) for cell in code[1:]}


@pytest.fixture(scope="module")
def kernel() -> Any:
    """A kernel that was just started."""
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def said(kernel: Any, code: str) -> str:
    told: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "error":
            told.extend(message["content"]["traceback"])

    kernel.execute_interactive(code, output_hook=hear, timeout=60)
    return "\n".join(told)


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_any_cell_that_is_run_first_says_to_begin_at_the_top(kernel: Any, runbook: str) -> None:
    for name, code in cells(runbook).items():
        told = said(kernel, code)
        assert "run the notebook from the top" in told, name
        assert "Traceback" not in told, name
        assert len(told.splitlines()) == 2, name


@pytest.mark.parametrize(
    ("written", "meant"), [("false", "False"), ("true", "True"), ("null", "None"), ("no", "False")]
)
def test_a_word_of_json_is_told_as_python_spells_it(kernel: Any, written: str, meant: str) -> None:
    told = said(kernel, f"import fedikit\ndry_run = {written}")
    assert f"Python spells it {meant}" in told
    assert "Traceback" not in told


def test_a_name_that_is_nobodys_keeps_its_traceback(kernel: Any) -> None:
    assert "Traceback" in said(kernel, "import fedikit\nsomething_else")


def test_a_cell_that_is_stopped_says_so_without_a_traceback(kernel: Any) -> None:
    told = said(kernel, "import fedikit\nraise KeyboardInterrupt")
    assert told == "stopped; run the notebook again from the top"
