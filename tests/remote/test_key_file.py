"""Private keys: what is wrong with one is told before any contact, and a passphrase is the SSH agent's matter."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from fedikit.errors import ConnectionFailed
from fedikit.model.host import Ssh
from fedikit.remote.key_file import named_key
from fedikit.remote.leg import Leg

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEVrCVy068cUnju6L/sdgcSPw1TUxWUvCDGs12y9l7i"


def made(path: Path, *, passphrase: str = "", kind: str = "ed25519", form: str = "RFC4716") -> Path:
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)]
    subprocess.run(words + (["-m", form] if form == "PEM" else []), check=True)
    return path


def told(path: Path) -> str:
    with pytest.raises(ConnectionFailed) as raised:
        named_key(Leg("social", Ssh(address="192.0.2.1", host_key=HOST_KEY, identity_file=str(path))))
    return str(raised.value)


def test_each_fault_of_a_key_file_has_its_words(tmp_path: Path) -> None:
    key = made(tmp_path / "id")
    assert "is not there" in told(tmp_path / "none")
    assert "is a public key" in told(tmp_path / "id.pub")
    (tmp_path / "bad").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "bad").chmod(0o600)
    assert "is not one that can be read" in told(tmp_path / "bad")
    assert "ssh-keygen -y -f" in told(tmp_path / "bad")
    key.chmod(0o644)
    assert "is open to others (mode 0644)" in told(key)
    assert f"chmod 600 {key}" in told(key)


def test_a_key_that_may_not_be_read_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root can read every file, so the system's refusal is put in."""
    key = made(tmp_path / "id")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read: permission denied" in told(key)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An SSH agent of the test's own, with nothing in it."""
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as process:
        while not socket.exists():
            pass
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
        process.terminate()


@pytest.mark.parametrize(("kind", "form", "has_public"), [("ed25519", "", False), ("rsa", "PEM", True)])
@pytest.mark.usefixtures("agent")
def test_a_key_with_a_passphrase_is_used_from_the_agent_or_else_the_hint_says_how(
    tmp_path: Path, kind: str, form: str, has_public: bool
) -> None:
    key = made(tmp_path / "id", passphrase="secret words", kind=kind, form=form)
    plain = tmp_path / "plain"
    plain.write_bytes(key.read_bytes())
    plain.chmod(0o600)
    if not has_public:
        (tmp_path / "id.pub").unlink()
    assert f"ssh-add {key}" in told(key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "secret words", "-N", "", "-f", str(plain)], check=True)
    subprocess.run(["ssh-add", "-q", str(plain)], check=True, capture_output=True)
    found = named_key(Leg("social", Ssh(address="192.0.2.1", host_key=HOST_KEY, identity_file=str(key))))
    assert isinstance(found, paramiko.AgentKey)
    assert found.sign_ssh_data(b"it signs")
    found.agent.close()
