"""Hosts in the provider's file: keys that are vouched for, and a file that stays as people wrote it."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import fedikit
from fedikit.cli import main
from fedikit.model import Ssh
from fedikit.remote.shown_key import fingerprint_of
from tests.remote.ssh_servers import Server
from tests.setup.conftest import Machine

OLD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOVQdbIsDJHA4QZgvZNgxjWhaO37NI4fy0OP9zcmb7Iw"
WRITTEN = f"""\
# our environment
name   =   "home"    # never changes

[hosts.social]  # the first one
address = "192.0.2.1"
host_key = "{OLD}"   # from the console

# where things run

[placement]
hello = 'social'     # for trying
"""
SCATTERED = f"""\
name = "home"

[hosts.social]
address = "192.0.2.1"
host_key = "{OLD}"
identity_file = "key"
# user = "admin"

[placement]
hello = "social"

[hosts.other]
address = "192.0.2.2"
host_key = "{OLD}"
identity_file = "key"
"""
INLINE = f"""\
name = "home"
hosts = {{ social = {{ address = "192.0.2.1", host_key = "{OLD}" }} }}  # short
placement.hello = ["social"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "environment.toml"
    path.write_text(WRITTEN)
    path.chmod(0o640)
    return path


def run(*words: str, asked: str | None = None) -> Result:
    return CliRunner().invoke(main, list(words), input=asked)


def add(file: Path, machine: Machine, *words: str, asked: str | None = None) -> Result:
    command = ["host", "add", "shells", "127.0.0.1", "--port", str(machine.port), "-e", str(file)]
    return run(*command, *words, asked=asked)


def test_a_host_comes_in_and_every_other_line_stays(file: Path, machine: Machine) -> None:
    done = add(file, machine, "--fingerprint", machine.fingerprint, "--user", "admin")
    assert done.exit_code == 0, done.output
    above, below = WRITTEN.split("\n# where things run")
    text = file.read_text()
    assert text.startswith(above)
    assert text.endswith(f"\n# where things run{below}")
    assert text.removeprefix(above).splitlines()[:2] == ["", "[hosts.shells]"]
    host = fedikit.load_environment(file).hosts["shells"]
    assert (host.address, host.user, host.host_key) == ("127.0.0.1", "admin", machine.key)  # type: ignore[union-attr]
    assert fedikit.load_environment(file).placement == {"hello": ("social",)}
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("text", [WRITTEN, INLINE, SCATTERED], ids=["tables", "inline", "scattered"])
def test_it_is_placed_where_it_is_told_and_nowhere_else(file: Path, machine: Machine, text: str) -> None:
    file.write_text(text)
    done = add(file, machine, "--fingerprint", machine.fingerprint, "--place", "hello", "--place", "cowsay")
    assert done.exit_code == 0, done.output
    placed = fedikit.load_environment(file).placement
    assert placed == {"hello": ("social", "shells"), "cowsay": ("shells",)}


def test_it_is_entered_with_the_key_that_opens_all_others(file: Path, machine: Machine) -> None:
    file.write_text(SCATTERED)
    assert add(file, machine, "--fingerprint", machine.fingerprint).exit_code == 0
    host = fedikit.load_environment(file).hosts["shells"]
    assert host.identity_file == str(file.parent / "key")  # type: ignore[union-attr]


def test_a_host_behind_another_is_looked_at_over_that_one_and_stands_so_in_the_file(
    file: Path, machine: Machine, tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    with Server() as bastion:
        hop = f'[hosts.hop]\naddress = "127.0.0.1"\nport = {bastion.port}\nhost_key = "{bastion.host_key}"\n'
        file.write_text(f'{file.read_text()}\n{hop}identity_file = "id"\n')
        done = add(file, machine, "--jump", "hop", "--fingerprint", machine.fingerprint)
        assert done.exit_code == 0, done.output
        shown = run("host", "key", "shells", "-e", str(file))
        assert "It is the same key" in shown.output
    assert bastion.led_to == [("127.0.0.1", machine.port)] * 2
    shells = fedikit.load_environment(file).hosts["shells"]
    assert isinstance(shells, Ssh)
    assert (shells.jump, shells.host_key) == ("hop", machine.key)


def test_a_jump_host_that_is_not_there_is_told(file: Path, machine: Machine) -> None:
    done = add(file, machine, "--jump", "socal", "--fingerprint", machine.fingerprint)
    assert done.exit_code == 2
    assert 'did you mean "social"' in str(done.output)


def test_an_unseen_key_is_never_trusted(file: Path, machine: Machine) -> None:
    for words in ([], ["--fingerprint", "SHA256:" + "A" * 43]):
        done = add(file, machine, *words)
        assert done.exit_code == 1
        assert machine.fingerprint in done.output
        assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in done.output
    assert file.read_text() == WRITTEN


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked(
    file: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    monkeypatch.setattr("fedikit.cli.output.is_attended", lambda: True)
    assert add(file, machine, asked=f"{answer}\n").exit_code == status
    assert ("shells" in fedikit.load_environment(file).hosts) is (status == 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["host", "add", "social", "127.0.0.1"], "hosts.social: is there already"),
        (["host", "add", "So", "127.0.0.1"], "small letters"),
        (["host", "add", "new", "127.0.0.1", "--place", "nothing"], "there is no application nothing"),
        (["host", "add", "new", "127.0.0.1", "--port", "1"], "no SSH server shows a key at 127.0.0.1, port 1"),
        (["host", "key", "nowhere"], "there is no host nowhere"),
    ],
)
def test_what_cannot_be_is_told_and_the_file_stays(file: Path, words: list[str], told: str) -> None:
    done = run(*words, "-e", str(file))
    assert done.exit_code in (1, 2)
    assert told in done.output
    assert file.read_text() == WRITTEN


def test_a_key_that_is_the_same_is_said_to_be(file: Path, machine: Machine) -> None:
    add(file, machine, "--fingerprint", machine.fingerprint)
    done = run("host", "key", "shells", "-e", str(file))
    assert done.exit_code == 0
    assert "It is the same key." in done.output


def test_a_key_that_changed_is_shown_beside_the_old_one_and_replaced_once_vouched_for(
    file: Path, machine: Machine
) -> None:
    add(file, machine, "--fingerprint", machine.fingerprint)
    before = file.read_text()
    old = machine.fingerprint
    machine.install_anew()
    done = run("host", "key", "shells", "-e", str(file))
    assert done.exit_code == 1
    assert old in done.output
    assert machine.fingerprint in done.output
    assert file.read_text() == before
    done = run("host", "key", "shells", "-e", str(file), "--fingerprint", machine.fingerprint)
    assert done.exit_code == 0, done.output
    assert fedikit.load_environment(file).hosts["shells"].host_key == machine.key  # type: ignore[union-attr]
    assert [line for line in WRITTEN.splitlines() if line not in file.read_text().splitlines()] == []


def test_a_fingerprint_is_that_of_openssh(machine: Machine) -> None:
    assert fingerprint_of(machine.key) == machine.fingerprint
