"""A runbook in a real JupyterLab: what a person sees, in light and in dark, and what the button does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedikit.runbook.record import RunStatus, list_records
from tests.panel.scene import PERSON, Provider
from tests.runbook.browsed import Lab, as_runbook, browsing, serving

pytestmark = pytest.mark.lab

HOSTS = ("one", "two", "three")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A provider's folder with three machines, and a runbook that looks at them."""
    Provider(tmp_path)
    hosts = "".join(f'[hosts.{name}]\ntype = "directory"\npath = "machines/{name}"\n' for name in HOSTS)
    placement = f"[placement]\nnotes = {json.dumps(HOSTS)}\n"
    secrets = '[secrets]\nmaster_key = "file:master.key"\n'
    (tmp_path / "environment.toml").write_text(f'name = "home"\n{hosts}{placement}{secrets}')
    chosen = {"domain": "example.org", "initialUser": PERSON, "notes": {"enable": True}}
    (tmp_path / "configuration.json").write_text(json.dumps(chosen))
    files = {"configuration": "configuration.json", "environment": "environment.toml"}
    as_runbook(tmp_path / "runbooks/deploy.ipynb", files)
    return tmp_path


@pytest.fixture
def lab(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("jupyter")
    with serving(place, home, str(place / "site")) as address, browsing(home / "pictures") as lab:
        lab.open(address)
        lab.run_all()
        lab.see(".fk-go-button", "the button below the dry run's plan")
        yield lab


def put_on(lab: Lab, theme: str) -> None:
    lab.execute("apputils:change-theme", theme=theme)
    is_on = f"document.body.dataset.jpThemeName === '{theme}' && !document.querySelector('#jupyterlab-splash')"
    lab.wait(lambda: lab.driver.execute_script(f"return {is_on}"), theme)


def unfolded(lab: Lab) -> int:
    return int(lab.driver.execute_script("return document.querySelectorAll('.fk-shown details[open]').length"))


def applied_in(notebook: Path) -> str:
    """What the saved notebook says of the step, as text."""
    cells = json.loads(notebook.read_text())["cells"]
    (cell,) = [cell for cell in cells if "run.apply(plan)" in "".join(cell["source"])]
    return "".join(text for output in cell["outputs"] for text in output["data"]["text/plain"])


def test_a_plan_is_read_in_both_themes_and_the_button_has_it_applied(lab: Lab, place: Path) -> None:
    summaries = lab.text(".fk-shown summary").splitlines()
    assert [line for line in summaries if "create" in line] == [f"{name}  + 2 create" for name in HOSTS]
    assert unfolded(lab) == 0
    lab.driver.execute_script("document.querySelectorAll('.fk-shown details').forEach(one => one.open = true)")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        put_on(lab, theme)
        lab.screenshot(theme)
        found = lab.contrasts(".fk-shown, .fk-go")
        assert {"/etc/notes.txt", "+Notes of example.org", "Go: apply this plan"} <= {text.strip() for text in found}
        assert {text: ratio for text, ratio in found.items() if ratio < 4.5} == {}

    lab.press(".fk-go-button", "the button")
    lab.see(".fk-go-yes", "the question")
    lab.screenshot("question")
    assert not (place / "machines/one/etc/notes.txt").exists()
    lab.press(".fk-go-yes", "the answer")
    lab.wait(lambda: "deploy: succeeded" in lab.text(".jp-OutputArea-output"), "the end")
    lab.screenshot("end")
    lab.execute("docmanager:save")
    lab.wait(lambda: "3 changed" in applied_in(place / "runbooks/deploy.ipynb"), "the notebook to be saved")
    for name in HOSTS:
        assert (place / f"machines/{name}/etc/notes.txt").read_text() == "Notes of example.org\n"
    looked, applied = list_records(place / "runs")
    assert (looked.status, applied.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)
    assert looked.result
    assert looked.result.source == str(place / "runbooks/deploy.ipynb")
    assert not (place / "runbooks/runs").exists()
