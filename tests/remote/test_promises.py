"""What a generation promised is checked after a rollback, from outside; a host cannot make others of its checks."""

import hmac
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.cli.verbs import Manner, act
from fedikit.model.check import PageShows
from fedikit.model.deployment import Deployment, Secrets
from fedikit.model.item import File
from fedikit.plan import make_plan, make_rollback
from fedikit.results.plan import Plan, Promise
from fedikit.results.verdict import Verdict
from fedikit.runbook.guidance import StepFailed
from fedikit.runbook.parameters import RollbackParameters
from fedikit.runbook.session import Run
from fedikit.secrets import Vault
from fedikit.verify import verify_rollback
from tests.remote.conftest import Stage

Wanted = Callable[..., Deployment]
PAGE = "/srv/index.html"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    """A web server that shows what is in the machine's directory."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(stage["one"].path("/srv")))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def named(stage: Stage, url: str) -> Wanted:
    """The deployment of a page with a name, which is promised to be seen."""

    def wanted(name: str) -> Deployment:
        page = File(path=PAGE, content=f"<p>{name}</p>\n")
        plain = stage.wants(one=[page])
        one = plain.hosts["one"].model_copy(update={"applications": ("hello",)})
        check = PageShows(application="hello", url=url, text=name, deadline=1)
        return plain.model_copy(update={"hosts": {**plain.hosts, "one": one}, "checks": (check,)})

    return wanted


def generation(stage: Stage, number: int, name: str = "stage") -> Path:
    return stage["one"].path(f"/var/lib/fedikit/deployments/{name}/generations/{number}.json")


def kept(stage: Stage, number: int, name: str = "stage") -> dict[str, str]:
    checks: dict[str, str] = json.loads(generation(stage, number, name).read_text())["checks"]
    return checks


def put(stage: Stage, number: int, checks: dict[str, str] | None) -> None:
    """What a host may do: it keeps other checks than it was given, or none."""
    record = json.loads(generation(stage, number).read_text())
    record.pop("checks", None)
    generation(stage, number).write_text(json.dumps(record | ({"checks": checks} if checks else {})))


def promise(plan: Plan) -> Promise:
    (found,) = plan.promises.values()
    return found


def test_after_a_rollback_the_page_shows_the_old_name_again(stage: Stage, named: Wanted) -> None:
    for name in ("old", "new"):
        assert stage.bring(named(name)).succeeded
    plan = make_rollback(stage.environment)
    assert not verify_rollback(plan).passed  # it shows the new one yet
    assert apply_plan(plan).succeeded
    verdict = verify_rollback(plan)
    assert [(each.name.partition("shows ")[2], each.passed) for each in verdict.results] == [("“old”", True)]
    assert plan.unpromised == ()


def test_a_rollback_promises_what_it_went_back_to(stage: Stage, named: Wanted) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    stage.rollback()
    stage.bring(named("newest"))
    plan = make_rollback(stage.environment)
    assert plan.hosts["one"].target == 3
    assert [check.name.partition("shows ")[2] for check in promise(plan).checks] == ["“old”"]


def test_the_last_apply_of_the_same_items_says_what_is_promised(stage: Stage, named: Wanted) -> None:
    stage.bring(named("old"))
    stage["one"].path(PAGE).write_text("edited\n")
    other = named("old").checks[0].model_copy(update={"deadline": 7})
    stage.bring(named("old").model_copy(update={"checks": (other,)}))
    stage.bring(named("new"))
    assert promise(make_rollback(stage.environment)).checks == (other,)


def test_no_secret_and_no_key_is_kept_with_a_generation(stage: Stage, named: Wanted) -> None:
    stage.bring(named("old"))
    text = generation(stage, 1).read_text()
    vault = Vault.of(named("old"))
    assert vault.checks_key("one").hex() not in text
    assert vault.checks_key("one") != vault.seal_key("one")


def test_of_an_older_generation_it_is_said_that_there_is_nothing_to_check(stage: Stage, named: Wanted) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    put(stage, 1, None)
    plan = make_rollback(stage.environment)
    assert plan.unpromised == ("one: generation 1 has no checks to be held against: it is older than they are",)
    assert "it is older" in plan.hosts["one"].note
    assert apply_plan(plan).succeeded
    assert verify_rollback(plan).results == ()
    assert "checks" not in json.loads(generation(stage, 3).read_text())


def test_where_there_is_no_master_key_nothing_is_sealed_and_that_is_said(stage: Stage, named: Wanted) -> None:
    stage.environment = stage.environment.model_copy(update={"secrets": Secrets()})
    for name in ("old", "new"):
        stage.bring(named(name))
    assert "checks" not in json.loads(generation(stage, 1).read_text())
    assert "there is no master key" in promise(make_rollback(stage.environment)).lack


def test_there_is_nothing_to_check_where_all_goes(stage: Stage, named: Wanted) -> None:
    stage.bring(named("old"))
    plan = make_rollback(stage.environment)
    assert (plan.hosts["one"].target, plan.unpromised, verify_rollback(plan).results) == (0, (), ())


# Hosts that lie


def forged(stage: Stage, named: Wanted) -> dict[str, str]:
    """Changed, and sealed by the one key that hosts do get."""
    text = kept(stage, 1)["text"].replace("old", "odd")
    return {"text": text, "seal": hmac.digest(Vault.of(named("old")).seal_key("one"), text.encode(), "sha256").hex()}


def replayed(stage: Stage, named: Wanted) -> dict[str, str]:
    return kept(stage, 2)


def foreign(stage: Stage, named: Wanted) -> dict[str, str]:
    """Of another deployment with the same master key, on the same machine."""
    Stage(stage.folder, "one", name="second").apply(one=[File(path="/srv/other", content="x\n")])
    return kept(stage, 1, "second")


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (forged, "shows checks of generation 1 that were not sealed here; they are not used"),
        (replayed, "shows the checks of generation 2 of stage on one as those of generation 1 of stage"),
        (foreign, "shows the checks of generation 1 of second on one as those of generation 1 of stage"),
    ],
)
def test_checks_that_were_not_sealed_for_this_generation_are_not_used(
    stage: Stage, named: Wanted, lie: Callable[[Stage, Wanted], dict[str, str]], words: str
) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    put(stage, 1, lie(stage, named))
    plan = make_rollback(stage.environment)
    assert words in promise(plan).lack
    assert words in plan.hosts["one"].note
    assert (plan.has_forgeries, promise(plan).checks) == (True, ())
    assert apply_plan(plan).succeeded
    assert verify_rollback(plan).results == ()


def test_of_a_host_that_lies_the_configurations_own_checks_are_used(stage: Stage, named: Wanted) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    put(stage, 1, replayed(stage, named))
    plan = make_rollback(named("old"))
    apply_plan(plan)
    (result,) = verify_rollback(plan).results
    assert (result.check, result.passed) == (named("old").checks[0], True)


def test_no_host_has_the_key_of_another(pair: Stage) -> None:
    first, second = (Vault.of(pair.environment.empty()).checks_key(host) for host in ("one", "two"))
    assert first != second


@pytest.mark.parametrize("checks", [{"text": "\x1b[2J", "seal": "0" * 64}, {"text": "x" * 262_145, "seal": "0" * 64},
                                    {"text": "{}", "seal": "no"}, {"text": "{}"}])  # fmt: skip
def test_checks_without_measure_or_form_do_not_pass_the_door(
    stage: Stage, named: Wanted, checks: dict[str, str]
) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    put(stage, 1, checks)
    assert "the agent spoke nonsense: answer.checks" in make_rollback(stage.environment).hosts["one"].error


def test_a_plan_of_an_apply_promises_nothing_yet(stage: Stage, named: Wanted) -> None:
    assert make_plan(named("old")).promises == {}


# The verb and the runbook


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a verb would end its process at once, the test goes on."""
    monkeypatch.setattr(os, "_exit", sys.exit)


