"""Labs come up beside each other and go without a trace, also after something was killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedikit.errors import HostError
from fedikit_lab import Lab
from fedikit_lab.cgroup import supervisors
from fedikit_lab.network import bridge_name
from fedikit_lab.teardown import cgroup_of, storage_of
from tests.lab.traces import blackhole_of, traces_of

pytestmark = pytest.mark.lab

MOMENTS: dict[str, Callable[[Lab], bool]] = {
    "has its bridge": lambda lab: Path("/sys/class/net", bridge_name(lab.name)).exists(),
    "has its layers": lambda lab: (storage_of(lab.name) / "one").exists(),
    "starts a machine": lambda lab: (cgroup_of(lab.name) / "one").exists(),
    "boots a machine": lambda lab: bool(supervisors(cgroup_of(lab.name) / "one")),
}


@pytest.fixture
def fresh_lab(lab_directory: Callable[[str], Path], request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab that is not up, and is not when the test is over."""
    lab = Lab(lab_directory(f"fresh{id(request)}"), ["one"], acme=False)
    yield lab
    lab.down()


def test_a_lab_that_is_down_leaves_nothing_but_its_keys_and_its_closed_way_out(fresh_lab: Lab) -> None:
    with fresh_lab as lab:
        assert lab["one"].succeed("true") == ""
        assert lab.environment_file.exists()
        assert len(traces_of(lab)) > 5
    assert traces_of(fresh_lab) == []
    assert not fresh_lab.environment_file.exists()
    assert blackhole_of(fresh_lab).startswith("blackhole")


def test_down_needs_nothing_to_be_up(fresh_lab: Lab) -> None:
    fresh_lab.down()
    assert traces_of(fresh_lab) == []


def test_a_lab_that_cannot_come_up_is_taken_down(fresh_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedikit_lab.container._MOUNT", "echo it is broken; exit 1")
    with pytest.raises(HostError, match=r"(?s)one: it died while it booted.*it is broken"):
        fresh_lab.__enter__()
    assert traces_of(fresh_lab) == []


def test_addresses_and_keys_are_the_same_next_time(fresh_lab: Lab) -> None:
    with fresh_lab as lab:
        before = lab["one"].address, lab["one"].host_key
    with Lab(fresh_lab.directory, ["zero", "one"], acme=False) as lab:
        assert (lab["one"].address, lab["one"].host_key) == before


def test_names_that_were_set_are_forgotten_when_the_lab_goes(lab_directory: Callable[[str], Path]) -> None:
    lab = Lab(lab_directory("names"), ["one"])
    with lab:
        lab.set_dns({"snac.fediversity.test": lab["one"].address})
    with lab:
        lab["one"].fails("getent hosts snac.fediversity.test")
        assert lab["one"].succeed("getent ahostsv4 acme.lab").split()[0] == lab["acme"].address


def test_two_labs_do_not_see_each_other(lab: Lab, fresh_lab: Lab) -> None:
    with fresh_lab as other:
        assert other["one"].address.rsplit(".", 1)[0] != lab["one"].address.rsplit(".", 1)[0]
        assert other["one"].host_key != lab["one"].host_key
        assert "unreachable" in other["one"].fails(f"ip route get {lab['one'].address}")
        assert other["one"].succeed("true") == ""
    assert lab["one"].succeed("true") == ""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_lab_killed_while_it_comes_up_can_be_taken_down(fresh_lab: Lab, moment: str) -> None:
    _kill_up_when(fresh_lab, MOMENTS[moment])
    fresh_lab.down()
    assert traces_of(fresh_lab) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_lab_killed_while_it_comes_up_can_be_brought_up(fresh_lab: Lab, moment: str) -> None:
    _kill_up_when(fresh_lab, MOMENTS[moment])
    with Lab(fresh_lab.directory, ["one", "two"], acme=False) as lab:
        lab["one"].run("systemctl is-system-running --wait")
        assert lab["one"].succeed("systemctl --failed --no-legend --plain") == ""
        assert lab["two"].succeed("true") == ""
    assert traces_of(fresh_lab) == []


def test_a_machine_whose_supervisor_was_killed_goes_without_a_trace(fresh_lab: Lab) -> None:
    fresh_lab.up()
    _kill_supervisor(fresh_lab)
    fresh_lab.down()
    assert traces_of(fresh_lab) == []


def test_a_machine_whose_supervisor_was_killed_comes_up_again(fresh_lab: Lab) -> None:
    with fresh_lab as lab:
        _kill_supervisor(lab)
        assert not lab["one"].is_running()
        lab.up()
        assert lab["one"].succeed("true") == ""


def test_a_lab_whose_directory_was_deleted_can_be_brought_up_anew(fresh_lab: Lab) -> None:
    fresh_lab.up()
    for path in fresh_lab.directory.rglob("*"):
        if path.is_file():
            path.unlink()
    with Lab(fresh_lab.directory, ["one"], acme=False) as lab:
        assert lab["one"].succeed("true") == ""
    assert traces_of(fresh_lab) == []


def test_the_command_line_boots_names_enters_and_ends_a_lab(fresh_lab: Lab) -> None:
    where = f"--directory={fresh_lab.directory}"
    assert "environment.toml" in _say("up", "one", "--no-acme", where)
    assert [line.split()[-1] for line in _say("list", where).splitlines()] == ["runs"]
    assert _say("ssh", where, "--user=admin", "one", "id", "-un") == "admin\n"
    assert _say("ssh", where, "one", "--", "cat", "/etc/hostname") == "one\n"
    _say("shell", where, "one", "--", "systemctl", "stop", "ssh.socket", "ssh.service")
    assert _say("shell", where, "one", "--", "cat", "/etc/hostname") == "one\n"
    _say("shell", where, "one", "--", "systemctl", "start", "ssh.service")
    assert _say("ssh", where, "one", "--", "cat", "/etc/hostname") == "one\n"
    assert _say("down", where) == "the lab is down\n"
    assert traces_of(fresh_lab) == []


def test_a_build_of_the_image_that_is_killed_takes_everything_along(tmp_path: Path) -> None:
    build = subprocess.Popen(
        [sys.executable, "-c", "from fedikit_lab.image import build_image; build_image()"],
        env={**os.environ, "FEDIKIT_CACHE": str(tmp_path)},
    )
    _wait(lambda: any(tmp_path.glob("lab/building-*/tree/var")), "the build to begin")
    build.kill()
    build.wait(10)
    _wait(lambda: not _mentions(str(tmp_path)), "the processes of the build to end")


def _say(*arguments: str) -> str:
    command = [sys.executable, "-m", "fedikit_lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def _kill_up_when(lab: Lab, moment: Callable[[Lab], bool]) -> None:
    command = [sys.executable, "-m", "fedikit_lab", "up", "one", "--no-acme", f"--directory={lab.directory}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _wait(lambda: moment(lab), "the moment to kill it", pause=0.002)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL


def _kill_supervisor(lab: Lab) -> None:
    cgroup = cgroup_of(lab.name) / "one"
    for pid in supervisors(cgroup):
        os.kill(pid, signal.SIGKILL)
    _wait(lambda: not supervisors(cgroup), "the supervisor to go")


def _wait(condition: Callable[[], bool], awaited: str, *, pause: float = 0.05) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {awaited}"
        time.sleep(pause)


def _mentions(word: str) -> list[str]:
    processes = Path("/proc").glob("[0-9]*/cmdline")
    own = str(os.getpid())
    return [path.parent.name for path in processes if path.parent.name != own and word in _text(path)]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
