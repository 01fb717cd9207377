"""Units that are masked, broken or static, and those that start and do not stay up."""

import socket
import time

import pytest

from fedikit.agent.unit_state import STEADY_SECONDS, state_of
from fedikit.model.item import File, Unit
from tests.remote.conftest import Stage, tree_of
from tests.remote.test_directory import SERVICE, UNIT, A, actions, other_systemctl, showing

SHOWN = {
    "Id": "app.service", "LoadState": "loaded", "LoadError": "", "ActiveState": "active", "SubState": "running",
    "UnitFileState": "enabled", "CanReload": "no", "NeedDaemonReload": "no", "Result": "success", "NRestarts": "0",
    "StateChangeTimestampMonotonic": "0",
}  # fmt: skip


def reasons(stage: Stage, *items: File | Unit) -> tuple[str, ...]:
    return {change.id: change.reasons for change in stage.plan(one=items).hosts["one"].changes}[UNIT.id]


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("etc/systemd/system", "systemctl unmask app.service"),
        ("run/systemd/system", "systemctl unmask --runtime app.service"),
    ],
)
def test_a_masked_unit_is_refused_in_the_plan_with_what_unmasks_it(stage: Stage, place: str, remedy: str) -> None:
    usual = stage["one"].path("/usr/lib/systemd/system/app.service")
    mask = stage["one"].path(f"/{place}/app.service")
    for path in (usual, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    usual.write_text(SERVICE.content if isinstance(SERVICE.content, str) else "")
    mask.symlink_to("/dev/null")
    before = tree_of(stage["one"])
    plan = stage.plan(one=[Unit(name="app.service")])
    assert actions(plan) == {UNIT.id: "blocked"}
    assert reasons(stage, Unit(name="app.service")) == (f"is masked: {remedy} lets it run",)
    assert not stage.apply(one=[Unit(name="app.service")]).succeeded
    assert tree_of(stage["one"]) == before
    off = Unit(name="app.service", enabled=False, active=False)
    assert stage.apply(one=[off]).succeeded
    assert stage.plan(one=[off]).is_noop


def test_a_mask_that_a_package_left_behind_goes_when_it_comes_again(stage: Stage) -> None:
    stage["one"].path("/etc/systemd/system/app.service").symlink_to("/dev/null")
    note = stage["one"].path("/var/lib/systemd/deb-systemd-helper-masked/app.service")
    note.parent.mkdir(parents=True)
    note.touch()
    assert actions(stage.plan(one=[Unit(name="app.service")])) == {UNIT.id: "create"}


def test_a_file_that_systemd_cannot_use_is_said_in_its_own_words(stage: Stage) -> None:
    bad = {"LoadState": "bad-setting", "LoadError": 'org.freedesktop.systemd1.BadUnitSetting "Unit has a bad setting."'}
    stage.apply(one=[A, SERVICE])
    with showing(stage, bad):
        error = stage.apply(one=[A, SERVICE, UNIT]).hosts["one"].error
        told = reasons(stage, A, SERVICE, UNIT)
    assert "the file of app.service cannot be used: Unit has a bad setting." in error
    assert "its file cannot be used: Unit has a bad setting." in told


@pytest.mark.parametrize("state", ["static", "generated", "transient"])
@pytest.mark.parametrize("enabled", [True, False])
def test_what_nobody_can_enable_or_disable_is_taken_as_it_is(stage: Stage, state: str, enabled: bool) -> None:
    unit = Unit(name="app.service", enabled=enabled)
    stage.apply(one=[SERVICE])
    refusing = (
        '[ "$1 $2" = "--quiet enable" ] || [ "$1 $2" = "--quiet disable" ] && exit 1\n"$0.real" "$@" >"$0.said"\n'
    )
    edit = f"/bin/sed -e 's/^UnitFileState=.*/UnitFileState={state}/' \"$0.said\""
    with other_systemctl(stage, refusing + edit):
        assert stage.apply(one=[SERVICE, unit]).succeeded
        assert stage.plan(one=[SERVICE, unit]).is_noop
        assert stage.remove().succeeded


def test_a_unit_that_runs_is_taken_over_without_a_restart_unless_its_files_change(stage: Stage) -> None:
    stage.apply(one=[A, SERVICE, Unit(name="app.service")])
    other = Stage(stage.folder, "one", name="other", key="6" * 64)
    with other_systemctl(stage, 'case "$1" in *start) exit 1;; esac\nexec "$0.real" "$@"'):
        stage["one"].path("/var/lib/fedikit").rename(stage.folder / "forgotten")
        assert other.apply(one=[A, SERVICE, UNIT]).succeeded
        assert other.plan(one=[A, SERVICE, UNIT]).is_noop
        changed = File(path=A.path, content="other\n")
        assert actions(other.plan(one=[changed, SERVICE, UNIT])) == {A.id: "update", UNIT.id: "update"}
        assert not other.apply(one=[changed, SERVICE, UNIT]).succeeded


def test_a_unit_whose_files_change_when_it_is_taken_over_is_restarted(stage: Stage) -> None:
    stage.apply(one=[A, SERVICE, Unit(name="app.service")])
    stage["one"].path("/var/lib/fedikit").rename(stage.folder / "forgotten")
    changed = File(path=A.path, content="other\n")
    assert actions(stage.plan(one=[changed, SERVICE, UNIT]))[UNIT.id] == "update"
    with other_systemctl(stage, '[ "$1" = restart ] && exit 1\nexec "$0.real" "$@"'):
        assert not stage.apply(one=[changed, SERVICE, UNIT]).succeeded
    assert actions(stage.plan(one=[changed, SERVICE, UNIT]))[UNIT.id] == "update", "it is owed"


def test_a_unit_that_failed_since_is_told_of_by_the_plan(stage: Stage) -> None:
    stage.apply(one=[A, SERVICE, UNIT])
    with showing(stage, {"ActiveState": "failed", "SubState": "failed", "Result": "start-limit-hit"}):
        assert reasons(stage, A, SERVICE, UNIT) == ("inactive → active", "it failed (start-limit-hit)")


def test_a_unit_that_did_not_stay_up_is_owed_a_start_though_it_is_up_when_somebody_looks(stage: Stage) -> None:
    with showing(stage, {"SubState": "auto-restart", "Result": "exit-code", "NRestarts": "1"}):
        assert not stage.apply(one=[A, SERVICE, UNIT]).succeeded
    assert reasons(stage, A, SERVICE, UNIT) == ("to restart or reload",)
    assert stage.apply(one=[A, SERVICE, UNIT]).succeeded
    assert stage.plan(one=[A, SERVICE, UNIT]).is_noop


def test_who_has_the_port_that_a_unit_needs_is_named(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stage["one"].program("journalctl", f"#!/bin/sh\necho 'cannot bind to 127.0.0.1:{port}'\n")
        with showing(stage, {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}):
            error = stage.apply(one=[A, SERVICE, UNIT]).hosts["one"].error
    assert "did not stay up: activating: it falls over again and again (exit-code)" in error
    assert f"port {port} is taken by " in error
    assert "cannot bind to" in error, "the journal's last lines"


@pytest.mark.parametrize(
    ("shown", "is_up"),
    [
        ({}, True),
        ({"NRestarts": "3"}, True),
        ({"NRestarts": "3", "StateChangeTimestampMonotonic": "now"}, False),
        ({"StateChangeTimestampMonotonic": "now"}, True),
        ({"NRestarts": "1", "StateChangeTimestampMonotonic": "now"}, True),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, False),
        ({"ActiveState": "activating", "SubState": "start"}, True),
        ({"ActiveState": "failed", "SubState": "failed"}, False),
        ({"NRestarts": "\u00b2"}, True),
    ],
)
def test_a_unit_that_had_to_be_started_again_is_up_once_it_is_steady(shown: dict[str, str], is_up: bool) -> None:
    values = {key: str(int(time.monotonic() * 1e6)) if value == "now" else value for key, value in shown.items()}
    assert STEADY_SECONDS > 1
    state = state_of(SHOWN | values)
    assert (state["active"], bool(state["fallen"])) == (is_up, not is_up)
    is_back = values.get("StateChangeTimestampMonotonic", "0") != "0" and "NRestarts" in values
    assert state["is_unsteady"] == is_back, "an apply waits whether it stays up this time"
