"""The agent is killed with SIGKILL at every step by which it changes a host; run again, the end is the same."""

import re
import time
from collections.abc import Callable

import pytest

from fedikit.apply import Report
from fedikit.lab import Lab
from fedikit.model.item import Directory, File, Item, Job, Package, Symlink, Unit, User
from tests.failure.saboteur import killed_at, steps_made
from tests.failure.scene import Scene
from tests.failure.view import changes, record_of, view_of

pytestmark = pytest.mark.lab

SERVICE = "[Service]\nExecStart=/bin/sleep {}\n[Install]\nWantedBy=multi-user.target\n"
# Before fedikit there is a file in the place of ours, and a running service whose file ours replaces.
BEFORE = f"""
echo mine >/etc/motd; chmod 0600 /etc/motd
printf '{SERVICE.format(1111)}' >/etc/systemd/system/old.service
systemctl enable --now --quiet old.service
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm9b2Q0 somebody"
EVERY_KIND: list[Item] = [
    Directory(path="/etc/app", mode="0750"),
    File(path="/etc/app/app.conf", content="a = 1\n"),
    File(path="/etc/motd", content="ours\n"),
    Symlink(path="/etc/app/link", target="app.conf"),
    User(name="worker", authorized_keys=(KEY,)),
    File(path="/etc/systemd/system/app.service", content=SERVICE.format(2222)),
    Unit(name="app.service", restart_on=("file:/etc/app/app.conf", "file:/etc/systemd/system/app.service")),
    File(path="/etc/systemd/system/old.service", content=SERVICE.format(3333)),
    Unit(name="old.service", restart_on=("file:/etc/systemd/system/old.service",)),
    Job(name="migrate", run=("sh", "-c", "echo x >/srv/migrated"), undo=("rm", "-f", "/srv/migrated")),
]
PACKAGES: list[Item] = [Package(name="hello"), Package(name="jq")]
HOSTS = ("one", "two")


@pytest.fixture
def scene(lab: Lab) -> Scene:
    for name in HOSTS:
        lab[name].reset()
        lab[name].succeed(BEFORE)
    return Scene(lab, *HOSTS)


@pytest.mark.parametrize("items", [EVERY_KIND, PACKAGES], ids=["every kind", "packages"])
def test_killed_at_any_step_and_run_again_the_end_is_the_same(lab: Lab, scene: Scene, items: list[Item]) -> None:
    machines = [lab[name] for name in HOSTS]
    untouched = [view_of(machine) for machine in machines]
    wanted = {name: items for name in HOSTS}

    with killed_at({}):
        assert scene.apply(**wanted).succeeded
        making = steps_made(lab["one"])
        reached = [(view_of(machine), record_of(machine)) for machine in machines]
        assert scene.remove().succeeded
        leaving = steps_made(lab["one"])
    assert [changes(*views) for views in zip(untouched, map(view_of, machines), strict=True)] == [[], []]

    for made, left in pairs_of(making, leaving):
        kill = dict(zip(HOSTS, made, strict=True))
        with killed_at(kill):
            assert not scene.apply(**wanted).succeeded, made
        until_free(lambda: scene.apply(**wanted))
        for machine, (view, record), step in zip(machines, reached, made, strict=True):
            assert changes(view, view_of(machine)) == [], f"killed before {making[step - 1]}"
            assert record_of(machine) == record, f"killed before {making[step - 1]}"
        with killed_at(dict(zip(HOSTS, left, strict=True))):
            scene.remove()
        until_free(scene.remove)
        for machine, view, step in zip(machines, untouched, left, strict=True):
            assert changes(view, view_of(machine)) == [], f"killed before {leaving[step - 1]}"


def pairs_of(making: list[str], leaving: list[str]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Every step of either, each once, two at a time: one for each machine."""
    count = (max(len(making), len(leaving)) + 1) // 2
    return [
        (tuple(1 + (n % len(making)) for n in (i, i + count)), tuple(1 + (n % len(leaving)) for n in (i, i + count)))
        for i in range(count)
    ]


def until_free(act: Callable[[], Report], seconds: float = 30) -> None:
    """Does it until no command of the killed agent keeps the host busy any more; then it must succeed."""
    deadline = time.monotonic() + seconds
    report = act()
    while time.monotonic() < deadline and any("at work" in host.error for host in report.hosts.values()):
        time.sleep(0.2)
        report = act()
    assert report.succeeded, report
