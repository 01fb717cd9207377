"""What the cells of a runbook may do, when, and what they are told."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import fedikit
from fedikit.errors import FedikitError
from fedikit.events import HostFinished, StepFinished, StepStarted
from fedikit.model.check import DnsResolves
from fedikit.model.deployment import Deployment
from fedikit.model.host import DnsRecord, HostState
from fedikit.model.item import File
from fedikit.remote.directory import DirectoryMachine
from fedikit.results.check import CheckResult
from fedikit.results.plan import HostPlan, Plan, PlannedChange
from fedikit.results.report import HostReport, Report
from fedikit.results.status import HostStatus, LastRun, Status
from fedikit.results.verdict import Verdict
from fedikit.runbook import begin
from fedikit.runbook.guidance import InvalidInput, RunbookError, StepFailed, StepRefused, show_advice
from fedikit.runbook.parameters import DeployParameters, RemoveParameters
from fedikit.runbook.session import Run

NOTHING = Deployment(name="lab", hosts={})
PLAN = Plan(purpose="apply", deployment=NOTHING, hosts={})
SECRET = "correct horse battery"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(DeployParameters(dry_run=False), record=tmp_path)


def planned(run: Run) -> Run:
    with run.step("plan"):
        pass
    return run


def events_of(run: Run) -> list[dict[str, Any]]:
    assert run.record
    return [json.loads(line) for line in (run.record / "events.ndjson").read_text().splitlines()]


@pytest.fixture
def failed_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply_plan(plan: Plan, *, sessions: object, tell: object) -> Report:
        alpha = HostReport(host="alpha", outcome="failed", error="the disk is full")
        return Report(purpose="apply", run="r1", hosts={"alpha": alpha}, seconds=0.1)

    monkeypatch.setattr(fedikit, "apply_safely", apply_plan, raising=False)


def test_a_dry_run_does_not_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedikit, "apply_safely", lambda *_: pytest.fail("it acted"), raising=False)
    run = planned(Run(DeployParameters()))
    assert "nothing was changed" in repr(run.apply(PLAN))
    assert "nothing was changed" in repr(run.verify(NOTHING))
    assert "To apply: dry_run = False" in repr(run.summary())


def test_another_plan_than_the_one_agreed_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedikit, "apply_safely", lambda *_: pytest.fail("it was applied"), raising=False)
    moved = PLAN.model_copy(update={"hosts": {"alpha": HostPlan(host="alpha", basis="moved")}})
    run = planned(Run(DeployParameters(dry_run=False, agreed=moved.digest), record=tmp_path))
    with pytest.raises(StepFailed, match="no longer what was agreed to"):
        run.apply(PLAN)


def test_the_plan_agreed_to_is_applied(run: Run) -> None:
    agreed = Run(run.parameters.model_copy(update={"agreed": PLAN.digest}), record=run.record)
    assert isinstance(planned(agreed).apply(PLAN), Report)


def test_a_run_keeps_plan_report_and_verdict(run: Run) -> None:
    run.require_answers(PLAN)
    planned(run).apply(PLAN)
    run.verify(NOTHING)
    assert run.record
    assert Plan.model_validate_json((run.record / "plan.json").read_text()).digest == PLAN.digest
    assert Report.model_validate_json((run.record / "report.json").read_text()).succeeded
    assert Verdict.model_validate_json((run.record / "verdict.json").read_text()).passed


def test_a_run_acts_once(run: Run) -> None:
    assert isinstance(planned(run).apply(PLAN), Report)
    with pytest.raises(StepRefused, match="applied its plan already"):
        run.apply(PLAN)


def test_a_run_does_not_act_without_a_plan_of_its_own(run: Run) -> None:
    with pytest.raises(StepRefused, match="no plan yet"):
        run.apply(PLAN)


def test_a_run_does_not_act_after_its_latest_plan_failed(run: Run) -> None:
    planned(run)
    with pytest.raises(StepFailed), run.step("plan"):
        raise FedikitError("no host answers")
    with pytest.raises(StepRefused, match="no plan yet"):
        run.apply(PLAN)


@pytest.mark.usefixtures("failed_apply")
def test_a_failed_act_shows_the_report_and_names_what_helps(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StepFailed, match=r"next: run rollback\.ipynb, or deploy\.ipynb again"):
        planned(run).apply(PLAN)
    assert "alpha" in capsys.readouterr().out
    assert events_of(run)[-1]["failed"] is True
    assert "apply        failed" in repr(run.summary())


def test_a_plan_with_errors_is_not_acted_on(run: Run) -> None:
    unreachable = Plan(purpose="apply", deployment=NOTHING, hosts={"alpha": HostPlan(host="alpha", error="no answer")})
    with pytest.raises(StepFailed, match="limit="), run.step("plan"):
        run.require_answers(unreachable)


def test_what_is_left_after_acting_fails_the_run_but_not_the_dry_run() -> None:
    left = Plan(purpose="remove", deployment=NOTHING, hosts={"alpha": HostPlan(host="alpha", error="no answer")})
    Run(RemoveParameters()).require_done(left)
    with pytest.raises(FedikitError, match="still something to do"):
        Run(RemoveParameters(dry_run=False)).require_done(left)


def test_the_librarys_part_of_a_step_is_not_told_twice(run: Run) -> None:
    with run.step("plan"):
        run.tell(StepStarted(step="plan"))
        run.tell(HostFinished(host="alpha", outcome="same", seconds=0.1))
        run.tell(StepFinished(step="plan", seconds=0.1))
    assert [event["event"] for event in events_of(run)] == ["StepStarted", "HostFinished", "StepFinished"]


def test_each_event_has_its_time_in_utc(run: Run) -> None:
    planned(run)
    assert all(event["time"].endswith("+00:00") for event in events_of(run))


def test_wrong_parameters_are_refused_inside_the_kernel_too() -> None:
    with pytest.raises(InvalidInput, match="dry_run") as caught:
        begin("deploy", dry_run="false")
    assert caught.value.exit_status == 2


def test_a_secret_that_slips_is_scrubbed_from_all_that_the_run_writes(run: Run) -> None:
    run.hide([SECRET])
    run.tell(HostFinished(host="alpha", outcome="failed", seconds=0.1, detail=f"login with {SECRET}"))
    with pytest.raises(StepFailed) as caught, run.step("apply"):
        raise FedikitError(f"login with {SECRET}", hint=f"try {SECRET}")
    assert SECRET not in str(caught.value)
    assert "login with •••" in str(caught.value)
    assert run.record
    assert SECRET not in (run.record / "events.ndjson").read_text()
    run.summary()


def test_a_secret_in_the_record_fails_the_run(run: Run) -> None:
    run.hide([SECRET])
    assert run.record
    (run.record / "deploy.ipynb").write_text(json.dumps({"text": SECRET}))
    with pytest.raises(RunbookError, match=r"a secret stands in the record: deploy\.ipynb"):
        run.summary()


def test_advice_links_to_the_runbooks_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    show_advice("run rollback.ipynb & wait", base="../../runbooks/")
    assert shown[0]["text/html"].endswith('run <a href="../../runbooks/rollback.ipynb">rollback.ipynb</a> &amp; wait')


def test_the_heading_says_whether_hosts_will_change() -> None:
    assert "nothing will be changed" in repr(Run(DeployParameters()))
    assert "will change hosts" in repr(Run(DeployParameters(dry_run=False)))
    assert "<td>restore</td>" in Run(DeployParameters())._repr_html_()


def test_the_summary_has_the_picture_of_the_run(run: Run) -> None:
    with run.step("plan"):
        run.tell(HostFinished(host="alpha<b>", outcome="failed", seconds=0.1, detail="full"))
    shown = run.summary()._repr_html_()
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in shown
    assert "alpha&lt;b&gt;" in shown
    assert "svg" not in repr(run.summary())


def test_a_step_that_failed_shows_what_its_hosts_did(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    run.tell(HostFinished(host="alpha", outcome="failed", seconds=0.1, detail="full"))
    with pytest.raises(StepFailed), run.step("apply"):
        raise FedikitError("not every host was brought to its wanted state")
    assert any("<svg" in bundle["text/html"] for bundle in shown)


# What stands in the way


def would_make_a_name(folder: Path) -> Plan:
    """A plan for a host in a directory, whose name leads nowhere."""
    machine = DirectoryMachine.at(folder / "machine")
    state = HostState(connection=machine.connection, items=(File(path="/etc/a", content="a\n"),))
    record = DnsRecord(name="nowhere.invalid", type="A", address="127.0.0.1")
    return fedikit.make_plan(Deployment(name="home", hosts={"one": state}, dns=(record,)))


@pytest.mark.parametrize(
    ("obstacles", "dry_run", "stops"),
    [("say", False, False), ("stop", False, True), ("stop", True, False)],
)
def test_what_stands_in_the_way_is_said_and_stops_the_run_if_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], obstacles: Any, dry_run: bool, stops: bool
) -> None:
    run = Run(DeployParameters(dry_run=dry_run, obstacles=obstacles), record=tmp_path)
    with pytest.raises(StepFailed, match="something stands in the way") if stops else nullcontext(), run.step("plan"):
        run.foresee(would_make_a_name(tmp_path))
    assert "nowhere.invalid. 3600 IN A 127.0.0.1" in capsys.readouterr().out


def test_where_nothing_would_change_nothing_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.foresee(PLAN)
    assert capsys.readouterr().out == ""


def test_a_record_that_cannot_be_written_costs_the_record_and_not_the_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.record
    shutil.rmtree(run.record)
    with run.step("plan"):
        run.require_answers(PLAN)
    assert run.apply(PLAN)
    assert "report.json cannot be written" in capsys.readouterr().out


def verified(run: Run, monkeypatch: pytest.MonkeyPatch, *, passed: bool, silent: str = "") -> str:
    """What a verification fails with, where a host may be silent."""
    hosts = {name: HostStatus(host=name, error="is down" if name == silent else "") for name in ("alpha", "beta")}
    check = DnsResolves(application="hello", domain="hello.example", address="192.0.2.1")
    result = CheckResult(
        name="dns", application="hello", passed=passed, seconds=0.1, detail="", attempts=1, check=check
    )
    monkeypatch.setattr(fedikit, "verify_deployment", lambda *_, **__: Verdict(results=(result,)), raising=False)
    with run.step("plan"):
        run.note_answers(Status(deployment="lab", hosts=hosts))
    try:
        run.verify(NOTHING)
    except StepFailed as error:
        return error.message
    return ""


def test_a_silent_host_hides_no_check_of_the_others_and_fails_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verified(run, monkeypatch, passed=True) == ""
    assert "every check passed, but no answer came from beta" in verified(run, monkeypatch, passed=True, silent="beta")
    failed = verified(run, monkeypatch, passed=False, silent="beta")
    assert "not every check passed, but no answer came from beta" in failed
    assert run.record
    assert (run.record / "verdict.json").is_file()


@pytest.mark.parametrize(
    ("state", "target", "is_back"), [("done", 3, True), ("done", 2, False), ("done", None, False), ("failed", 3, False)]
)
def test_who_is_not_back_where_it_was_going_fails_the_rollback(
    run: Run, state: str, target: int | None, is_back: bool
) -> None:
    change = PlannedChange(id="file:/etc/a", action="update")
    plan = PLAN.model_copy(update={"hosts": {"alpha": HostPlan(host="alpha", target=3, changes=(change,))}})
    last = LastRun(run="r1", who="me", time="", state=state, target=target)
    present = Status(deployment="lab", hosts={"alpha": HostStatus(host="alpha", last_run=last)})
    if is_back:
        run.require_back(plan, present)
        return
    with pytest.raises(FedikitError, match="not back where they were going: alpha"):
        run.require_back(plan, present)
