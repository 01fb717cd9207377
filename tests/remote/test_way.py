"""The way to a host over SSH: jump hosts, logins that talk, and refusals, each in words of its own."""

import socket
import subprocess
from pathlib import Path
from typing import Any

import paramiko
import pytest

from fedikit.errors import HostError, HostKeyRefused
from fedikit.model.host import Ssh
from fedikit.model.ssh_server import JumpHost
from fedikit.remote.messages import Status
from fedikit.remote.session import Session
from fedikit.remote.shell import run_in_login_shell
from tests.remote.ssh_servers import Server, saying

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEVrCVy068cUnju6L/sdgcSPw1TUxWUvCDGs12y9l7i"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("keys") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return str(path)


@pytest.fixture(autouse=True)
def no_keys_of_who_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def ask(ssh: Ssh) -> Status:
    with Session("social", ssh) as session:
        return session.ask({"op": "status", "deployment": "way"}, Status)


def told(ssh: Ssh) -> str:
    with pytest.raises(HostError) as raised:
        ask(ssh)
    return str(raised.value)


def over(server: Server, key: str, **fields: Any) -> JumpHost:
    plain = {"address": "127.0.0.1", "port": server.port, "host_key": server.host_key, "identity_file": key}
    return JumpHost(**plain | {"user": "hop"} | fields)


# Jump hosts


def test_a_host_is_reached_over_a_chain_of_jump_hosts(key: str) -> None:
    with Server() as first, Server() as second, Server() as last:
        jump = over(second, key, jump=over(first, key))
        ssh = last.reached(identity_file=key, jump=jump)
        assert ask(ssh).generation == 0
        assert "hello" in run_in_login_shell("social", ssh, ("echo", "hello"))
        assert set(first.led_to) == {("127.0.0.1", second.port)}
        assert set(second.led_to) == {("127.0.0.1", last.port)}
        assert first.commands == second.commands == []
        assert first.agents_asked == second.agents_asked == last.agents_asked == 0


@pytest.mark.parametrize("which", ["jump", "host"])
def test_both_legs_are_pinned_and_the_one_that_shows_another_key_is_named(key: str, which: str) -> None:
    with Server() as hop, Server() as last:
        keys = {which: {"host_key": OTHER_KEY}}
        ssh = last.reached(identity_file=key, jump=over(hop, key, **keys.get("jump", {})), **keys.get("host", {}))
        with pytest.raises(HostKeyRefused) as raised:
            ask(ssh)
        named = (
            f"the jump host hop@127.0.0.1:{hop.port} shows"
            if which == "jump"
            else f": root@127.0.0.1:{last.port} shows"
        )
        assert named in str(raised.value)
        assert last.commands == []


def test_a_jump_host_that_leads_nobody_on_is_named_with_its_setting(key: str) -> None:
    with Server(forwards=False) as hop, Server() as last:
        words = told(last.reached(identity_file=key, jump=over(hop, key)))
    assert f"the jump host hop@127.0.0.1:{hop.port} leads nobody on to root@127.0.0.1:{last.port}" in words
    assert "AllowTcpForwarding" in words


def test_what_a_jump_host_cannot_reach_is_told_as_such(key: str) -> None:
    with Server() as hop, Server() as gone:
        pass
    with Server() as hop:
        words = told(gone.reached(identity_file=key, jump=over(hop, key)))
    assert f"the jump host hop@127.0.0.1:{hop.port} cannot reach root@127.0.0.1:{gone.port}" in words
    assert "seen from the jump host" in words


def test_a_jump_host_that_is_down_is_told_as_such(key: str) -> None:
    with Server() as hop, Server() as last:
        hop._listener.close()
        words = told(last.reached(identity_file=key, jump=over(hop, key, port=1)))
    assert "the jump host hop@127.0.0.1:1 cannot be reached: nothing answers there" in words
    assert "hosts.social.jump: port" in words


def test_a_jump_host_known_by_its_name_alone_is_refused_in_words(key: str) -> None:
    assert "is behind bastion" in told(Ssh(address="127.0.0.1", host_key=OTHER_KEY, jump="bastion", port=1))


