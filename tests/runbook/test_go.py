"""The button below a dry run's plan: what it asks, and that exactly this plan is applied, by a process of its own."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w
import pytest

import fedikit
from fedikit.remote.directory import DirectoryMachine
from fedikit.results.plan import Plan
from fedikit.runbook import begin, last_run, list_records
from fedikit.runbook.go import Offer
from fedikit.runbook.record import RunStatus
from fedikit.runbook.session import Run
from fedikit.runbook.summary import NothingDone
from fedikit.runbook.work import at_work
from tests.panel.scene import PERSON, PRINTER, Provider, forget_applications, import_path

ENVIRONMENT = """
name = "home"
[hosts.one]
type = "directory"
path = "machines/one"
[placement]
notes = "one"
album = "one"
[secrets]
master_key = "file:master.key"
"""


class Cell:
    """What a cell shows: the display of the last output, kept as the page would keep it."""

    def __init__(self) -> None:
        self.bundle: dict[str, str] = {}

    def display(self, bundle: dict[str, str], **_: Any) -> "Cell":
        self.bundle = bundle
        return self

    def update(self, bundle: dict[str, str], **_: Any) -> None:
        self.bundle = bundle


class Page:
    """A project, opened in JupyterLab, whose one host is a directory."""

    def __init__(self, folder: Path, cell: Cell) -> None:
        self.folder, self.cell = folder, cell
        self.choose(notes={"enable": True})

    def choose(self, **applications: Any) -> None:
        chosen = {"domain": "example.org", "initialUser": PERSON, **applications}
        (self.folder / "configuration.json").write_text(json.dumps(chosen))

    def look(self, **parameters: Any) -> tuple[Run, Plan]:
        files = {"configuration": "configuration.json", "environment": "environment.toml"}
        run = begin("deploy", **files, **parameters)
        hosting = fedikit.load_environment(run.path_of("environment"))
        deployment = hosting.deployment(fedikit.load_configuration(run.path_of("configuration")))
        with run.step("plan"):
            plan = fedikit.make_plan(
                deployment, purge=run.parameters.purge, sessions=run.sessions(deployment), tell=run.tell
            )
            run.require_answers(plan)
        return run, plan

    def offered(self, **parameters: Any) -> "Go":
        run, plan = self.look(**parameters)
        offered = run.apply(plan)
        assert isinstance(offered, Offer)
        offered._ipython_display_()
        return Go(offered.go._box)

    @property
    def file(self) -> Path:
        return self.folder / "machines/one/etc/notes.txt"

    def ended(self) -> str:
        """What the output says in the end."""
        return wait(lambda: self.cell.bundle["text/plain"] if "widget-view" not in "".join(self.cell.bundle) else "")


class Go:
    """The button's widgets, as a person uses them."""

    def __init__(self, box: w.VBox) -> None:
        self._box = box

    def find(self, name: str) -> Any:
        return next((one for one in inside(self._box) if name in one._dom_classes), None)

    def press(self, name: str) -> None:
        self.find(name).click()

    @property
    def words(self) -> str:
        return str(self._box.children[0].value)


def inside(box: Any) -> list[Any]:
    return [box, *(one for child in getattr(box, "children", ()) for one in inside(child))]


def wait(found: Callable[[], Any], seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return value


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    cell = Cell()
    monkeypatch.setattr("fedikit.runbook.session.is_attended", lambda: True)
    monkeypatch.setattr("IPython.display.display", cell.display)
    Provider(tmp_path)
    (tmp_path / "environment.toml").write_text(ENVIRONMENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", import_path(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    forget_applications()
    yield Page(tmp_path, cell)
    forget_applications()


def deploy(page: Page, **parameters: Any) -> str:
    go = page.offered(**parameters)
    go.press("fk-go-button")
    go.press("fk-go-yes")
    return page.ended()


def test_it_asks_once_more_and_no_leads_back(page: Page) -> None:
    go = page.offered()
    assert "nothing was changed" in go.words
    go.press("fk-go-button")
    assert "Really? 1 host would change" in go.words
    assert go.find("fk-go-typed") is None
    go.press("fk-go-no")
    assert go.find("fk-go-button")
    assert not page.file.exists()
    assert [record.status for record in list_records(page.folder / "runs")] == [RunStatus.UNFINISHED]


def test_the_saved_notebook_has_words_beside_the_button_and_in_its_place_what_it_came_to(page: Page) -> None:
    page.offered()
    assert page.cell.bundle["text/plain"].startswith("dry run: apply was left out, nothing was changed. To apply it: ")
    ended = deploy(page)
    assert "deploy: succeeded" in ended
    assert "apply: 1 changed." in ended
    assert "There was nothing to check." in ended
    assert page.file.read_text() == "Notes of example.org\n"
    assert page.cell.bundle.keys() == {"text/plain", "text/html"}


def test_the_run_is_one_of_its_own_with_a_whole_record_and_can_be_shown_again(page: Page) -> None:
    deploy(page)
    last = last_run("deploy").record
    assert last.status is RunStatus.SUCCEEDED
    assert last.parameters["dry_run"] is False
    names = {file.name for file in last.folder.iterdir()}
    assert {"deploy.ipynb", "plan.json", "report.json", "verdict.json", "result.json", "runner.json"} <= names


def test_if_anything_moved_nothing_is_changed(page: Page) -> None:
    go = page.offered()
    page.choose(notes={"enable": True, "title": "Others"})
    go.press("fk-go-button")
    go.press("fk-go-yes")
    assert "no longer what was agreed to; nothing was changed" in page.ended()
    assert not page.file.exists()


def test_to_lose_data_takes_the_name_of_the_environment(page: Page) -> None:
    deploy(page)
    data = page.folder / "machines/one/srv/notes"
    page.choose(notes={"enable": False})
    go = page.offered(purge=True)
    go.press("fk-go-button")
    assert "Data may be lost: type home" in go.words
    yes, typed = go.find("fk-go-yes"), go.find("fk-go-typed")
    assert yes.disabled
    typed.value = "hom"
    assert yes.disabled
    typed.value = "home"
    assert not yes.disabled
    assert data.exists()
    go.press("fk-go-yes")
    assert ": succeeded" in page.ended()
    assert not data.exists()


def test_a_run_goes_on_beside_other_cells_and_can_be_stopped(page: Page) -> None:
    waiting = page.folder / "wait"
    page.choose(album={"enable": True})
    machine = DirectoryMachine.at(page.folder / "machines/one")
    machine.program("print-album", PRINTER.replace("$FEDIKIT_WAIT", str(waiting)))
    waiting.touch()
    go = page.offered()
    go.press("fk-go-button")
    go.press("fk-go-yes")
    wait(lambda: go.find("fk-go-stop") and "job:print" in go.words)
    go.press("fk-go-stop")
    assert "deploy: interrupted" in page.ended()
    waiting.unlink()


def test_a_second_button_is_told_who_is_at_work(page: Page) -> None:
    go = page.offered()
    with at_work(page.folder / "environment.toml", "alice", "deploy"):
        go.press("fk-go-button")
        go.press("fk-go-yes")
        wait(lambda: "alice is at work there" in go.words)
    assert go.find("fk-go-button")
    assert not page.file.exists()


def test_where_there_is_nothing_to_do_or_nobody_to_ask_there_is_no_button(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(page)
    run, plan = page.look()
    assert type(run.apply(plan)) is NothingDone
    page.choose(notes={"enable": True, "title": "Others"})
    monkeypatch.setattr("fedikit.runbook.session.is_attended", lambda: False)
    run, plan = page.look()
    assert type(run.apply(plan)) is NothingDone
