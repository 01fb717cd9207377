"""Closed applications on hosts that are directories: whoever applies leaves their units and jobs alone, and says so."""

import json
import subprocess

import pytest

from fedikit.apply import apply_plan
from fedikit.display.drawing import lines_of
from fedikit.model.data import ApplicationData, VolumePart
from fedikit.model.deployment import Deployment
from fedikit.model.item import File, Item, Job, Unit
from fedikit.plan import make_plan, make_rollback
from fedikit.status import read_status
from tests.data.scene import settings_of
from tests.remote.conftest import Stage

SINCE = "2026-11-27T19:01:24Z"
STATE = "/var/lib/fedikit-data/snac/closed.json"


def service(name: str, words: str = "") -> File:
    text = f"[Service]\nExecStart=/bin/sleep {words or 1}\n"
    return File(path=f"/etc/systemd/system/{name}.service", content=text)


def items(words: str = "", *more: Item) -> list[Item]:
    """The application `snac`, with a unit and a job that answers to its file; and another one."""
    job = Job(name="snac migration", run=("migrate",), inputs=("file:/etc/systemd/system/snac.service",))
    unit = Unit(name="snac.service", restart_on=("file:/etc/systemd/system/snac.service",))
    other = Unit(name="other.service", restart_on=("file:/etc/systemd/system/other.service",))
    mine = [service("snac", words), unit, job, *more]
    return [settings_of("snac"), *mine, service("other", words), other]


def wanted(stage: Stage, *items: Item) -> Deployment:
    """With what an environment says of the application's data."""
    stop = tuple(item.name for item in items if isinstance(item, Unit) and item.name != "other.service")
    jobs = tuple(item.name for item in items if isinstance(item, Job))
    data = ApplicationData(folder="snac", parts=(VolumePart(path="/srv/snac"),), stop=stop, jobs=jobs)
    deployment = stage.wants(one=items)
    state = deployment.hosts["one"].model_copy(update={"data": {"snac": data}})
    return deployment.model_copy(update={"hosts": {"one": state}})


@pytest.fixture
def closed(stage: Stage) -> Stage:
    """Everything was applied; then `snac` was closed, as the program does."""
    for folder in ("/etc/fedikit/data", "/srv"):
        stage["one"].path(folder).mkdir(parents=True, exist_ok=True)
    stage["one"].program("migrate", '#!/bin/sh\n/bin/touch "${0%/usr/bin/migrate}/srv/migrated"\n')
    report = stage.bring(wanted(stage, *items()))
    assert report.succeeded, report
    close(stage)
    return stage


def close(stage: Stage, text: str = "") -> None:
    place = stage["one"].path(STATE)
    place.parent.mkdir(parents=True, exist_ok=True)
    told = {"format": 1, "migration": "m1", "since": SINCE, "why": "moving", "units": ["snac.service"]}
    place.write_text(text or json.dumps(told))
    systemctl(stage, "stop", "snac.service")


def systemctl(stage: Stage, *words: str) -> str:
    said = subprocess.run([stage["one"].path("/usr/bin/systemctl"), *words], capture_output=True, text=True)
    return said.stdout


def is_running(stage: Stage, unit: str) -> bool:
    return "ActiveState=active" in systemctl(stage, "show", "--property", "ActiveState", "--", unit)


def test_an_apply_leaves_it_closed_and_says_so_in_one_sentence(closed: Stage) -> None:
    plan = make_plan(wanted(closed, *items()))
    assert plan.is_noop
    assert plan.hosts["one"].note == (
        f"snac is closed since {SINCE} by the migration m1, and nothing of it is started: "
        "fedikit migrate or fedikit move goes on with that, fedikit migrate --back opens it again"
    )
    assert "snac is closed since" in "\n".join(lines_of(plan, 200))
    assert apply_plan(plan).succeeded
    assert not is_running(closed, "snac.service")


