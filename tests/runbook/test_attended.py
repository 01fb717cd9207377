"""A run whose cells a person runs: the record that it keeps itself, and what it shows of runs before."""

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from fedikit import FedikitError
from fedikit.events import HostPlanned
from fedikit.model.deployment import Deployment
from fedikit.results.plan import HostPlan, Plan
from fedikit.runbook import begin, last_run, list_records
from fedikit.runbook.guidance import StepFailed, StepStopped
from fedikit.runbook.progress import ProgressLine
from fedikit.runbook.record import RunStatus, read_record
from fedikit.runbook.session import Run

NOTHING = Deployment(name="lab", hosts={})
PLAN = Plan(purpose="apply", deployment=NOTHING, hosts={"alpha": HostPlan(host="alpha", same=3)})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project where a person opened a runbook in JupyterLab, which starts kernels beside it."""
    monkeypatch.setattr("fedikit.runbook.session.is_attended", lambda: True)
    (tmp_path / "runbooks").mkdir()
    for name in ("configuration.json", "environment.toml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "runbooks")
    return tmp_path


def begun(**parameters: Any) -> Run:
    return begin("deploy", configuration="configuration.json", environment="environment.toml", **parameters)


def looked(**parameters: Any) -> Run:
    run = begun(**parameters)
    with run.step("plan"):
        run.tell(HostPlanned(host="alpha", changes=0, seconds=0.1))
        run.require_answers(PLAN)
    return run


@pytest.mark.parametrize("can_answer", [True, False])
def test_a_person_is_there_if_the_front_end_says_that_it_can_ask(
    can_answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    manager, client = start_new_kernel()
    try:
        heard: list[str] = []
        client.execute_interactive(
            "from fedikit.runbook.front_end import is_attended; print(is_attended())",
            allow_stdin=can_answer,
            timeout=30,
            output_hook=lambda message: heard.append(message["content"].get("text", "")),
        )
        assert "".join(heard).strip() == str(can_answer)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_run_leaves_a_record_in_the_project_and_none_beside_the_runbook(place: Path) -> None:
    run = looked()
    run.apply(PLAN)
    run.summary()
    (record,) = list_records(place / "runs")
    assert record.status is RunStatus.SUCCEEDED
    assert record.result
    assert record.result.dry_run is True
    assert record.parameters["configuration"] == "configuration.json"
    assert [event["event"] for event in record.events] == ["StepStarted", "HostPlanned", "StepFinished"]
    assert Plan.model_validate_json((record.folder / "plan.json").read_text()) == PLAN
    assert list((place / "runbooks").iterdir()) == []


def test_where_nobody_can_answer_no_record_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit.runbook.session.is_attended", lambda: False)
    looked().summary()
    assert not (place / "runs").exists()


def test_while_a_step_goes_on_the_record_says_so(place: Path) -> None:
    run = begun()
    assert run.record
    assert read_record(run.record).status is RunStatus.UNFINISHED
    with run.step("plan"):
        assert read_record(run.record).status is RunStatus.RUNNING
    assert read_record(run.record).status is RunStatus.UNFINISHED


def test_a_step_that_fails_ends_the_record_and_one_that_is_mended_goes_on(place: Path) -> None:
    run = begun()
    with pytest.raises(StepFailed), run.step("plan"):
        raise FedikitError("no host answers")
    assert run.record
    result = read_record(run.record).result
    assert result
    assert (result.status, result.failed_step, result.reason) == (RunStatus.FAILED, "plan", "no host answers")
    run.summary()
    assert read_record(run.record).status is RunStatus.FAILED
    with run.step("plan"):
        pass
    run.summary()
    assert read_record(run.record).status is RunStatus.SUCCEEDED


def test_a_secret_that_slipped_into_the_record_fails_the_run(place: Path) -> None:
    run = looked()
    run.hide(["correct horse battery"])
    assert run.record
    (run.record / "notes.txt").write_text("correct horse battery")
    with pytest.raises(FedikitError, match="a secret stands in the record"):
        run.summary()
    assert read_record(run.record).status is RunStatus.FAILED


def test_a_record_of_another_version_keeps_nobody_from_working(place: Path) -> None:
    first = looked()
    first.summary()
    assert first.record
    (first.record / "result.json").write_text("{}")
    looked().summary()


def test_an_interrupt_is_told_in_words_and_not_by_a_traceback(place: Path) -> None:
    run = begun(dry_run=False)
    with pytest.raises(StepStopped) as caught, run.step("apply"):
        raise KeyboardInterrupt
    told = "\n".join(caught.value._render_traceback_())
    assert told.startswith("deploy: apply was stopped")
    assert "run deploy.ipynb again from the top" in told
    assert "Traceback" not in told
    assert run.record
    result = read_record(run.record).result
    assert result
    assert (result.status, result.exit_status) == (RunStatus.INTERRUPTED, 130)


def test_a_folder_that_cannot_be_written_to_is_told_in_words(place: Path) -> None:
    (place / "runs").touch()
    with pytest.raises(FedikitError, match="no record can be kept"):
        begun()


def test_the_heading_names_the_last_run_and_it_can_be_shown_again(place: Path) -> None:
    assert "the last run" not in repr(begun())
    first = looked()
    first.summary()
    assert first.record
    second = looked()
    assert f"{first.record.name} (dry run): succeeded; runbook.last_run('deploy') shows it" in repr(second)
    assert "succeeded" in second._repr_html_()
    shown = last_run("deploy")
    assert shown.record.folder.name == first.record.name
    assert "alpha" in repr(shown)
    assert "nothing to change" in shown._repr_html_()


def test_a_run_that_was_cut_off_while_hosts_were_changed_is_the_last_one(place: Path) -> None:
    looked().summary()
    run = looked(dry_run=False)
    with pytest.raises(StepStopped), run.step("apply"):
        raise KeyboardInterrupt
    assert run.record
    (run.record / "result.json").unlink()
    assert last_run("deploy").sentence == f"{run.record.name}: unfinished"


def test_where_nothing_was_done_there_is_no_last_run(place: Path) -> None:
    begun()
    with pytest.raises(FedikitError, match="no run of verify"):
        last_run("verify")
    with pytest.raises(FedikitError, match="no run of any runbook"):
        last_run()


class Shown:
    """Stands for the output of a cell."""

    def __init__(self) -> None:
        self.bundles: list[dict[str, str]] = []

    def update(self, bundle: dict[str, str], **_: Any) -> None:
        self.bundles.append(bundle)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Shown:
    shown = Shown()
    monkeypatch.setattr("fedikit.runbook.progress.is_quiet", lambda: False)
    monkeypatch.setattr("fedikit.runbook.progress._display", lambda bundle: shown.update(bundle) or shown)
    return shown


def test_a_step_says_how_long_it_will_take_if_earlier_runs_tell(output: Shown) -> None:
    line = ProgressLine("apply", total=2, usual=90)
    assert output.bundles[0]["text/plain"] == "apply 0/2: … · 1:30 left or so"
    assert 'value="0.00"' in output.bundles[0]["text/html"]
    line.end(1.0, "")
    assert output.bundles[-1]["text/plain"] == "✔ apply 2/2, 1.0 s"  # all is done, though not each was told by itself
    assert "<progress" not in output.bundles[-1]["text/html"]


def test_without_earlier_runs_it_says_how_much_is_done(output: Shown) -> None:
    line = ProgressLine("plan", total=4)
    line(HostPlanned(host="alpha", changes=1, seconds=0.1))
    assert output.bundles[-1]["text/plain"].startswith("plan 1/4: ")
    assert "left" not in output.bundles[-1]["text/plain"]
    assert 'value="0.25"' in output.bundles[-1]["text/html"]


def test_a_run_knows_of_earlier_ones_how_long_a_step_takes(place: Path, output: Shown) -> None:
    first = looked()
    first.summary()
    assert first.record
    events = first.record / "events.ndjson"
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    lines[-1]["seconds"] = 42.0
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output.bundles.clear()
    looked()
    assert output.bundles[0]["text/plain"] == "plan: … · 42 s left or so"
