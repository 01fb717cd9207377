"""What the policy of backups brings, on a real machine: its units, their sandbox, the check, and that it leaves."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fedikit.model.check import BackupIsYoung
from fedikit.model.data import ApplicationData, VolumePart
from fedikit.model.item import Directory, Item, Package
from fedikit.model.policy import Place as ModelPlace
from fedikit.policies.backup import BackupPolicy
from fedikit.verify import verify_deployment
from fedikit_lab import Machine
from tests.data.conftest import PACKAGES, Place, files_of_the_program
from tests.failure.scene import Scene

pytestmark = pytest.mark.lab

REPOSITORY, KEPT = "/srv/by-policy", "/srv/trial-kept"
USUAL = [*(Package(name=name) for name in PACKAGES), *files_of_the_program()]
CHECK = BackupIsYoung(application="trial", host="one", max_age_hours=26)


@dataclass(frozen=True)
class Trial:
    """An application whose volume is backed up by the policy."""

    scene: Scene
    machine: Machine

    def items(self) -> list[Item]:
        data = ApplicationData(folder="trial", parts=(VolumePart(path=KEPT),), stop=("trial.service",))
        place = ModelPlace(application="trial", host="one", hosts=self.scene.environment.hosts)
        brought = BackupPolicy(repository=REPOSITORY).provide(data, place, "failure").items
        return list({item.id: item for item in (Directory(path=KEPT, data=True), *brought, *USUAL)}.values())


@pytest.fixture(scope="module")
def trial(place: Place) -> Iterator[Trial]:
    trial = Trial(Scene(place.lab, "one"), place.machine)
    trial.machine.succeed(f"mkdir -p {REPOSITORY}/trial")
    report = trial.scene.apply(one=trial.items())
    assert report.succeeded, report
    trial.machine.succeed(f"echo precious > {KEPT}/file")
    yield trial
    trial.machine.succeed(f"rm -rf {REPOSITORY} {KEPT}")


def verdict(trial: Trial) -> tuple[bool, str]:
    deployment = trial.scene.wants(one=trial.items()).model_copy(update={"checks": (CHECK,)})
    (result,) = verify_deployment(deployment).results
    return result.passed, result.detail


def test_before_the_first_was_due_no_backup_is_well(trial: Trial) -> None:
    assert verdict(trial) == (True, "none yet: they were set up less than an hour ago")


def test_the_units_back_up_and_look_by_themselves(trial: Trial) -> None:
    trial.machine.succeed("systemctl start fedikit-backup-trial.service", seconds=60)
    assert verdict(trial) == (True, "less than an hour old")
    trial.machine.succeed("systemctl start fedikit-backup-check-trial.service", seconds=60)
    assert trial.machine.succeed("systemctl is-active fedikit-backup-trial.timer").strip() == "active"
    assert trial.scene.plan(one=trial.items()).is_noop


def test_a_backup_that_grew_old_is_told_of(trial: Trial) -> None:
    result = "/var/lib/fedikit-data/trial/result.json"
    trial.machine.succeed(f'sed -i.kept \'s/"ended": *"20[0-9][0-9]/"ended": "2020/g\' {result}')
    passed, words = verdict(trial)
    trial.machine.succeed(f"mv {result}.kept {result}")
    assert not passed
    assert "wanted a backup of the last 26 hours, saw one that is" in words


def test_a_bucket_could_be_mounted_in_the_sandbox_of_the_unit(trial: Trial) -> None:
    """And what nobody unmounted, since it was killed, is gone with it."""
    unit = trial.machine.succeed("cat /etc/systemd/system/fedikit-backup-trial.service")
    walls = [line for line in unit.splitlines() if line.startswith(("Protect", "Restrict", "Lock", "UMask"))]
    options = " ".join(f"--property={line}" for line in walls)
    act = f"mkdir -p /run/trial && rclone mount2 --daemon {KEPT} /run/trial && cat /run/trial/file"
    said = trial.machine.succeed(f"systemd-run --quiet --pipe --wait {options} sh -c '{act}'", seconds=30)
    assert said == "precious\n"
    trial.machine.fails("mountpoint /run/trial")
    assert len(walls) > 5


def test_nothing_is_left_of_it_but_the_backups(trial: Trial) -> None:
    report = trial.scene.apply(one=USUAL)
    assert report.succeeded, report
    left = trial.machine.succeed("find / -xdev -path /proc -prune -o -path '*fedikit*trial*' -print")
    assert "/trial" not in left.replace(KEPT, "").replace("/var/lib/fedikit/", "")
    assert trial.machine.succeed("ls /var/lib/systemd/timers /etc/systemd/system").count("trial") == 0
    assert trial.machine.succeed(f"ls {REPOSITORY}/trial/snapshots")
