"""Hosts that cannot be reached, or not in the way that the environment says."""

import pytest

from fedikit.events import Event, ItemStarted
from fedikit.model.host import HostState
from fedikit.model.item import File, Job
from fedikit.model.ssh_server import JumpHost
from fedikit.plan import make_plan
from fedikit.status import read_status
from fedikit_lab import Lab
from tests.failure.scene import Scene, error_of, ssh_to, switch_off

pytestmark = pytest.mark.lab

MARK = File(path="/etc/mark", content="was here\n")
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEVrCVy068cUnju6L/sdgcSPw1TUxWUvCDGs12y9l7i"


@pytest.fixture(autouse=True)
def as_new(lab: Lab) -> None:
    for name in ("one", "two"):
        lab[name].reset()


def test_one_host_down_the_others_finish_and_the_report_says_so(lab: Lab) -> None:
    scene = Scene(lab, "one", "two")
    switch_off(lab["one"])
    plan = make_plan(scene.wants(one=[MARK], two=[MARK]))
    assert "cannot be reached" in plan.hosts["one"].error
    report = scene.apply(one=[MARK], two=[MARK])
    assert not report.succeeded
    assert "cannot be reached" in error_of(report, "one")
    assert report.hosts["two"].outcome == "changed"
    lab["two"].succeed("test -e /etc/mark")


def test_who_waits_for_a_failed_host_is_skipped(lab: Lab) -> None:
    scene = Scene(lab, "one", two=ssh_to(lab["two"], after=("one",)))
    switch_off(lab["one"])
    report = scene.apply(one=[MARK], two=[MARK])
    assert report.hosts["two"].outcome == "skipped"
    assert "waits for one" in report.hosts["two"].error
    lab["two"].fails("test -e /etc/mark")


def test_a_host_is_changed_after_those_it_waits_for(lab: Lab) -> None:
    scene = Scene(lab, "one", two=ssh_to(lab["two"], after=("one",)))
    told: list[str] = []
    scene.apply(one=[MARK], two=[MARK], tell=lambda event: told.append(f"{type(event).__name__} {vars(event)}"))
    times = {name: float(lab[name].succeed("stat --format %.Z /etc/mark")) for name in ("one", "two")}
    assert times["one"] < times["two"]
    scene.remove()
    lab["one"].fails("test -e /etc/mark")


def test_a_changed_host_key_is_refused_and_nothing_runs(lab: Lab) -> None:
    changed = ssh_to(lab["one"], host_key=OTHER_KEY)
    report = Scene(lab, "two", one=changed).apply(one=[MARK], two=[MARK])
    assert "shows another host key" in error_of(report, "one")
    assert "ssh-ed25519 SHA256:" in error_of(report, "one")
    assert "somebody is in between" in error_of(report, "one")
    assert report.hosts["two"].outcome == "changed"
    lab["one"].fails("test -e /etc/mark || journalctl --unit ssh | grep -q 'Accepted publickey.*later'")


def test_a_key_that_is_not_let_in_is_told(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    import subprocess

    key = tmp_path_factory.mktemp("keys") / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    report = Scene(lab, one=ssh_to(lab["one"], identity_file=str(key))).apply(one=[MARK])
    assert "does not let us in" in error_of(report, "one")
    assert "authorized_keys" in error_of(report, "one")


def test_a_user_with_sudo_can_do_everything(lab: Lab) -> None:
    scene = Scene(lab, one=ssh_to(lab["one"], user="admin"))
    assert scene.apply(one=[MARK]).succeeded
    assert lab["one"].succeed("stat --format %U /etc/mark") == "root\n"
    assert scene.plan(one=[MARK]).is_noop


# All agents in the control group of logins: the pattern does not match the shell that looks for it.
END_OF_LOGIN = """for process in $(cat /sys/fs/cgroup/system.slice/ssh.service/cgroup.procs); do
 if tr '\\0' ' ' </proc/$process/cmdline | grep --quiet 'fedikit/[a]gent'; then kill -KILL $process; echo killed; fi
done"""
SLOW = Job(name="slow", run=("sh", "-c", "cat /proc/self/cgroup >/srv/group; sleep 2; touch /srv/through"))


def test_a_host_is_reached_over_a_jump_host_and_sees_nobody_else(lab: Lab) -> None:
    usual = ssh_to(lab["two"]).model_dump(include={"address", "host_key", "identity_file"})
    behind = ssh_to(lab["one"], jump=JumpHost(**usual))
    assert Scene(lab, one=behind).apply(one=[MARK]).succeeded
    logins = lab["one"].succeed("journalctl --unit ssh --grep 'Accepted publickey' --lines 1 --output cat")
    assert f"from {lab['two'].address} " in logins


def test_the_work_goes_on_in_a_unit_of_its_own_when_the_login_is_ended(lab: Lab) -> None:
    """As with `KillUserProcesses=yes`, which kills what is left in a login's control group."""
    scene = Scene(lab, one=ssh_to(lab["one"], user="admin"))

    ended: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, ItemStarted) and event.item == SLOW.id:
            ended.append(lab["one"].succeed(END_OF_LOGIN))

    scene.apply(one=[MARK, SLOW], tell=hear)
    assert ended
    assert "killed" in ended[0]
    lab["one"].wait_until_succeeds("test -e /srv/through")
    assert "/system.slice/fedikit-failure.scope" in lab["one"].succeed("cat /srv/group")
    lab["one"].wait_until_succeeds("! systemctl is-active fedikit-failure.scope")
    status = read_status(scene.environment).hosts["one"]
    assert status.last_run
    assert (status.last_run.state, status.last_run.unit) == ("done", "fedikit-failure.scope")
    assert "create file:/etc/mark" in lab["one"].succeed("journalctl --unit fedikit-failure.scope --output cat")


def test_who_stops_the_unit_leaves_what_the_next_apply_completes(lab: Lab) -> None:
    scene = Scene(lab, "one")

    def hear(event: Event) -> None:
        if isinstance(event, ItemStarted) and event.item == SLOW.id:
            lab["one"].succeed("systemctl stop fedikit-failure.scope")

    assert "killed by signal" in error_of(scene.apply(one=[MARK, SLOW], tell=hear), "one")
    report = scene.apply(one=[MARK, SLOW])
    assert report.succeeded
    assert report.hosts["one"].unit == "fedikit-failure.scope"


def test_a_user_without_sudo_is_told_in_one_line(lab: Lab) -> None:
    lab["one"].succeed("rm /etc/sudoers.d/*")
    error = error_of(Scene(lab, one=ssh_to(lab["one"], user="admin")).apply(one=[MARK]), "one")
    assert "no way to become root" in error
    assert len(error.splitlines()) == 2, "the message and the hint"


def test_a_host_without_python_is_told_in_one_line(lab: Lab) -> None:
    lab["one"].succeed("rm /usr/bin/python3")
    error = error_of(Scene(lab, "one").apply(one=[MARK]), "one")
    assert "there is no python3 on it" in error
    assert len(error.splitlines()) == 2, "the message and the hint"


def test_an_environment_that_waits_in_circles_is_no_deployment(lab: Lab) -> None:
    state = HostState(connection=ssh_to(lab["one"], after=("one",)), items=())
    with pytest.raises(ValueError, match="wait for each other"):
        Scene(lab, "one").environment.empty().model_validate({"name": "x", "hosts": {"one": state}})