# What a login prints

LOUD = {
    "a line": "echo 'You have mail.'",
    "no end of line": "printf 'Welcome to social'",
    "no text": r"printf '\377\376\000\033[2J\n\303'",
    "much": "head -c 900000 /dev/zero | tr '\\0' 'x'",
    "on standard error": "echo 'motd' >&2",
    "what looks like an answer": """echo '{"event":"trouble"}'; echo 'agent?'""",
}


@pytest.mark.parametrize("noise", LOUD.values(), ids=LOUD)
def test_what_a_login_prints_before_the_agent_is_skipped(key: str, noise: str) -> None:
    with Server(shell=("sh", "-c", f'{noise}; exec sh -c "$0"')) as server:
        assert ask(server.reached(identity_file=key)).generation == 0


def test_a_login_that_prints_without_end_is_given_up(key: str) -> None:
    with Server(shell=("sh", "-c", "yes hello")) as server:
        words = told(server.reached(identity_file=key))
    assert "prints more than 1 MiB" in words
    assert "hello" in words


def test_a_login_that_never_answers_ends_at_its_deadline_and_the_hint_names_it(key: str) -> None:
    with Server(shell=("sh", "-c", "sleep 30")) as server:
        words = told(server.reached(identity_file=key, login_seconds=1))
    assert "let us in, but no agent started within 1 s" in words
    assert "hosts.social.login_seconds" in words


REFUSING = {
    "nologin": ("echo 'This account is currently not available.'; exit 1", "This account is currently not available."),
    "false": ("exit 1", "ended without a word"),
    "a forced command": ("echo 'Backups only.'; exit 0", "Backups only."),
    "sftp only": ("echo 'This service allows sftp connections only.'; exit 1", "sftp connections only"),
}


@pytest.mark.parametrize(("shell", "said"), REFUSING.values(), ids=REFUSING)
def test_a_shell_that_runs_no_command_is_told_with_its_own_words(key: str, shell: str, said: str) -> None:
    with Server(shell=("sh", "-c", shell)) as server:
        words = told(server.reached(identity_file=key))
    assert "lets us in, but runs no command for us" in words
    assert said in words
    assert "ForceCommand" in words


def test_an_image_that_wants_another_user_gets_its_hint(key: str) -> None:
    shell = """echo 'Please login as the user "debian" rather than the user "root".'; echo; exit 142"""
    with Server(shell=("sh", "-c", shell)) as server:
        words = told(server.reached(identity_file=key))
    assert 'user = "debian" in hosts.social' in words


# What a host lacks


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of programs that is the whole path of a login."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat", "env"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    return programs


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def with_path(folder: Path) -> Server:
    return Server(shell=("env", "-i", f"PATH={folder}", "/bin/sh", "-c"))


def test_a_host_without_python_is_told_what_to_install(key: str, bare: Path) -> None:
    with with_path(bare) as server:
        words = told(server.reached(identity_file=key))
    assert words == "social: there is no python3 on it\n  → install it there once: apt-get install python3"


def test_another_system_without_python_is_told_by_its_name(key: str, bare: Path) -> None:
    (bare / "cat").unlink()
    program(bare, "cat", """echo 'ID=alpine'; echo 'PRETTY_NAME="Alpine Linux v3.22"'""")
    with with_path(bare) as server:
        assert "is Alpine Linux v3.22: not supported" in told(server.reached(identity_file=key))


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("import sys; sys.version_info = (3, 9, 2)", "its python3 is 3.9, and 3.11 is the oldest"),
        ("import sys; sys.modules['json'] = None", "it has no module json"),
    ],
)
def test_a_python_that_will_not_do_is_told_in_one_line(key: str, bare: Path, python: str, said: str) -> None:
    """As the agent would find it: the same program, before which something is made so."""
    program(bare, "python3", f"""exec /usr/bin/python3 -I -S -c "{python}; $4" "$5" """)
    with with_path(bare) as server:
        words = told(server.reached(identity_file=key))
    assert said in words
    assert len(words.splitlines()) == 2