def go_back(stage: Stage, *, as_json: bool) -> int:
    """The exit status of the verb."""
    environment = stage.environment
    with pytest.raises(SystemExit) as ended:
        act(
            environment.empty(),
            lambda sessions, tell: make_rollback(environment, sessions=sessions, tell=tell),
            Manner(yes=True, as_json=as_json, diff=False),
        )
    return int(str(ended.value.code))


@pytest.mark.usefixtures("ends")
def test_the_verb_ends_well_only_if_what_served_then_serves_again(
    stage: Stage, named: Wanted, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    assert go_back(stage, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["purpose"], [each["passed"] for each in said["verdict"]["results"]]) == ("rollback", [True])
    broken = named("broken").model_copy(update={"checks": named("never there").checks})
    for wanted in (broken, named("new")):
        stage.bring(wanted)
    assert go_back(stage, as_json=False) == 1
    assert "shows “never there”" in capsys.readouterr().out


@pytest.mark.usefixtures("ends")
def test_the_verb_fails_where_a_host_lies_and_says_so(
    stage: Stage, named: Wanted, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    put(stage, 1, replayed(stage, named))
    assert go_back(stage, as_json=False) == 1
    assert "not checked: one: shows the checks of generation 2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("shown", "words"), [("old", ""), ("else", "what served then does not serve again")])
def test_the_runbook_fails_if_what_served_then_does_not_serve_again(
    stage: Stage, named: Wanted, shown: str, words: str, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        stage.bring(named(name))
    plan = make_rollback(stage.environment)
    apply_plan(plan)
    stage["one"].path(PAGE).write_text(shown)
    (tmp_path / "record").mkdir()
    run = Run(RollbackParameters(dry_run=False), record=tmp_path / "record")
    with pytest.raises(StepFailed, match=words) if words else nullcontext(), run.step("verify"):
        run.verify_back(plan)
    verdict = Verdict.model_validate_json((tmp_path / "record/verdict.json").read_text())
    assert verdict.passed is not bool(words)
