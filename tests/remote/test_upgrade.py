"""Upgrades of packages, over hosts that are directories: the deployer's apt is real, and so is the agent."""

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from fedikit.display.drawing import lines_of
from fedikit.model.deployment import Deployment
from fedikit.model.item import File, Package, Unit
from fedikit.model.lock import Lock
from fedikit.plan import make_plan
from fedikit.results.check import CheckResult
from fedikit.results.upgrading import UpgradePlan
from fedikit.results.verdict import Verdict
from fedikit.status import read_status
from fedikit.upgrade import apply_upgrade, carrying_out, make_upgrade
from tests.remote.archive import APT, Archive, use_archive
from tests.remote.conftest import Stage, Staged

APP = Package(name="app")
SERVICE = "/usr/lib/systemd/system/app.service"
UNIT = Unit(name="app.service")
FILES: dict[str, str | bytes] = {SERVICE: "[Service]\nExecStart=/usr/bin/app\n[Install]\nWantedBy=multi-user.target\n"}
THEIRS = "Package: theirs\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    archive = use_archive(tmp_path / "archive", monkeypatch)
    archive.publish(archive.build("app", "1", FILES, Depends="libapp (= 1)"))
    archive.publish(archive.build("libapp", "1"))
    return archive


def newer(archive: Archive) -> None:
    archive.publish(archive.build("app", "2", FILES, Depends="libapp (= 2), fresh"))
    archive.publish(archive.build("libapp", "2"), "-security")
    archive.publish(archive.build("fresh", "1"))
    archive.publish(archive.build("theirs", "2"), "-security")


class Scene:
    """Two machines with a package, one after the other; newer versions are in the archive."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        for name in ("one", "two"):
            stage[name].program("apt-get", f"#!{sys.executable} -IS\n{APT}")
            stage[name].program("apt-mark", "#!/bin/sh\n")
            self.add(name, THEIRS)
        stage.after("one", "two")
        self.wanted = stage.wants(one=[APP, UNIT], two=[APP])

    def add(self, host: str, stanza: str) -> None:
        status = self.stage[host].path("/var/lib/dpkg/status")
        status.write_text(status.read_text() + stanza)

    def versions(self, host: str) -> dict[str, str]:
        text = self.stage[host].path("/var/lib/dpkg/status").read_text()
        stanzas = [dict(line.split(": ", 1) for line in one.splitlines()) for one in text.split("\n\n") if one.strip()]
        return {one["Package"]: one["Version"] for one in stanzas if one["Package"] != "base-files"}

    def process(self, host: str, unit: str, mapped: str, number: int = 77) -> Path:
        """A process of a unit's, with a file mapped."""
        folder = self.stage[host].path(f"/proc/{number}")
        folder.mkdir(parents=True)
        (folder / "maps").write_text(f"7f00-7f01 r-xp 00000000 fe:01 123        {mapped}\n")
        (folder / "cgroup").write_text(f"0::/system.slice/{unit}\n")
        return folder

    def upgrade(self, deployment: Deployment | None = None, **options: bool) -> UpgradePlan:
        return make_upgrade(deployment or self.wanted, **options)


@pytest.fixture
def scene(archive: Archive, staged: Staged) -> Scene:
    scene = Scene(staged("one", "two"))
    assert scene.stage.bring(scene.wanted).succeeded
    newer(archive)
    return scene


ALL_NEW = {"app": "2", "libapp": "2", "fresh": "1", "theirs": "1"}
ALL_OLD = {"app": "1", "libapp": "1", "theirs": "1"}


def test_a_plan_of_an_upgrade_changes_nothing_and_names_what_comes(scene: Scene) -> None:
    plan = scene.upgrade()
    host = plan.hosts["one"]
    assert {one.name: (one.was, one.becomes, one.security) for one in host.packages} == {
        "app": ("1", "2", False), "libapp": ("1", "2", True), "fresh": ("", "1", False),
    }  # fmt: skip
    assert [one.name for one in host.pending.others] == ["theirs"]
    assert list(plan.hosts) == ["two", "one"]
    assert scene.versions("one") == ALL_OLD
    text = "\n".join(lines_of(plan))
    assert "↑ libapp 1 → 2  for security" in text
    assert "not fedikit's, and newer: 1 package, 1 for security (theirs)" in text


