"""A real user of a real host puts links where fedikit works; an administrator moves data to another disk."""

import pytest

from fedikit.apply import apply_plan
from fedikit.model.item import Directory, File, Item, Package, User
from fedikit.plan import make_plan
from fedikit.results.plan import Plan
from fedikit_lab import Lab
from tests.failure.scene import Scene

pytestmark = pytest.mark.lab

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGo9 mallory"
MALLORY = User(name="mallory", authorized_keys=(KEY,))
FIGURES = "stat --format '%n %U:%G %a' /etc /etc/shadow /root /root/.ssh /root/.ssh/authorized_keys; cat /root/.ssh/*"


@pytest.fixture
def scene(lab: Lab) -> Scene:
    lab["one"].reset()
    return Scene(lab, "one")


def as_mallory(lab: Lab, script: str) -> None:
    lab["one"].succeed(f"runuser --user mallory -- sh -ec 'cd ~; {script}'")


def blocked_because(plan: Plan) -> str:
    assert plan.hosts["one"].is_blocked
    return " ".join(reason for change in plan.hosts["one"].changes for reason in change.reasons)


@pytest.mark.parametrize("target", ["/etc", "/root/.ssh"])
def test_a_users_own_directory_is_all_that_is_handed_over(lab: Lab, scene: Scene, target: str) -> None:
    before = lab["one"].succeed(FIGURES)
    assert scene.apply(one=[MALLORY]).succeeded
    as_mallory(lab, f"mv .ssh k; ln -s {target} .ssh")
    assert "/home/mallory/.ssh is a symbolic link" in blocked_because(scene.plan(one=[MALLORY]))
    assert lab["one"].succeed(FIGURES) == before
    assert scene.remove().succeeded
    assert lab["one"].succeed(FIGURES) == before
    assert apply_plan(make_plan(scene.wants(one=[]), purge=True)).succeeded
    assert lab["one"].succeed(FIGURES) == before


def test_a_users_file_is_all_that_is_read_replaced_and_put_back(lab: Lab, scene: Scene) -> None:
    lab["one"].succeed("useradd --create-home --shell /bin/bash mallory")
    before = lab["one"].succeed(FIGURES)
    as_mallory(lab, "mkdir .ssh; ln -s /etc/shadow .ssh/authorized_keys")
    assert scene.apply(one=[MALLORY]).succeeded
    assert lab["one"].succeed("cat /home/mallory/.ssh/authorized_keys") == f"{KEY}\n"
    assert scene.plan(one=[MALLORY]).is_noop
    assert scene.remove().succeeded
    assert lab["one"].succeed("readlink /home/mallory/.ssh/authorized_keys") == "/etc/shadow\n"
    assert lab["one"].succeed(FIGURES) == before
    lab["one"].fails("test -e /var/lib/fedikit")


def test_a_services_own_directory_is_all_that_is_handed_over(lab: Lab, scene: Scene) -> None:
    before = lab["one"].succeed(FIGURES)
    lab["one"].succeed("useradd --system service; install -d -o service -g service /var/lib/service")
    owned: list[Item] = [
        Directory(path="/var/lib/service/data", owner="service", group="service", data=True),
        File(path="/var/lib/service/data/app.conf", content="a\n", owner="service", group="service"),
    ]
    assert scene.apply(one=owned).succeeded
    lab["one"].succeed("cd /var/lib/service; runuser --user service -- sh -c 'mv data aside; ln -s /etc data'")
    words = "/var/lib/service/data is a symbolic link that not only root could have made"
    assert words in blocked_because(scene.plan(one=owned))
    assert words in blocked_because(make_plan(scene.wants(one=[]), purge=True))
    lab["one"].fails("test -e /etc/app.conf")
    assert lab["one"].succeed(FIGURES) == before


def test_a_package_that_leaves_does_not_take_along_the_link_to_data_that_was_moved(lab: Lab, scene: Scene) -> None:
    rotation: list[Item] = [Package(name="logrotate")]
    assert scene.apply(one=rotation).succeeded
    lab["one"].succeed("mkdir /mnt/disk; mv /var/lib/logrotate /mnt/disk/; echo precious >/mnt/disk/logrotate/data")
    lab["one"].succeed("ln -s /mnt/disk/logrotate /var/lib/logrotate")
    report = scene.remove()
    assert report.succeeded
    shown = lab["one"].succeed("readlink /var/lib/logrotate; cat /var/lib/logrotate/data")
    assert shown == "/mnt/disk/logrotate\nprecious\n"
    kept = [item.kept for item in report.hosts["one"].items if item.kept]
    assert kept == ["/var/lib/logrotate was moved to /mnt/disk/logrotate by an administrator: what is there stays"]
    assert scene.apply(one=rotation).succeeded
    assert lab["one"].succeed("cat /var/lib/logrotate/data") == "precious\n"


def test_a_server_that_still_serves_stays_with_its_moved_data(lab: Lab, scene: Scene) -> None:
    assert scene.apply(one=[Package(name="redis-server")]).succeeded
    lab["one"].succeed("systemctl stop redis-server; mkdir /mnt/disk; mv /var/lib/redis /mnt/disk/")
    lab["one"].succeed("ln -s /mnt/disk/redis /var/lib/redis; echo precious >/mnt/disk/redis/data")
    assert scene.remove().succeeded
    assert lab["one"].succeed("readlink /var/lib/redis; cat /var/lib/redis/data") == "/mnt/disk/redis\nprecious\n"
    lab["one"].succeed("dpkg-query --status redis-server | grep --quiet '^Status: install ok installed'")