def test_what_else_changes_is_made_and_none_of_it_is_started_or_run(closed: Stage) -> None:
    closed["one"].path("/srv/migrated").unlink(missing_ok=True)
    report = closed.bring(wanted(closed, *items("2")))
    assert report.succeeded, report
    assert "sleep 2" in closed["one"].path("/etc/systemd/system/snac.service").read_text()
    assert is_running(closed, "other.service")
    assert not is_running(closed, "snac.service")
    assert not closed["one"].path("/srv/migrated").exists()
    closed["one"].path(STATE).unlink()
    assert closed.bring(wanted(closed, *items("2"))).succeeded
    assert is_running(closed, "snac.service")
    assert closed["one"].path("/srv/migrated").exists()


def test_a_unit_that_it_has_not_had_yet_is_not_started_either(closed: Stage) -> None:
    more = (service("queue"), Unit(name="queue.service"))
    assert closed.bring(wanted(closed, *items("", *more))).succeeded
    assert not is_running(closed, "queue.service")


def test_what_was_written_down_and_cannot_be_read_closes_it_all_the_same(closed: Stage) -> None:
    close(closed, "{")
    plan = make_plan(wanted(closed, *items()))
    assert plan.is_noop
    assert plan.hosts["one"].note.startswith("snac is closed by a migration, and nothing of it is started")


def test_who_closes_it_between_plan_and_apply_is_noticed(closed: Stage) -> None:
    closed["one"].path(STATE).unlink()
    plan = make_plan(wanted(closed, *items()))
    assert not plan.is_noop
    close(closed)
    assert "has changed since it was planned" in apply_plan(plan).hosts["one"].error


def test_a_rollback_starts_nothing_of_it(closed: Stage) -> None:
    assert closed.bring(wanted(closed, *items("2"))).succeeded
    back = make_rollback(wanted(closed, *items("2")))
    assert apply_plan(back).succeeded
    assert "sleep 1" in closed["one"].path("/etc/systemd/system/snac.service").read_text()
    assert (is_running(closed, "other.service"), is_running(closed, "snac.service")) == (True, False)


def test_a_status_calls_it_closed_and_not_failed(closed: Stage) -> None:
    status = read_status(closed.environment, health=True)
    one = status.hosts["one"]
    assert one.health
    assert {unit.name: unit.state for unit in one.health.units}["snac.service"] == "closed"
    assert all(unit.is_well for unit in one.health.units)
    assert one.closed == (
        "snac is closed since 27 Nov 2026, 19:01 UTC by the migration m1: "
        "fedikit migrate or fedikit move goes on with that, fedikit migrate --back opens it again",
    )
    assert "! snac is closed since" in "\n".join(lines_of(status, 200))


def test_a_status_says_that_it_runs_all_the_same(closed: Stage) -> None:
    systemctl(closed, "start", "snac.service")
    one = read_status(closed.environment, health=True).hosts["one"]
    assert one.health
    (reasons,) = [unit.reasons for unit in one.health.units if unit.name == "snac.service"]
    assert reasons == ("runs although its application is closed",)


def test_a_status_knows_what_goes_on_for_readers(closed: Stage) -> None:
    told = {"format": 1, "migration": "m1", "since": SINCE, "units": ["snac.service"], "reads": ["snac.service"]}
    close(closed, json.dumps(told | {"why": "reading"}))
    assert unit_state(closed) == ("closed", ()), "it has stopped, and does not start again"
    systemctl(closed, "start", "snac.service")
    assert unit_state(closed) == ("active", ())
    assert make_plan(wanted(closed, *items("2"))).hosts["one"].note.startswith("snac is closed since")


def unit_state(stage: Stage) -> tuple[str, tuple[str, ...]]:
    """What a status says of its unit, and what is wrong with that."""
    one = read_status(stage.environment, health=True).hosts["one"]
    assert one.health
    (unit,) = [unit for unit in one.health.units if unit.name == "snac.service"]
    return unit.state, unit.reasons


def test_it_is_removed_as_ever(closed: Stage) -> None:
    assert closed.remove(purge=True).succeeded
    assert not closed["one"].path("/etc/systemd/system/snac.service").exists()
