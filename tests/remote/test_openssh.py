"""The system's OpenSSH reaches a host as fedikit does, and no otherwise."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedikit.errors import ConfigurationError, HostError
from fedikit.model.deployment import Deployment
from fedikit.model.host import DirectoryHost, HostState, Local, Ssh
from fedikit.model.item import File, Unit
from fedikit.model.ssh_server import JumpHost
from fedikit.remote.journal import Wanted, read_journals, units_of
from fedikit.remote.openssh import ssh_command
from tests.remote.ssh_servers import Server

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEVrCVy068cUnju6L/sdgcSPw1TUxWUvCDGs12y9l7i"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("my keys") / 'i"d%h'
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return str(path)


def said(ssh: Ssh, *command: str) -> subprocess.CompletedProcess[str]:
    with ssh_command("social", ssh) as start:
        return subprocess.run([*start, "--", *command], capture_output=True, text=True, timeout=20, check=False)


def over(server: Server, key: str) -> JumpHost:
    return JumpHost(
        address="127.0.0.1", port=server.port, host_key=server.host_key, identity_file=key, user="hop"
    )  # fmt: skip


def test_openssh_goes_the_same_way_with_the_same_keys(key: str) -> None:
    with Server() as hop, Server() as last:
        done = said(last.reached(identity_file=key, jump=over(hop, key)), "echo", "hello")
        assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
        assert hop.led_to == [("127.0.0.1", last.port)]
        assert hop.agents_asked == last.agents_asked == 0


@pytest.mark.parametrize("which", ["jump", "host"])
def test_openssh_refuses_another_key_on_either_leg(key: str, which: str) -> None:
    with Server() as hop, Server() as last:
        jump = over(hop, key).model_copy(update={"host_key": OTHER_KEY} if which == "jump" else {})
        ssh = last.reached(identity_file=key, jump=jump)
        done = said(ssh.model_copy(update={"host_key": OTHER_KEY} if which == "host" else {}), "echo", "hello")
        assert done.returncode == 255
        assert "verification failed" in done.stderr
        assert last.commands == []


@pytest.mark.parametrize("connection", [DirectoryHost(path="/srv/one"), Local()])
def test_where_nobody_can_log_in_it_is_said_in_words(connection: DirectoryHost | Local) -> None:
    with pytest.raises(HostError, match=r"is a directory|is this very machine"), ssh_command("one", connection):
        pass


def test_the_verb_runs_a_command_with_its_options_and_ends_as_it_does(key: str, tmp_path: Path) -> None:
    with Server() as server:
        (tmp_path / "environment.toml").write_text(
            f'name = "trial"\n[hosts.social]\naddress = "127.0.0.1"\nport = {server.port}\n'
            f"host_key = \"{server.host_key}\"\nidentity_file = '{key}'\n"
        )
        verb = [sys.executable, "-m", "fedikit", "ssh", "-e", str(tmp_path / "environment.toml"), "social"]
        done = subprocess.run([*verb, "ls", "-d", "/etc", "/no such"], capture_output=True, text=True, check=False)
        assert done.stdout == "/etc\n"
        assert done.returncode == 2
        assert server.commands == ["ls -d /etc '/no such'"]


# Journals

UNITS = (Unit(name="caddy.service"), Unit(name="app.service"))


@pytest.fixture
def deployment() -> Deployment:
    state = HostState(
        connection=DirectoryHost(path="/nowhere"), items=(*UNITS, File(path="/etc/a", content="")),
        applications=("app",), belongings={UNITS[1].id: ("app",), "file:/etc/a": ("app",)},
    )  # fmt: skip
    return Deployment(name="trial", hosts={"one": state, "two": state.model_copy(update={"applications": ()})})


def test_a_host_has_all_its_units_and_an_application_its_own(deployment: Deployment) -> None:
    assert units_of(deployment, "one") == {"one": ("fedikit-trial*.scope", "caddy.service", "app.service")}
    assert units_of(deployment, "app") == {"one": ("app.service",)}
    with pytest.raises(ConfigurationError, match="there are: app, one, two"):
        units_of(deployment, "three")


def test_a_directory_has_no_journal_and_says_so(deployment: Deployment) -> None:
    with pytest.raises(HostError, match="there is no journal"):
        list(read_journals(deployment, units_of(deployment, "one"), Wanted()))


def test_journals_of_several_hosts_come_line_by_line_and_harm_no_terminal(
    key: str, deployment: Deployment, tmp_path: Path
) -> None:
    script = tmp_path / "journalctl"
    script.write_text("#!/bin/sh\nprintf 'a \\033[2J%s\\n' \"$*\"\necho b\n")
    script.chmod(0o755)
    with Server(shell=("env", f"PATH={tmp_path}:/usr/bin:/bin", "sh", "-c")) as server:
        ssh = server.reached(identity_file=key)
        hosts = {name: state.model_copy(update={"connection": ssh}) for name, state in deployment.hosts.items()}
        reached = deployment.model_copy(update={"hosts": hosts})
        units = dict.fromkeys(hosts, ("app.service",))
        lines = list(read_journals(reached, units, Wanted(lines=7, since="-1h", follow=True)))
    for name in hosts:
        first, second = [line for host, line in lines if host == name]
        assert first.startswith("a \\x1b[2J--quiet")
        assert first.endswith("--lines 7 --since -1h --follow --unit app.service")
        assert second == "b"


def test_a_journal_that_cannot_be_read_is_told_after_the_others(key: str, deployment: Deployment) -> None:
    with Server(shell=("sh", "-c", "echo 'no journal here' >&2; exit 1")) as server:
        state = deployment.hosts["one"].model_copy(update={"connection": server.reached(identity_file=key)})
        reached = deployment.model_copy(update={"hosts": {"one": state}})
        with pytest.raises(HostError, match="its journal cannot be read: no journal here"):
            list(read_journals(reached, {"one": ("app.service",)}, Wanted()))
