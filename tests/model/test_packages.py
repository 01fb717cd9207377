"""Upgrades that hosts make by themselves: Debian's own means, where anything of ours is."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment.environment import Environment
from fedikit.environment.load import load_catalogue
from fedikit.model import configuration_model
from fedikit.model.deployment import Deployment
from fedikit.model.item import File
from fedikit.policies.packages import SETTINGS, PackagesPolicy

IDS = {
    "package:unattended-upgrades", f"file:{SETTINGS}", "unit:apt-daily.timer", "unit:apt-daily-upgrade.timer",
    "directory:/etc/systemd/system/apt-daily-upgrade.timer.d",
    "file:/etc/systemd/system/apt-daily-upgrade.timer.d/fedikit.conf",
}  # fmt: skip


def deployment(policies: dict[str, Any], *, enable: bool = True) -> Deployment:
    hosts = {name: {"type": "directory", "path": f"/nowhere/{name}"} for name in ("one", "two")}
    given = {"name": "trial", "hosts": hosts, "policies": policies, "placement": {"hello": "one"}}
    environment = Environment.model_validate(given)
    chosen = {"domain": "example.org", "hello": {"enable": enable}}
    person = {"displayName": "Ada", "username": "ada", "email": "ada@example.org"}
    configuration = configuration_model(load_catalogue()).model_validate({**chosen, "initialUser": person})
    return environment.deployment(configuration)


def ids(made: Deployment, host: str) -> set[str]:
    return {item.id for item in made.hosts[host].items}


def settings(**fields: Any) -> str:
    (file,) = [item for item in PackagesPolicy(**fields).items() if isinstance(item, File) and item.path == SETTINGS]
    assert isinstance(file.content, str)
    return file.content


def test_every_host_that_bears_anything_upgrades_by_itself_and_no_other() -> None:
    made = deployment({"packages": {}})
    assert ids(made, "one") >= IDS
    assert ids(made, "two") == set()
    assert ids(deployment({"packages": {}}, enable=False), "one") == set()


def test_without_the_policy_there_is_nothing_of_it() -> None:
    assert not ids(deployment({}), "one") & IDS


@pytest.mark.skipif(not shutil.which("apt-config"), reason="this machine has no apt")
@pytest.mark.parametrize(("upgrades", "origins"), [("security", 1), ("all", 3)])
def test_apt_reads_our_lists_and_none_of_the_administrators(tmp_path: Path, upgrades: str, origins: int) -> None:
    theirs = 'Unattended-Upgrade::Origins-Pattern { "origin=Vendor"; };\nUnattended-Upgrade::Mail "root";\n'
    theirs += 'Unattended-Upgrade::Allowed-Origins { "Vendor:stable"; };\nAPT::Periodic::Unattended-Upgrade "0";\n'
    (tmp_path / "50unattended-upgrades").write_text(theirs)
    (tmp_path / Path(SETTINGS).name).write_text(settings(upgrades=upgrades, reboot="needed", reboot_at="04:10"))
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::main "/dev/null";\nDir::Etc::parts "{tmp_path}/";\n')
    dump = subprocess.run(
        ["apt-config", "dump"],
        env={"APT_CONFIG": str(tmp_path / "apt.conf")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "Vendor" not in dump
    assert dump.count("Unattended-Upgrade::Origins-Pattern:: ") == origins
    assert 'Unattended-Upgrade::Automatic-Reboot "true"' in dump
    assert 'Unattended-Upgrade::Automatic-Reboot-Time "04:10"' in dump
    assert 'APT::Periodic::Unattended-Upgrade "1"' in dump
    assert 'Unattended-Upgrade::Mail "root"' in dump


@pytest.mark.parametrize("clock", ["24:00", "3:30", "03:60", '03:30"; Evil "1', "03:30\n"])
def test_a_time_of_day_is_one(clock: str) -> None:
    for field in ("at", "reboot_at"):
        with pytest.raises(ValueError, match=field):
            PackagesPolicy.model_validate({field: clock})


def test_what_would_be_a_setting_of_apt_is_no_address() -> None:
    with pytest.raises(ValueError, match="mail"):
        PackagesPolicy.model_validate({"mail": 'a"; Evil "1@example.org'})