def test_an_upgrade_brings_ours_with_what_they_need_and_nothing_else(scene: Scene) -> None:
    report = apply_upgrade(scene.upgrade())
    assert report.succeeded, report
    assert scene.versions("one") == scene.versions("two") == ALL_NEW
    assert make_plan(scene.wanted).is_noop
    assert scene.upgrade().is_noop
    log = scene.stage["one"].path("/run/apt.log").read_text().splitlines()
    assert all("--no-remove" in line for line in log if "--simulate" not in line)
    notes = read_status(scene.stage.environment).hosts["one"].notes
    assert "upgraded" in notes[-1].note
    assert "app 1 → 2" in notes[-1].note


def test_a_rollback_leaves_upgraded_packages_as_they_are(scene: Scene) -> None:
    assert scene.stage.bring(scene.stage.wants(one=[APP], two=[APP])).succeeded
    assert apply_upgrade(scene.upgrade()).succeeded
    assert scene.stage.rollback().succeeded
    assert scene.versions("one") == ALL_NEW


def test_the_first_host_that_fails_is_the_last(scene: Scene) -> None:
    scene.stage["two"].path("/run/apt-fails").touch()
    report = apply_upgrade(scene.upgrade())
    assert not report.succeeded
    assert {name: host.outcome for name, host in report.hosts.items()} == {"two": "failed", "one": "skipped"}
    assert "the disk is on fire" in report.hosts["two"].error
    assert "the upgrade ended at two" in report.hosts["one"].error
    assert scene.versions("one") == ALL_OLD


