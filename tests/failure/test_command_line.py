"""What goes wrong, as the command line tells it: in words, with an exit status, never with a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fedikit_lab import Lab
from tests.failure.scene import switch_off

pytestmark = pytest.mark.lab

CONFIGURATION = {
    "domain": "fediversity.test",
    "hello": {"enable": True},
    "initialUser": {"displayName": "Testy", "username": "test", "email": "test@fediversity.test"},
}
RECORD = "/var/lib/fedikit/deployments/failure/last-run.json"


class CommandLine:
    """fedikit in a folder with one environment, in which `hello` is wanted on two hosts, and its configuration."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.folder = folder
        self.keys = {name: lab[name].host_key for name in ("one", "two")}
        self.hosts = "".join(
            f'[hosts.{name}]\naddress = "{lab[name].address}"\nhost_key = "{self.keys[name]}"\n'
            f'identity_file = "{lab[name].key_file}"\n'
            for name in ("one", "two")
        )
        (folder / "configuration.json").write_text(json.dumps(CONFIGURATION))
        self.write_environment(self.hosts)

    def write_environment(self, hosts: str) -> None:
        (self.folder / "environment.toml").write_text(
            f'name = "failure"\n{hosts}\n[placement]\nhello = ["one", "two"]\n'
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "fedikit", *words, "--environment", "environment.toml"]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit status, and all that it printed."""
        process = self.start(*words)
        output, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors, errors
        return process.returncode, output + errors


@pytest.fixture
def fedikit(lab: Lab, tmp_path: Path) -> CommandLine:
    for name in ("one", "two"):
        lab[name].reset()
    return CommandLine(lab, tmp_path)


def test_a_saved_plan_is_applied_once_and_refused_when_the_hosts_have_moved(fedikit: CommandLine) -> None:
    assert fedikit("plan", "--out", "plan.json")[0] == 0
    assert fedikit("apply", "--plan", "plan.json", "--yes")[0] == 0
    status, told = fedikit("apply", "--plan", "plan.json", "--yes")
    assert status == 1
    assert "has changed since it was planned; nothing was done" in told
    assert "plan again" in told
    status, told = fedikit("plan")
    assert (status, told.count("nothing to change")) == (0, 2)
    assert fedikit("remove", "--yes")[0] == 0


def test_one_host_down_is_exit_status_1_and_the_other_is_changed(lab: Lab, fedikit: CommandLine) -> None:
    switch_off(lab["two"])
    try:
        for words in (["plan"], ["apply", "--yes"], ["status"]):
            status, told = fedikit(*words)
            assert (status, "cannot be reached" in told) == (1, True), told
        lab["one"].succeed("hello")
    finally:
        lab["two"].start()


def test_a_host_key_that_changed_is_exit_status_1_and_nothing_runs(lab: Lab, fedikit: CommandLine) -> None:
    before = logins(lab)
    renew = "ssh-keygen -q -t ed25519 -N '' -f /root/key; cp /root/key /etc/ssh/ssh_host_ed25519_key"
    lab["one"].succeed(f"{renew}; rm /root/key; systemctl restart ssh.service")
    status, told = fedikit("apply", "--yes")
    assert status == 1
    shown = lab["one"].succeed("ssh-keygen -lf /root/key.pub").split()[1]
    assert f"ssh-ed25519 {shown}" in told
    assert "put its new key into the environment" in told
    assert logins(lab) == before
    lab["two"].succeed("hello")


def logins(lab: Lab) -> int:
    return int(lab["one"].succeed("journalctl --unit ssh --grep '^Accepted' --output cat | wc -l"))


def test_a_host_without_a_known_key_is_a_mistake_in_the_environment(fedikit: CommandLine) -> None:
    fedikit.write_environment(fedikit.hosts.replace(f'host_key = "{fedikit.keys["one"]}"\n', ""))
    status, told = fedikit("apply", "--yes")
    assert status == 2
    assert "hosts.one.host_key" in told


def test_a_busy_host_is_exit_status_1_and_a_killed_deployer_changes_nothing_for_the_host(
    lab: Lab, fedikit: CommandLine
) -> None:
    lab["one"].succeed("echo 'pre-invoke=sleep 1' >/etc/dpkg/dpkg.cfg.d/slow")
    first = fedikit.start("apply", "--yes", "--limit", "one")
    lab["one"].wait_until_succeeds(f"test -e {RECORD}")
    status, told = fedikit("apply", "--yes", "--limit", "one")
    assert status == 1
    assert "is being changed by" in told
    first.kill()
    first.communicate(timeout=10)
    lab["one"].wait_until_succeeds(f"grep -q done {RECORD}")
    status, told = fedikit("plan", "--limit", "one")
    assert (status, "nothing to change" in told) == (0, True)
    assert "generation 1" in fedikit("status", "--limit", "one")[1]
    lab["one"].succeed("hello")
