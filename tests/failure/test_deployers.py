"""Deployers that meet on a host, that die, that lose their connection, or that come too late with their plan."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fedikit.apply import apply_plan
from fedikit.errors import FedikitError
from fedikit.events import ItemStarted
from fedikit.model.item import File, Item, Job
from fedikit.plan import load_plan, make_plan, save_plan
from fedikit.status import read_status
from fedikit_lab import Lab
from tests.failure.scene import Scene, error_of

pytestmark = pytest.mark.lab

BEGIN = Job(name="begin", run=("touch", "/etc/begun"))
SLOW = Job(name="slow", run=("sleep", "3"))
END = File(path="/etc/ended", content="x\n")
WORK: list[Item] = [BEGIN, SLOW, END]
APPLY = """
import sys
from pathlib import Path
from fedikit.apply import apply_plan
from fedikit.model.deployment import Deployment
from fedikit.plan import make_plan
apply_plan(make_plan(Deployment.model_validate_json(Path(sys.argv[1]).read_text())))
"""


@pytest.fixture(autouse=True)
def as_new(lab: Lab) -> None:
    lab["one"].reset()


def begin_elsewhere(lab: Lab, scene: Scene, folder: Path) -> subprocess.Popen[bytes]:
    """Another deployer's process, in the middle of its apply."""
    (folder / "deployment.json").write_text(scene.wants(one=WORK).model_dump_json())
    process = subprocess.Popen([sys.executable, "-c", APPLY, str(folder / "deployment.json")])
    lab["one"].wait_until_succeeds("test -e /etc/begun")
    return process


def wait_until_free(scene: Scene) -> None:
    deadline = time.monotonic() + 30
    while read_status(scene.environment).hosts["one"].busy:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_second_deployer_is_told_who_is_at_work(lab: Lab, tmp_path: Path) -> None:
    scene = Scene(lab, "one")
    first = begin_elsewhere(lab, scene, tmp_path)
    assert "is being changed by" in scene.plan(one=[END]).hosts["one"].note
    error = error_of(scene.apply(one=[File(path="/etc/other", content="y\n")]), "one")
    assert "is being changed by" in error
    assert "@" in error
    assert "since 20" in error
    assert first.wait(timeout=30) == 0
    lab["one"].fails("test -e /etc/other")


def test_the_host_finishes_alone_when_its_deployer_is_killed(lab: Lab, tmp_path: Path) -> None:
    scene = Scene(lab, "one")
    deployer = begin_elsewhere(lab, scene, tmp_path)
    deployer.kill()
    deployer.wait(timeout=10)
    lab["one"].fails("test -e /etc/ended")
    wait_until_free(scene)
    lab["one"].succeed("test -e /etc/ended")
    status = read_status(scene.environment).hosts["one"]
    assert status.last_run
    assert (status.last_run.state, status.generation) == ("done", 1)
    assert scene.plan(one=WORK).is_noop


def test_a_connection_that_is_cut_is_told_and_the_host_goes_on(lab: Lab) -> None:
    scene = Scene(lab, "one")

    def cut(event: object) -> None:
        """As soon as the slow job runs, the host's end of every connection but the lab's own is closed."""
        if isinstance(event, ItemStarted) and event.item == "job:slow":
            lab["one"].succeed("(sleep 0.5; pkill --oldest --full 'sshd-session: root@notty') >/dev/null 2>&1 &")
            lab["one"].succeed("(sleep 0.5; pkill --newest --full 'sshd-session: root@notty') >/dev/null 2>&1 &")

    error = error_of(scene.apply(one=WORK, tell=cut), "one")
    assert "the connection was lost" in error
    assert "the host goes on by itself" in error
    assert "fedikit status" in error
    wait_until_free(scene)
    lab["one"].succeed("test -e /etc/ended")


def test_a_host_that_moved_refuses_a_saved_plan_and_one_that_did_not_takes_it(lab: Lab, tmp_path: Path) -> None:
    scene = Scene(lab, "one")
    save_plan(scene.plan(one=[END]), tmp_path / "plan.json")
    lab["one"].succeed("echo meanwhile >/etc/ended")
    error = error_of(apply_plan(load_plan(tmp_path / "plan.json", scene.wants(one=[END]))), "one")
    assert "has changed since it was planned; nothing was done" in error
    assert lab["one"].succeed("cat /etc/ended") == "meanwhile\n"
    lab["one"].succeed("rm /etc/ended")
    assert apply_plan(load_plan(tmp_path / "plan.json", scene.wants(one=[END]))).succeeded
    assert lab["one"].succeed("cat /etc/ended") == "x\n"


def test_a_plan_of_another_configuration_is_refused(lab: Lab, tmp_path: Path) -> None:
    scene = Scene(lab, "one")
    plan = scene.plan(one=[END])
    with pytest.raises(FedikitError, match="another configuration"):
        plan.of(scene.wants(one=[BEGIN]))


def test_two_at_the_same_moment_leave_one_winner_and_no_harm(lab: Lab) -> None:
    scene = Scene(lab, "one")
    plans = [make_plan(scene.wants(one=[Job(name="wait", run=("sleep", "1")), END])) for _ in range(2)]
    reports = []
    threads = [threading.Thread(target=lambda plan=plan: reports.append(apply_plan(plan))) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(report.succeeded for report in reports) == [False, True]
    assert scene.plan(one=[Job(name="wait", run=("sleep", "1")), END]).is_noop