def test_a_host_whose_checks_fail_is_the_last(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = CheckResult(application="app", name="answers", passed=False, detail="502", seconds=1.0, attempts=3)
    asked: list[object] = []

    def verify(deployment: Deployment, *, limit: object, tell: object) -> Verdict:
        asked.append(limit)
        return Verdict(results=(failed,))

    monkeypatch.setattr(carrying_out, "verify_deployment", verify)
    report = apply_upgrade(scene.upgrade())
    assert asked == [["two"]]
    assert "app: answers: 502" in report.hosts["two"].error
    assert report.hosts["one"].outcome == "skipped"


def test_an_agent_that_is_killed_in_between_is_made_up_for(scene: Scene) -> None:
    scene.stage["two"].path("/run/apt-dies").touch()
    assert not apply_upgrade(scene.upgrade()).succeeded
    scene.stage["two"].path("/run/apt-dies").unlink()
    assert apply_upgrade(scene.upgrade()).succeeded
    assert scene.versions("two") == scene.versions("one") == ALL_NEW


def test_what_dpkg_was_interrupted_in_comes_anew(scene: Scene) -> None:
    status = scene.stage["one"].path("/var/lib/dpkg/status")
    pieces = "Package: libapp\nStatus: install ok unpacked\nVersion: 2"
    status.write_text(status.read_text().replace("Package: libapp\nStatus: install ok installed\nVersion: 1", pieces))
    assert apply_upgrade(scene.upgrade()).succeeded
    assert scene.versions("one") == ALL_NEW
    assert "unpacked" not in status.read_text()


def test_held_packages_stay_and_so_does_what_needs_more_than_is_ours(scene: Scene, archive: Archive) -> None:
    status = scene.stage["one"].path("/var/lib/dpkg/status")
    status.write_text(status.read_text().replace("Package: libapp\nStatus: install", "Package: libapp\nStatus: hold"))
    plan = scene.upgrade()
    assert plan.hosts["one"].debs == ()
    assert "apt-mark showhold" in plan.hosts["one"].staying["libapp"]
    assert "did not bring" in plan.hosts["one"].staying["app"]
    assert apply_upgrade(plan).succeeded
    assert scene.versions("one") == ALL_OLD


def test_a_host_whose_packages_have_moved_since_refuses(scene: Scene) -> None:
    plan = scene.upgrade()
    scene.add("two", THEIRS.replace("theirs", "another"))
    report = apply_upgrade(plan)
    assert "has changed since it was planned" in report.hosts["two"].error
    assert scene.versions("two") == {**ALL_OLD, "another": "1"}


def lock_of(archive: Archive, **versions: str) -> Lock:
    pinned = {
        name: {
            "version": version,
            "sha256": sha256((archive.folder / f"pool/{name}_{version}_all.deb").read_bytes()).hexdigest(),
        }
        for name, version in versions.items()
    }
    return Lock.model_validate({"packages": {"one": pinned, "two": pinned}})


def test_with_a_lock_packages_go_to_its_versions_and_the_plan_agrees(scene: Scene, archive: Archive) -> None:
    archive.publish(archive.build("app", "3", FILES))
    locked = scene.wanted.locked(lock_of(archive, app="2", libapp="2", fresh="1"))
    assert apply_upgrade(scene.upgrade(locked)).succeeded
    assert scene.versions("one") == ALL_NEW
    assert make_plan(locked).is_noop
    assert scene.upgrade(locked).is_noop


def test_what_a_lock_pinned_stays_without_one_and_follows_the_next(scene: Scene, archive: Archive) -> None:
    old, new = lock_of(archive, app="1", libapp="1"), lock_of(archive, app="2", libapp="2", fresh="1")
    scene.wanted = scene.stage.wants(one=[APP, UNIT, File(path="/etc/a", content="a\n")], two=[APP])
    assert scene.stage.bring(scene.wanted.locked(old)).succeeded
    plan = scene.upgrade()
    assert plan.hosts["one"].debs == ()
    assert "is at the version of a lock" in plan.hosts["one"].staying["app"]
    assert apply_upgrade(scene.upgrade(scene.wanted.locked(new))).succeeded
    assert make_plan(scene.wanted.locked(new)).is_noop
    assert scene.versions("one") == ALL_NEW


def test_packages_of_a_neighbour_come_too_and_its_record_follows(scene: Scene, staged: Staged) -> None:
    neighbour = staged("one", "two", name="neighbour")
    assert neighbour.apply(one=[APP]).succeeded
    assert apply_upgrade(scene.upgrade()).succeeded
    assert make_plan(neighbour.wants(one=[APP])).is_noop
    assert make_upgrade(neighbour.wants(one=[APP])).is_noop


# Restarts and reboots


def test_units_of_ours_with_old_code_are_restarted_and_others_are_named(scene: Scene) -> None:
    old = scene.process("one", "app.service", "/usr/lib/libapp.so.1 (deleted)")
    scene.process("one", "vendor.service", "/usr/lib/libapp.so.1 (deleted)", 78)
    scene.process("one", "app.service/libpod-payload", "/tmp/x (deleted)", 79)
    plan = scene.upgrade()
    assert plan.hosts["one"].pending.units == ("app.service",)
    assert plan.hosts["one"].pending.other_units == ("vendor.service",)
    report = apply_upgrade(plan)
    assert report.succeeded, report
    assert report.hosts["one"].restarted == ("app.service",)
    assert report.hosts["one"].left.other_units == ("vendor.service",)
    (old / "maps").write_text("")
    assert not scene.upgrade().has_changes
    consented = scene.upgrade(restart_others=True)
    assert consented.has_changes
    assert not apply_upgrade(consented).succeeded  # there is no such unit to restart: that is said
    assert "restarts vendor.service, not fedikit's" in "\n".join(lines_of(consented))


def test_restarts_that_were_cut_short_are_found_again_without_anything_to_install(scene: Scene) -> None:
    assert apply_upgrade(scene.upgrade()).succeeded
    scene.process("one", "app.service", "/usr/lib/libapp.so.1 (deleted)")
    report = apply_upgrade(scene.upgrade())
    assert report.hosts["one"].restarted == ("app.service",)
    assert report.hosts["two"].outcome == "same"


@pytest.mark.parametrize("wanted", [True, False])
def test_a_machine_is_rebooted_only_if_that_was_asked_for(scene: Scene, wanted: bool) -> None:
    machine = scene.stage["one"]
    boot = machine.path("/proc/sys/kernel/random/boot_id")
    boot.parent.mkdir(parents=True)
    boot.write_text("aaaa\n")
    machine.path("/run/reboot-required").touch()
    machine.path("/run/reboot-required.pkgs").write_text("linux-image-amd64\n")
    systemctl = machine.path("/usr/bin/systemctl")
    systemctl.rename(machine.path("/usr/bin/systemctl.real"))
    reboots = '[ "$2" = reboot ] && {{ echo bbbb >{0}; /bin/rm {1}; exit; }}\nexec "$0.real" "$@"'
    script = reboots.format(boot, machine.path("/run/reboot-required"))
    machine.program("systemctl", f"#!/bin/sh\n{script}\n")
    plan = scene.upgrade(reboot=wanted)
    assert plan.hosts["one"].pending.reboot == "asked for by linux-image-amd64"
    report = apply_upgrade(plan)
    assert report.succeeded, report
    assert report.hosts["one"].rebooted is wanted
    assert bool(report.hosts["one"].left.reboot) is not wanted
    assert boot.read_text() == ("bbbb\n" if wanted else "aaaa\n")