SUDO = {
    "no sudo": ("", "sudo is not there", "apt-get install sudo"),
    "a password": ("echo 'sudo: a password is required' >&2; exit 1", "a password is required", "NOPASSWD"),
    "a stranger": ("echo 'hop is not in the sudoers file.' >&2; exit 1", "not in the sudoers file", "NOPASSWD"),
    "an expired account": ("echo 'sudo: account expired' >&2; exit 1", "account expired", "NOPASSWD"),
}


@pytest.mark.parametrize(("sudo", "said", "hint"), SUDO.values(), ids=SUDO)
def test_each_way_of_not_becoming_root_has_its_words(key: str, bare: Path, sudo: str, said: str, hint: str) -> None:
    (bare / "python3").symlink_to("/usr/bin/python3")
    if sudo:
        program(bare, "sudo", sudo)
    with with_path(bare) as server:
        words = told(server.reached(identity_file=key, user="hop"))
    assert "no way to become root: " in words
    assert said in words
    assert hint in words


# The network


def test_each_network_trouble_has_its_own_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = told(Ssh(address="127.0.0.1", port=port, host_key=OTHER_KEY))
    assert "cannot be reached: nothing answers there" in refused
    assert "hosts.social.port" in refused
    unknown = told(Ssh(address="no-such.invalid", host_key=OTHER_KEY))
    assert "cannot be reached: its name does not resolve" in unknown
    assert "hosts.social.address" in unknown


def test_something_else_than_an_ssh_server_is_told_as_such() -> None:
    with saying(b"") as port:
        silent = told(Ssh(address="127.0.0.1", port=port, host_key=OTHER_KEY, connect_seconds=1))
    assert "did not say within 1 s that it is an SSH server" in silent
    assert "hosts.social.connect_seconds" in silent


def test_a_connection_that_is_broken_off_is_told_as_such() -> None:
    with saying(b"\r\n") as port:
        assert "cannot be reached" in told(Ssh(address="127.0.0.1", port=port, host_key=OTHER_KEY, connect_seconds=1))


# Logging in


def test_a_key_that_is_not_taken_is_told_with_the_banner(key: str) -> None:
    with Server(takes=False, banner="System is booting up.\r\n\x1b[31mSee pam_nologin(8)") as server:
        words = told(server.reached(identity_file=key))
    assert (
        "does not let us in: it does not take the key; it says: System is booting up. \\x1b[31mSee pam_nologin(8)"
        in words
    )


def test_a_second_factor_is_told_and_nobody_is_asked_for_it(key: str) -> None:
    with Server(further=True, allowed="publickey,keyboard-interactive") as server:
        words = told(server.reached(identity_file=key))
    assert "it took the key, and wants more" in words
    assert "AuthenticationMethods" in words


def test_a_server_that_takes_no_keys_says_what_it_takes(key: str) -> None:
    with Server(takes=False, allowed="password") as server:
        assert "it takes no keys, but password" in told(server.reached(identity_file=key))


def test_no_key_at_all_is_told_as_such() -> None:
    with Server() as server:
        assert "there is none: neither the SSH agent nor ~/.ssh has one" in told(server.reached())


class Old(Server):
    """One that knows but one algorithm of each kind."""

    kind = "ciphers"

    def transport(self, line: socket.socket) -> paramiko.Transport:
        class Odd(paramiko.Transport):
            def _send_kex_init(self) -> None:
                super()._send_kex_init()  # type: ignore[misc]

        transport = Odd(line)
        setattr(transport, f"_preferred_{self.kind}", ("of-old",))
        return transport


@pytest.mark.parametrize(
    ("kind", "said"), [("ciphers", "for cipher"), ("macs", "for message authentication"), ("kex", "for key exchange")]
)
def test_no_algorithm_in_common_names_the_kind_and_both_lists(key: str, kind: str, said: str) -> None:
    with Old() as server:
        server.kind = kind
        words = told(server.reached(identity_file=key))
    assert said in words
    assert "it offers of-old" in words
    assert "; we know " in words
