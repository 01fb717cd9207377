"""The network between deployer and host fails at an exact moment: before the order is complete, or after."""

import json
import secrets
import subprocess
import threading
import time

import pytest

from fedikit.apply import apply_plan
from fedikit.events import Event, ItemStarted
from fedikit.model.host import Ssh
from fedikit.model.item import File, Item, Job
from fedikit.plan import make_plan
from fedikit.remote import bootstrap, ssh
from fedikit.results.report import Report
from fedikit.status import read_status
from fedikit_lab import Lab, Machine
from tests.failure.proxy import Proxy
from tests.failure.scene import Scene, error_of, ssh_to

pytestmark = pytest.mark.lab

LARGE = File(path="/etc/large", content=secrets.token_hex(1_000_000))
WORK: list[Item] = [Job(name="slow", run=("sleep", "1")), File(path="/etc/ended", content="x\n")]


@pytest.fixture(autouse=True)
def as_new(lab: Lab) -> None:
    lab["one"].reset()


def through(proxy: Proxy, machine: Machine, **fields: str) -> Ssh:
    return ssh_to(machine, address="127.0.0.1", port=proxy.port, **fields)


def apply_through(lab: Lab, proxy: Proxy, items: list[Item], *, until: str = "", **fields: str) -> Report:
    """An apply over the proxy, which stops when work on the item `until` begins."""

    def hear(event: Event) -> None:
        if isinstance(event, ItemStarted) and event.item == until:
            proxy.stop()

    return Scene(lab, one=through(proxy, lab["one"], **fields)).apply(one=items, tell=hear)


def wait_until_done(lab: Lab) -> None:
    deadline = time.monotonic() + 30
    while (run := read_status(Scene(lab, "one").environment).hosts["one"].last_run) is None or run.state != "done":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_cut_before_the_order_is_complete_nothing_is_changed(lab: Lab) -> None:
    with Proxy(lab["one"], limit=1_000_000) as proxy:
        error = error_of(apply_through(lab, proxy, [LARGE]), "one")
    assert "the connection was lost; nothing was changed there" in error
    assert "fedikit status" in error
    lab["one"].fails("test -e /etc/large || test -e /var/lib/fedikit/deployments")
    assert Scene(lab, "one").apply(one=[LARGE]).succeeded
    assert Scene(lab, "one").remove().succeeded
    lab["one"].fails("test -e /var/lib/fedikit")


@pytest.mark.parametrize("user", ["root", "admin"])
def test_cut_after_the_order_the_host_goes_on(lab: Lab, user: str) -> None:
    with Proxy(lab["one"]) as proxy:
        error = error_of(apply_through(lab, proxy, WORK, until="job:slow", user=user), "one")
    assert "the connection was lost; the host goes on by itself" in error
    assert "fedikit status" in error
    wait_until_done(lab)
    assert Scene(lab, "one").plan(one=WORK).is_noop


def test_a_network_that_swallows_everything_is_noticed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "SILENCE_SECONDS", 2)
    interface = interface_of(lab["one"])
    began = time.monotonic()

    def hear(event: Event) -> None:
        if isinstance(event, ItemStarted) and event.item == "job:slow":
            subprocess.run(["ip", "link", "set", interface, "down"], check=True)

    try:
        error = error_of(Scene(lab, "one").apply(one=WORK, tell=hear), "one")
    finally:
        subprocess.run(["ip", "link", "set", interface, "up"], check=True)
    assert "the connection was lost; the host goes on by itself" in error
    assert time.monotonic() - began < 20
    wait_until_done(lab)


def test_a_host_that_does_not_answer_though_its_network_does_is_noticed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "SILENCE_SECONDS", 2)
    with Proxy(lab["one"], swallows=True) as proxy:
        error = error_of(apply_through(lab, proxy, WORK, until="job:slow"), "one")
    assert "the connection was lost; the host goes on by itself" in error
    wait_until_done(lab)


def test_a_deployer_that_stops_sending_does_not_hold_the_host_for_ever(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = "from fedikit_agent.main import main\n"
    impatient = start + " import fedikit_agent.order as m;m.PATIENCE_SECONDS=4\n"
    monkeypatch.setattr(bootstrap, "BOOT", bootstrap.BOOT.replace(start, impatient))
    reports: list[Report] = []
    with Proxy(lab["one"], limit=1_500_000, swallows=True) as proxy:
        stuck = threading.Thread(target=lambda: reports.append(apply_through(lab, proxy, [LARGE])))
        stuck.start()
        lab["one"].wait_until_succeeds("ls /var/lib/fedikit/store/*.part")
        other = Scene(lab, "one").wants(one=[File(path="/etc/other", content="x\n")])
        assert "is being changed by" in error_of(apply_plan(make_plan(other)), "one")
        lab["one"].wait_until_succeeds("flock --nonblock /var/lib/fedikit/lock true")
        assert apply_plan(make_plan(other)).succeeded
    stuck.join(timeout=30)
    assert "nothing was changed there, unless it had got its whole order" in error_of(reports[0], "one")
    lab["one"].fails("test -e /etc/large")


def interface_of(machine: Machine) -> str:
    """The end of a machine's network cable that is plugged in here."""
    number = int(machine.succeed("cat /sys/class/net/host0/iflink"))
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    name: str = next(link["ifname"] for link in links if link["ifindex"] == number)
    return name
