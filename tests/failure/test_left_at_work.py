"""The agent is killed while a command of its own is at work: nobody else begins until that has ended."""

import threading
import time

import pytest

from fedikit.model.item import Item, Job, Package
from fedikit.results.report import Report
from fedikit.status import read_status
from fedikit_lab import Lab, Machine
from tests.failure.scene import Scene, error_of
from tests.failure.view import changes, view_of

pytestmark = pytest.mark.lab

# Patterns that do not match the shell that looks for them.
AGENTS = "[/]var/lib/fedikit/agent"
UNPACKING = "[-]-unpack"
SMALL: list[Item] = [Package(name="jq")]
LARGE: list[Item] = [Package(name="iso-codes")]  # a thousand files, which take a while to unpack
CODES = "/usr/share/iso-codes/json"


@pytest.fixture
def scene(lab: Lab) -> Scene:
    lab["one"].reset()
    return Scene(lab, "one")


def apply_aside(scene: Scene, items: list[Item]) -> tuple[threading.Thread, list[Report]]:
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(scene.apply(one=items)))
    thread.start()
    return thread, reports


def wait_until_free(scene: Scene) -> None:
    deadline = time.monotonic() + 60
    while read_status(scene.environment).hosts["one"].busy:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kill_agents_at_work(machine: Machine, scene: Scene, items: list[Item], sign: str, meanwhile: str) -> str:
    """Begins an apply, and kills its agents at the sign; returns what the deployer is told."""
    thread, reports = apply_aside(scene, items)
    machine.wait_until_succeeds(sign)
    machine.succeed(f"{meanwhile} pkill -9 -f '{AGENTS}'")
    thread.join(timeout=30)
    return error_of(reports[0], "one")


def test_a_command_that_outlives_its_agent_keeps_the_host_busy(lab: Lab, scene: Scene) -> None:
    slow = Job(name="slow", run=("sh", "-c", "trap '' TERM; touch /etc/begun; sleep 3; echo x >>/etc/ended"))
    told = kill_agents_at_work(lab["one"], scene, [slow], "test -e /etc/begun", "")
    assert "the agent was killed" in told
    assert "sh is at work as process" in scene.plan(one=[slow]).hosts["one"].note
    assert "sh is at work as process" in error_of(scene.apply(one=[slow]), "one")
    assert "sh is at work" in read_status(scene.environment).hosts["one"].busy
    wait_until_free(scene)
    assert lab["one"].succeed("cat /etc/ended") == "x\n", "the command ended in peace"
    assert "was interrupted" in scene.plan(one=[slow]).hosts["one"].note
    assert scene.apply(one=[slow]).succeeded


def test_a_job_is_told_to_end_when_its_agent_is_killed_and_runs_again(lab: Lab, scene: Scene) -> None:
    words = "trap 'echo stopped >>/etc/ended; exit' TERM; touch /etc/begun; test -e /etc/ended || sleep 600 & wait"
    slow = Job(name="slow", run=("sh", "-c", words))
    kill_agents_at_work(lab["one"], scene, [slow], "test -e /etc/begun", "")
    wait_until_free(scene)
    assert lab["one"].succeed("cat /etc/ended") == "stopped\n"
    assert lab["one"].succeed("pgrep -f '[s]leep 600' || echo none") == "none\n"
    assert scene.apply(one=[slow]).succeeded


def test_killed_while_packages_are_unpacked(lab: Lab, scene: Scene) -> None:
    machine = lab["one"]
    untouched = view_of(machine)
    frozen = f"pkill -STOP -f '{UNPACKING}';"
    kill_agents_at_work(machine, scene, SMALL, f"pgrep -f '{UNPACKING}'", frozen)
    assert "apt-get is at work" in error_of(scene.apply(one=SMALL), "one")
    machine.succeed(f"useradd human; pkill -CONT -f '{UNPACKING}'")
    wait_until_free(scene)
    assert scene.apply(one=SMALL).succeeded
    machine.succeed("jq --version")
    assert scene.remove().succeeded
    machine.succeed("userdel human")  # somebody else's account stays
    assert changes(untouched, view_of(machine)) == []


@pytest.mark.parametrize("then", ["apply", "remove"])
def test_dpkg_killed_in_the_middle_of_its_work(lab: Lab, scene: Scene, then: str) -> None:
    machine = lab["one"]
    untouched = view_of(machine)
    thread, reports = apply_aside(scene, LARGE)
    machine.succeed(f"until ls {CODES}/*.dpkg-new; do sleep 0.01; done 2>/dev/null; pkill -9 -f '{UNPACKING}'")
    thread.join(timeout=60)
    assert "package:iso-codes: `apt-get` ended with exit status" in error_of(reports[0], "one")
    if then == "apply":
        assert "failed at package:iso-codes" in scene.plan(one=LARGE).hosts["one"].note
        assert scene.apply(one=LARGE).succeeded
        machine.succeed(f"ls {CODES}/iso_639-3.json")
        assert machine.succeed("dpkg --audit") == ""
    assert scene.remove().succeeded
    assert changes(untouched, view_of(machine)) == []
    assert machine.succeed("dpkg --audit") == ""
