"""Plan, apply, rollback, drift, kept data and order of hosts, over hosts that are directories."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import fedikit
from fedikit.apply import apply_plan
from fedikit.environment.load import load_environment
from fedikit.errors import ConfigurationError, ConnectionFailed, FedikitError
from fedikit.events import Event, HostFinished, ItemFinished, ItemStarted
from fedikit.model.deployment import Secrets
from fedikit.model.item import Directory, File, Item, Job, Package, SecretRef, SecretText, Symlink, Unit, User
from fedikit.plan import load_plan, make_plan, make_rollback, save_plan
from fedikit.remote.directory import DirectoryMachine
from fedikit.remote.sessions import Sessions
from fedikit.results.plan import Plan
from fedikit.status import read_status
from tests.remote.conftest import Stage, Staged, noting, tree_of

A, B = File(path="/etc/a", content="a\n"), File(path="/etc/b", content="b\n")
DATA = Directory(path="/srv/data", data=True)
SERVICE = File(path="/etc/systemd/system/app.service", content="[Service]\nExecStart=/usr/bin/app\n")
UNIT = Unit(name="app.service", restart_on=(SERVICE.id, A.id))
SECRET = SecretRef(name="app/password")
ENV = File(path="/etc/app.env", content=SecretText(parts=("PASSWORD=", SECRET, "\n")), mode="0600")


def text(stage: Stage, path: str, host: str = "one") -> str:
    return stage[host].path(path).read_text()


@contextmanager
def other_systemctl(stage: Stage, script: str) -> Iterator[None]:
    """Meanwhile a shell script is asked first, and asks `systemctl.real`."""
    plain, real = stage["one"].path("/usr/bin/systemctl"), stage["one"].path("/usr/bin/systemctl.real")
    plain.rename(real)
    stage["one"].program("systemctl", f"#!/bin/sh\n{script}\n")
    yield
    real.rename(plain)


def failing(stage: Stage, verb: str) -> AbstractContextManager[None]:
    return other_systemctl(stage, f'[ "$1" = {verb} ] && exit 1\nexec "$0.real" "$@"')


def showing(stage: Stage, properties: dict[str, str]) -> AbstractContextManager[None]:
    """systemd says so of all units."""
    edits = " ".join(f"-e 's/^{name}=.*/{name}={value}/'" for name, value in properties.items())
    return other_systemctl(stage, f'"$0.real" "$@" >"$0.said"; status=$?\n/bin/sed {edits} "$0.said"; exit $status')


def actions(plan: Plan, host: str = "one") -> dict[str, str]:
    return {change.id: change.action for change in plan.hosts[host].changes}


# Planning


def test_a_plan_changes_nothing(stage: Stage) -> None:
    before = tree_of(stage["one"])
    assert actions(stage.plan(one=[A, DATA])) == {A.id: "create", DATA.id: "create"}
    assert tree_of(stage["one"]) == before
    assert not stage["one"].path("/var/lib/fedikit").exists()


def test_a_plan_is_a_pure_value(stage: Stage) -> None:
    plan = stage.plan(one=[A])
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_what_was_applied_is_nothing_to_do(stage: Stage) -> None:
    items = [A, DATA, Symlink(path="/etc/link", target="a")]
    assert stage.apply(one=items).hosts["one"].outcome == "changed"
    assert stage.plan(one=items).is_noop
    assert stage.apply(one=items).hosts["one"].outcome == "same"


def test_an_update_shows_both_texts(stage: Stage) -> None:
    stage.apply(one=[A])
    (change,) = stage.plan(one=[File(path="/etc/a", content="other\n")]).hosts["one"].changes
    assert (change.action, change.before, change.after) == ("update", "a\n", "other\n")


def test_a_secret_is_in_no_plan_and_no_record_of_the_host(stage: Stage) -> None:
    plan = stage.plan(one=[ENV])
    stage.apply(one=[ENV])
    (value,) = text(stage, "/etc/app.env").splitlines()
    password = value.removeprefix("PASSWORD=")
    assert len(password) == 24
    records = [path.read_text() for path in stage["one"].path("/var/lib/fedikit").rglob("*.json")]
    assert not [record for record in [plan.model_dump_json(), *records] if password in record]


def test_limit_plans_those_hosts_only(pair: Stage) -> None:
    plan = make_plan(pair.wants(one=[A], two=[B]), limit=["two"])
    assert plan.hosts.keys() == {"two"}
    with pytest.raises(ConfigurationError, match="there is no host three"):
        make_plan(pair.wants(), limit=["three"])


def test_a_package_cannot_be_had_in_a_directory_and_the_others_finish(pair: Stage) -> None:
    before = tree_of(pair["one"])
    report = pair.apply(one=[Package(name="jq", version="9.9")], two=[B])
    assert report.hosts["one"].outcome == "failed"
    assert report.hosts["two"].outcome == "changed"
    assert tree_of(pair["one"]) == before


# Applying


def test_events_tell_what_happens_and_in_order(stage: Stage) -> None:
    events: list[Event] = []
    stage.apply(one=[A, B], tell=events.append)
    told = [event for event in events if isinstance(event, ItemStarted | ItemFinished)]
    assert [(type(event).__name__, event.item) for event in told] == [
        ("ItemStarted", A.id),
        ("ItemFinished", A.id),
        ("ItemStarted", B.id),
        ("ItemFinished", B.id),
    ]
    assert [event.outcome for event in events if isinstance(event, HostFinished) and event.host == "one"] == ["changed"]


def test_plan_and_apply_are_one_contact_with_shared_sessions_and_two_without(
    pair: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fedikit.remote import session

    opened: list[str] = []
    plainly = session.open_contact
    monkeypatch.setattr(session, "open_contact", lambda *given: opened.append(given[0]) or plainly(*given))  # type: ignore[func-returns-value]
    pair.apply(one=[A])
    assert sorted(opened) == ["one", "two"]
    opened.clear()
    assert apply_plan(make_plan(pair.wants(one=[A, B]))).succeeded
    assert sorted(opened) == ["one", "one", "two"]


def test_what_was_there_before_comes_back(stage: Stage) -> None:
    stage["one"].path("/etc/a").write_text("mine\n")
    stage["one"].path("/etc/a").chmod(0o600)
    before = tree_of(stage["one"])
    assert stage.apply(one=[A]).succeeded
    assert text(stage, "/etc/a") == "a\n"
    assert actions(stage.plan(one=[])) == {A.id: "restore"}
    assert stage.remove().succeeded
    assert tree_of(stage["one"]) == before


def test_removal_leaves_no_trace(stage: Stage) -> None:
    before = tree_of(stage["one"])
    stage.apply(one=[SERVICE, A, UNIT, DATA, ENV])
    assert stage.remove().succeeded
    assert stage.remove(purge=True).succeeded
    assert tree_of(stage["one"]) == before
    assert not stage["one"].path("/var/lib/fedikit").exists()


def test_a_unit_is_started_and_restarted_when_what_it_watches_changes(stage: Stage) -> None:
    assert stage.apply(one=[A, SERVICE, UNIT]).succeeded
    newer = File(path="/etc/a", content="newer\n")
    assert actions(stage.plan(one=[newer, SERVICE, UNIT])) == {A.id: "update", UNIT.id: "update"}
    assert stage.apply(one=[newer, SERVICE, UNIT]).succeeded
    assert stage.plan(one=[newer, SERVICE, UNIT]).is_noop


def test_a_unit_that_cannot_start_fails_its_host_by_name(stage: Stage) -> None:
    failing = File(path=SERVICE.path, content="[Service]\nExecStart=/bin/false\n")
    report = stage.apply(one=[A, failing, UNIT])
    assert report.hosts["one"].outcome == "failed"
    assert "start of app.service failed" in report.hosts["one"].error
    assert "failed at unit:app.service" in stage.plan(one=[A, failing, UNIT]).hosts["one"].note
    assert stage.apply(one=[A, SERVICE, UNIT]).succeeded


def test_a_job_runs_once_and_again_when_its_inputs_change(stage: Stage) -> None:
    stage["one"].program("count", f"#!/bin/sh\necho x >>{stage['one'].path('/srv/counted')}\n")
    job = Job(name="count", run=("count",), inputs=(A.id,))
    for items in ([A, job], [A, job], [File(path="/etc/a", content="z\n"), job]):
        assert stage.apply(one=items).succeeded
    assert text(stage, "/srv/counted") == "x\nx\n"


def test_a_job_that_failed_half_way_runs_again_with_the_configuration_from_before(stage: Stage) -> None:
    said = stage["one"].path("/srv/said")
    stage["one"].program("say", f'#!/bin/sh\necho "$1" >>{said}\n[ "$1" = good ]\n')
    good, bad = Job(name="say", run=("say", "good")), Job(name="say", run=("say", "bad"))
    assert stage.apply(one=[good]).succeeded
    assert not stage.apply(one=[bad]).succeeded
    assert actions(stage.plan(one=[good])) == {good.id: "run"}
    assert stage.rollback().succeeded
    assert said.read_text() == "good\nbad\ngood\n"
    assert stage.plan(one=[good]).is_noop


def test_a_unit_whose_restart_failed_is_restarted_with_the_configuration_from_before(stage: Stage) -> None:
    newer = File(path="/etc/a", content="newer\n")
    assert stage.apply(one=[A, SERVICE, UNIT]).succeeded
    with failing(stage, "restart"):
        assert not stage.apply(one=[newer, SERVICE, UNIT]).succeeded
    assert actions(stage.plan(one=[A, SERVICE, UNIT])) == {A.id: "update", UNIT.id: "update"}


def test_a_unit_that_answers_to_a_job_is_restarted_when_that_is_done_over(stage: Stage) -> None:
    stage["one"].program("fill", "#!/bin/sh\ntest -e $0.good\n")
    stage["one"].program("fill.good", "")
    first, other = Job(name="fill", run=("fill",)), Job(name="fill", run=("fill", "more"))
    unit = Unit(name="app.service", restart_on=(first.id,))
    assert stage.apply(one=[SERVICE, first, unit]).succeeded
    stage["one"].path("/usr/bin/fill.good").unlink()
    assert not stage.apply(one=[SERVICE, other, unit]).succeeded
    assert actions(stage.plan(one=[SERVICE, first, unit])) == {first.id: "run", unit.id: "update"}


def test_a_unit_that_falls_over_again_and_again_is_not_taken_for_running(stage: Stage) -> None:
    loop = {"ActiveState": "activating", "SubState": "auto-restart"}
    with showing(stage, loop):
        for _ in "once", "again":
            error = stage.apply(one=[A, SERVICE, UNIT]).hosts["one"].error
            assert "did not stay up: activating" in error
        assert "inactive → active" in stage.plan(one=[A, SERVICE, UNIT]).hosts["one"].changes[0].reasons


def test_a_command_of_this_machine_is_not_run(stage: Stage) -> None:
    report = stage.apply(one=[Job(name="touch", run=("touch", "/tmp/fedikit-was-here"))])
    assert "there is no command `touch` on this host" in report.hosts["one"].error
    assert not Path("/tmp/fedikit-was-here").exists()


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_command_by_its_path_is_the_directorys_own(stage: Stage, user: str) -> None:
    job = Job(name="touch", run=("/usr/bin/touch", "/tmp/fedikit-was-here"), user=user)
    assert not stage.apply(one=[job]).succeeded
    assert not Path("/tmp/fedikit-was-here").exists()


def test_a_failure_leaves_what_was_made_and_the_next_apply_completes_it(stage: Stage) -> None:
    bad = Job(name="bad", run=("nothing",))
    assert not stage.apply(one=[A, bad, B]).succeeded
    assert text(stage, "/etc/a") == "a\n"
    assert not stage["one"].path("/etc/b").exists()
    assert stage.apply(one=[A, B]).succeeded
    assert stage.plan(one=[A, B]).is_noop


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's files can be made by root only")
def test_users_of_a_directory_stand_in_its_own_passwd(stage: Stage) -> None:
    this_machines = Path("/etc/passwd").read_text()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
    user = User(name="alice", authorized_keys=(key,), groups=("sudo",))
    assert stage.apply(one=[user]).succeeded
    assert "alice:x:" in text(stage, "/etc/passwd")
    assert text(stage, "/home/alice/.ssh/authorized_keys") == f"{key}\n"
    assert stage.plan(one=[user]).is_noop
    assert stage.remove().succeeded
    assert "alice" not in text(stage, "/etc/passwd")
    assert Path("/etc/passwd").read_text() == this_machines


# Order of hosts


def test_a_host_waits_for_those_before_it(pair: Stage) -> None:
    pair.after("one", "two")
    finished: list[str] = []
    pair.apply(
        one=[A], two=[B], tell=lambda event: finished.append(event.host) if isinstance(event, HostFinished) else None
    )
    assert finished == ["two", "one"]


def test_who_waits_for_a_host_that_fails_is_skipped(pair: Stage) -> None:
    pair.after("one", "two")
    report = pair.apply(one=[A], two=[Job(name="bad", run=("nothing",))])
    assert {host: part.outcome for host, part in report.hosts.items()} == {"one": "skipped", "two": "failed"}
    assert report.hosts["one"].error == "waits for two, which failed"
    assert not pair["one"].path("/etc/a").exists()


def test_a_removal_goes_the_other_way_round(pair: Stage) -> None:
    pair.after("one", "two")
    pair.apply(one=[A], two=[B])
    finished: list[str] = []
    plan = fedikit.make_removal(pair.environment)
    apply_plan(plan, tell=noting(finished))
    assert finished == ["one", "two"]


def test_hosts_that_do_not_wait_finish_though_another_fails(pair: Stage) -> None:
    shutil.rmtree(pair["one"].root)
    pair["one"].root.write_text("no directory any more")
    report = pair.apply(one=[A], two=[B])
    assert {host: part.outcome for host, part in report.hosts.items()} == {"one": "failed", "two": "changed"}


# Stale plans


def test_a_host_that_moved_refuses_its_plan(stage: Stage) -> None:
    plan = stage.plan(one=[A])
    stage["one"].path("/etc/a").write_text("meanwhile\n")
    report = apply_plan(plan)
    assert "has changed since it was planned; nothing was done" in report.hosts["one"].error
    assert text(stage, "/etc/a") == "meanwhile\n"


def test_a_host_that_moves_after_it_was_asked_refuses_as_well(stage: Stage) -> None:
    deployment = stage.wants(one=[A])
    with Sessions(deployment) as sessions:
        plan = make_plan(deployment, sessions=sessions)
        stage["one"].path("/etc/a").write_text("meanwhile\n")
        report = apply_plan(plan, sessions=sessions)
    assert "has changed since it was planned; nothing was done" in report.hosts["one"].error


def test_a_saved_plan_is_private_sealed_and_can_be_applied(stage: Stage, tmp_path: Path) -> None:
    deployment = stage.wants(one=[A])
    save_plan(make_plan(deployment), tmp_path / "plan.json")
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert apply_plan(load_plan(tmp_path / "plan.json", deployment)).succeeded


@pytest.mark.parametrize("edit", ["basis", "purge", "seal"])
def test_a_saved_plan_that_somebody_changed_is_refused(stage: Stage, tmp_path: Path, edit: str) -> None:
    deployment = stage.wants(one=[A])
    save_plan(make_plan(deployment), tmp_path / "plan.json")
    saved = json.loads((tmp_path / "plan.json").read_text())
    edited = {
        "basis": saved | {"plan": saved["plan"].replace('"basis":"', '"basis":"0')},
        "purge": saved | {"plan": saved["plan"].replace('"purge":false', '"purge":true')},
        "seal": saved | {"seal": ""},
    }[edit]
    assert edited != saved
    (tmp_path / "plan.json").write_text(json.dumps(edited))
    with pytest.raises(ConfigurationError, match="seal: does not fit"):
        load_plan(tmp_path / "plan.json", deployment)


def test_a_plan_of_another_configuration_is_refused(stage: Stage, tmp_path: Path) -> None:
    save_plan(stage.plan(one=[A]), tmp_path / "plan.json")
    with pytest.raises(FedikitError, match="another configuration"):
        load_plan(tmp_path / "plan.json", stage.wants(one=[B]))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"plan": 1, "seal": 2}', '{"plan": "{}", "seal": ""}', "\x00"])
def test_what_is_no_saved_plan_is_refused_in_words(stage: Stage, tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(ConfigurationError, match="cannot be read as a saved plan"):
        load_plan(tmp_path / "plan.json", stage.wants(one=[A]))


# Drift


def test_an_edited_file_is_restored_and_its_edition_saved(stage: Stage) -> None:
    stage.apply(one=[A])
    stage["one"].path("/etc/a").write_text("edited\n")
    (change,) = stage.plan(one=[A]).hosts["one"].changes
    assert (change.drift, change.before) == (True, "edited\n")
    (item,) = stage.apply(one=[A]).hosts["one"].items
    assert Path(item.saved).read_text() == "edited\n"
    assert text(stage, "/etc/a") == "a\n"


def test_an_edited_file_is_kept_where_that_is_asked_for(stage: Stage) -> None:
    stage.apply(one=[A])
    stage["one"].path("/etc/a").write_text("edited\n")
    plan = make_plan(stage.wants(one=[A]), drift="keep")
    assert actions(plan) == {A.id: "keep"}
    assert plan.is_noop
    assert text(stage, "/etc/a") == "edited\n"


def test_an_edited_file_that_leaves_is_kept_unless_purged(stage: Stage) -> None:
    stage.apply(one=[A])
    stage["one"].path("/etc/a").write_text("edited\n")
    assert stage.remove().succeeded
    assert text(stage, "/etc/a") == "edited\n"
    assert stage.remove(purge=True).succeeded
    assert not stage["one"].path("/etc/a").exists()


def test_a_stopped_unit_is_started_again(stage: Stage) -> None:
    stage.apply(one=[A, SERVICE, UNIT])
    memory = stage["one"].path("/run/simulated-systemd.json")
    memory.write_text(memory.read_text().replace('"active"', '"inactive"', 2).replace('"inactive":', '"active":', 1))
    (change,) = stage.plan(one=[A, SERVICE, UNIT]).hosts["one"].changes
    assert change.reasons == ("inactive → active",)
    assert stage.apply(one=[A, SERVICE, UNIT]).succeeded
    assert stage.plan(one=[A, SERVICE, UNIT]).is_noop


# Kept data


def test_data_is_kept_until_it_is_purged(stage: Stage) -> None:
    stage.apply(one=[DATA])
    stage["one"].path("/srv/data/picture").write_text("x")
    assert actions(stage.plan(one=[])) == {DATA.id: "keep"}
    assert stage.remove().succeeded
    assert text(stage, "/srv/data/picture") == "x"
    assert stage.plan(one=[]).hosts["one"].kept == (DATA.id,)
    assert stage.remove(purge=True).succeeded
    assert not stage["one"].path("/srv/data").exists()


def test_kept_data_is_found_again(stage: Stage) -> None:
    stage.apply(one=[DATA])
    stage["one"].path("/srv/data/picture").write_text("x")
    stage.remove()
    assert actions(stage.plan(one=[DATA])) == {DATA.id: "adopt"}
    assert stage.apply(one=[DATA]).succeeded
    assert text(stage, "/srv/data/picture") == "x"


def test_data_that_was_there_before_is_never_purged(stage: Stage) -> None:
    stage["one"].path("/srv/data").mkdir()
    stage["one"].path("/srv/data/picture").write_text("x")
    stage.apply(one=[DATA])
    stage.remove(purge=True)
    assert text(stage, "/srv/data/picture") == "x"


# Rollback


def test_a_rollback_goes_back_to_what_was_wanted_before(stage: Stage) -> None:
    stage.apply(one=[A])
    stage.apply(one=[File(path="/etc/a", content="newer\n"), B])
    plan = make_rollback(stage.environment)
    assert actions(plan) == {A.id: "update", B.id: "delete"}
    assert apply_plan(plan).succeeded
    assert text(stage, "/etc/a") == "a\n"
    assert not stage["one"].path("/etc/b").exists()


def test_a_rollback_after_the_first_apply_takes_all_away(stage: Stage) -> None:
    before = tree_of(stage["one"])
    stage.apply(one=[A, B])
    assert stage.rollback().succeeded
    assert tree_of(stage["one"]) == before


def test_a_second_rollback_undoes_the_first(stage: Stage) -> None:
    stage.apply(one=[A])
    stage.apply(one=[B])
    stage.rollback()
    stage.rollback()
    assert not stage["one"].path("/etc/a").exists()
    assert text(stage, "/etc/b") == "b\n"


def test_a_rollback_goes_to_a_generation_by_its_number(stage: Stage) -> None:
    for content in ("1", "2", "3"):
        stage.apply(one=[File(path="/etc/a", content=content)])
    assert stage.rollback(to=1).hosts["one"].generation == 4
    assert text(stage, "/etc/a") == "1"
    error = stage.rollback(to=99).hosts["one"].error
    assert "there is no generation 99" in error


def test_a_rollback_leaves_hosts_alone_that_the_last_apply_did_not_touch(pair: Stage) -> None:
    pair.apply(one=[A], two=[A])
    pair.apply(one=[A], two=[A, B])
    plan = make_rollback(pair.environment)
    assert plan.hosts["one"].note == "not part of the last change"
    assert apply_plan(plan).succeeded
    assert text(pair, "/etc/a") == "a\n"
    assert not pair["two"].path("/etc/b").exists()


def test_a_rollback_restarts_units(stage: Stage) -> None:
    stage.apply(one=[A, SERVICE, UNIT])
    stage.apply(one=[File(path="/etc/a", content="newer\n"), SERVICE, UNIT])
    assert actions(make_rollback(stage.environment)) == {A.id: "update", UNIT.id: "update"}


def written(setting: str, secret: SecretRef = SECRET) -> list[Item]:
    """What a container policy writes: plain variables and secret ones, and a unit that answers to both."""
    plain = File(path="/etc/app.env", content=f"LOCALE={setting}\n", mode="0600")
    sealed = File(path="/etc/app.secrets.env", content=SecretText(parts=("PASSWORD=", secret, "\n")), mode="0600")
    return [plain, sealed, SERVICE, Unit(name="app.service", restart_on=(plain.id, sealed.id))]


def test_a_rollback_brings_settings_back_and_settles_where_the_secrets_are_as_they_were(stage: Stage) -> None:
    stage.apply(one=written("en"))
    stage.apply(one=written("de"))
    assert actions(make_rollback(stage.environment)) == {"file:/etc/app.env": "update", UNIT.id: "update"}
    assert stage.rollback().succeeded
    assert text(stage, "/etc/app.env") == "LOCALE=en\n"
    assert make_rollback(stage.environment, to=1).is_noop
    assert stage.plan(one=written("en")).is_noop


ROTATED = SECRET.model_copy(update={"version": 2})
REFUSED = "file:/etc/app.secrets.env needs a secret content of that time"


@pytest.mark.parametrize("to", [None, 1])
def test_a_rollback_to_another_secret_is_refused_in_words_and_nothing_is_done(pair: Stage, to: int | None) -> None:
    pair.apply(one=written("en"), two=[A])
    pair.apply(one=written("de", ROTATED), two=[A, B])
    before = {host: tree_of(pair[host]) for host in ("one", "two")}
    report = pair.rollback(to)
    assert REFUSED in report.hosts["one"].error
    assert "apply that configuration; nothing was done" in report.hosts["one"].error
    assert report.hosts["two"].outcome == "skipped"
    assert {host: tree_of(pair[host]) for host in ("one", "two")} == before


def test_a_rollback_takes_no_secret_of_today_for_one_of_then(stage: Stage) -> None:
    stage.apply(one=written("en"))
    stage.apply(one=written("de", ROTATED))
    now, then = stage.wants(one=written("de", ROTATED)), stage.wants(one=written("en"))
    assert REFUSED in apply_plan(make_rollback(now)).hosts["one"].error
    assert apply_plan(make_rollback(then)).succeeded
    assert make_rollback(then, to=1).is_noop
    assert stage.plan(one=written("en")).is_noop


def test_a_rollback_without_the_key_does_not_take_a_rotated_secret_for_the_one_of_then(stage: Stage) -> None:
    stage.apply(one=written("en"))
    stage.apply(one=written("de", ROTATED))
    blind = stage.environment.model_copy(update={"secrets": Secrets()})
    assert REFUSED in apply_plan(make_rollback(blind)).hosts["one"].error


def test_a_job_with_a_secret_is_not_run_with_another_one_in_a_rollback(stage: Stage) -> None:
    said = stage["one"].path("/srv/said")
    stage["one"].program("say", f"#!/bin/sh\nread word; echo $word >>{said}\n")
    first, second = (
        Job(name="say", run=("say",), stdin=SecretText(parts=(secret, "\n"))) for secret in (SECRET, ROTATED)
    )
    stage.apply(one=[first])
    stage.apply(one=[second])
    assert "job:say needs a secret content" in apply_plan(make_rollback(stage.wants(one=[second]))).hosts["one"].error
    assert apply_plan(make_rollback(stage.wants(one=[first]))).succeeded
    words = said.read_text().splitlines()
    assert words[0] == words[2] != words[1]


# Two deployments on one host


def test_two_deployments_share_a_host(staged: Staged) -> None:
    first, second = staged("one"), staged("one", name="other")
    assert first.apply(one=[A]).succeeded
    assert second.apply(one=[B]).succeeded
    assert read_status(first.environment).hosts["one"].neighbours == ("other",)
    assert first.remove().succeeded
    assert second.plan(one=[B]).is_noop
    assert text(second, "/etc/b") == "b\n"


def test_what_belongs_to_another_deployment_is_blocked(staged: Staged) -> None:
    staged("one").apply(one=[A])
    second = staged("one", name="other")
    (change,) = second.plan(one=[A]).hosts["one"].changes
    assert (change.action, change.reasons) == ("blocked", ("belongs to the deployment stage",))
    assert second.apply(one=[A]).hosts["one"].outcome == "failed"


# Status


def test_status_tells_generations_and_how_the_last_run_ended(stage: Stage) -> None:
    stage.apply(one=[A])
    stage.apply(one=[A, B])
    status = read_status(stage.environment).hosts["one"]
    assert [generation.items for generation in status.generations] == [1, 2]
    assert status.last_run
    assert status.last_run.state == "done"
    assert status.items == {A.id: "held", B.id: "held"}


def test_each_generation_tells_what_became_another_in_it(stage: Stage) -> None:
    stage.apply(one=[A])
    stage.apply(one=[File(path="/etc/a", content="other\n"), B])
    stage.apply(one=[B])
    moves = [g.moves for g in read_status(stage.environment).hosts["one"].generations if g.moves]
    assert [(m.added, m.changed, m.removed) for m in moves] == [
        ((A.id,), (), ()), ((B.id,), (A.id,), ()), ((), (), (A.id,)),
    ]  # fmt: skip


def test_what_came_before_the_oldest_generation_is_not_guessed(stage: Stage) -> None:
    for number in range(12):
        stage.apply(one=[File(path="/etc/a", content=f"{number}\n")])
    generations = read_status(stage.environment).hosts["one"].generations
    assert [generation.moves is None for generation in generations] == [True] + [False] * 9


# The machine itself


def test_a_directory_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(ConnectionFailed, match="with something else in it"):
        DirectoryMachine.at(tmp_path)


def test_it_is_a_deployment_type_with_a_path_beside_the_environments_file(tmp_path: Path) -> None:
    (tmp_path / "environment.toml").write_text(
        'name = "trial"\n[hosts.one]\ntype = "directory"\npath = "machines/one"\npatience = 9\n'
    )
    environment = load_environment(tmp_path / "environment.toml")
    assert read_status(environment).hosts["one"].error == ""
    assert (tmp_path / "machines/one/etc/passwd").is_file()
    assert environment.hosts["one"].patience == 9


MANY: list[Item] = [File(path=f"/etc/many-{number}", content=f"{number}\n") for number in range(50)]


def test_many_items_are_one_answer(stage: Stage) -> None:
    assert len(stage.plan(one=MANY).hosts["one"].changes) == 50
    assert stage.apply(one=MANY).succeeded
    assert stage.plan(one=MANY).hosts["one"].same == 50


def test_the_edition_of_a_file_with_a_long_name_is_saved_under_a_shorter_one(stage: Stage) -> None:
    file = File(path=f"/etc/{'a' * 120}/{'b' * 230}.conf", content="ours\n")
    items = [Directory(path=f"/etc/{'a' * 120}"), file]
    assert stage.apply(one=items).succeeded
    stage["one"].path(file.path).write_text("mine\n")
    (told,) = stage.apply(one=items).hosts["one"].items
    assert Path(told.saved).read_text() == "mine\n"
