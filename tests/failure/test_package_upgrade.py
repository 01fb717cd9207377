"""Upgrades of packages on a real machine: dpkg, systemd, what processes run, and a reboot."""

import re
from base64 import b64encode
from pathlib import Path

import pytest

from fedikit.display.drawing import lines_of
from fedikit.model.item import Item, Package, Unit
from fedikit.policies.packages import PackagesPolicy
from fedikit.status import read_status
from fedikit.upgrade import apply_upgrade, make_upgrade
from fedikit_lab import Lab, Machine
from tests.failure.scene import Scene
from tests.remote.archive import Archive, use_archive

pytestmark = pytest.mark.lab

UNIT = "fedik-sleeper.service"
SERVICE = "[Service]\nExecStart=/usr/lib/fedik-sleeper/sleeper infinity\n[Install]\nWantedBy=multi-user.target\n"
ITEMS: list[Item] = [Package(name="fedik-sleeper"), Unit(name=UNIT)]
TIMERS = "apt-daily.timer apt-daily-upgrade.timer"


def sleeper(archive: Archive, version: str, **fields: str) -> Path:
    """A service without a script that restarts it: that is left to whoever upgrades it."""
    program = Path("/bin/sleep").read_bytes() + version.encode()
    files: dict[str, str | bytes] = {
        "/usr/lib/fedik-sleeper/sleeper": program,
        f"/usr/lib/systemd/system/{UNIT}": SERVICE,
    }
    return archive.build("fedik-sleeper", version, files, **fields)


def process_of(machine: Machine) -> str:
    return machine.succeed(f"systemctl show --property MainPID --value {UNIT}").strip()


def version_of(machine: Machine, name: str) -> str:
    return machine.succeed(f"dpkg-query --show --showformat '${{Version}}' {name}").strip()


def test_an_upgrade_restarts_what_needs_it_reboots_and_leaves_others_alone(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = lab["one"]
    machine.reset()
    archive = use_archive(tmp_path / "archive", monkeypatch)
    archive.publish(sleeper(archive, "1"))
    theirs = archive.build("fedik-theirs", "1")
    encoded = b64encode(theirs.read_bytes()).decode()
    machine.run("base64 --decode >/root/theirs.deb && dpkg --install /root/theirs.deb", stdin=encoded)
    scene = Scene(lab, "one")
    assert scene.apply(one=ITEMS).succeeded
    first = process_of(machine)
    archive.publish(sleeper(archive, "2", Depends="fedik-fresh"))
    archive.publish(archive.build("fedik-fresh", "1"))
    archive.publish(archive.build("fedik-theirs", "2"), "-security")

    wanted = scene.wants(one=ITEMS)
    report = apply_upgrade(make_upgrade(wanted))
    assert report.succeeded, report
    assert report.hosts["one"].restarted == (UNIT,)
    second = process_of(machine)
    assert second not in ("", "0", first)
    assert [version_of(machine, name) for name in ("fedik-sleeper", "fedik-fresh", "fedik-theirs")] == ["2", "1", "1"]
    assert machine.succeed("apt-mark showauto fedik-fresh").strip() == "fedik-fresh"
    assert scene.plan(one=ITEMS).is_noop
    status = read_status(wanted, health=True)
    assert "fedik-theirs" in "\n".join(lines_of(status))

    machine.succeed("touch /run/reboot-required")
    boot = machine.succeed("cat /proc/sys/kernel/random/boot_id")
    report = apply_upgrade(make_upgrade(wanted, reboot=True))
    assert report.succeeded, report
    assert report.hosts["one"].rebooted
    machine.let_go()
    assert machine.succeed("cat /proc/sys/kernel/random/boot_id") != boot
    assert machine.succeed(f"systemctl is-active {UNIT}").strip() == "active"
    assert make_upgrade(wanted, reboot=True).is_noop

    assert scene.remove().succeeded
    assert machine.run("dpkg-query --show fedik-sleeper fedik-fresh").exit_status != 0
    assert version_of(machine, "fedik-theirs") == "1"


def test_a_host_upgrades_by_itself_as_the_policy_says_and_is_as_before_without_it(lab: Lab) -> None:
    machine, scene = lab["one"], Scene(lab, "one")
    machine.reset()
    machine.succeed(f"systemctl unmask {TIMERS}")  # the lab's machines have them at rest
    report = scene.apply(one=PackagesPolicy(at="02:20").items())
    assert report.succeeded, report
    said = machine.succeed("unattended-upgrade --dry-run --debug 2>&1")
    assert re.findall("Allowed origins are: (.*)", said) == [
        "origin=Debian,codename=trixie-security,label=Debian-Security"
    ]
    assert "02:20:00" in machine.succeed("systemctl show --property TimersCalendar apt-daily-upgrade.timer")
    assert machine.succeed(f"systemctl is-active {TIMERS}").split() == ["active"] * 2
    assert scene.plan(one=PackagesPolicy(at="02:20").items()).is_noop
    assert scene.remove().succeeded
    assert "02:20:00" not in machine.succeed("systemctl show --property TimersCalendar apt-daily-upgrade.timer")
    assert machine.run("ls /etc/apt/apt.conf.d | grep fedikit").stdout == ""
    machine.succeed(f"systemctl mask {TIMERS}")
