"""Invitations: what a provider gives away comes out whole elsewhere, and what a stranger wrote reaches nothing here."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from click.testing import CliRunner

from fedikit.cli import main
from fedikit.environment.load import load_environment
from fedikit.errors import ConfigurationError
from fedikit.setup.invitation import LARGEST, make_invitation, unpack_invitation

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF7wVTBOd8xAvsBVzoA5CTWRIR0bQdTvtxvRZ5tMRKEj"
HOSTING = f"""
name = "harbour"

[hosts.quay]
address = "192.0.2.7"
host_key = "{HOST_KEY}"
identity_file = "~/own.key"
jump = {{ address = "192.0.2.8", host_key = "{HOST_KEY}", identity_file = "jump.key" }}

[policies.mail]
host = "mail.example.org"
user = "harbour"
sender = "harbour@example.org"

[policies.web]
trust = "authority.pem"

[dns]
server = "192.0.2.53"
zones = ["example.org"]
key_name = "harbour"
key = "file:dns-of-all.key"

[network]
dns = "127.0.0.1"

[watch.webhook]
url = "https://example.org/told"
secret = "watch/webhook"

[secrets]
master_key = "command:printf {"7" * 64}"
given = {{ "mail/password" = "file:mail.txt", "watch/webhook" = "file:hook.txt" }}
"""  # of other customers', too
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
BROUGHT = {
    "master.key": "7" * 64,
    "given-1.key": "letmein",
    "login-1.key": "own",
    "login-2.key": "jump",
}


@pytest.fixture
def hosting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A provider's file, with all that it names."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "provider"
    folder.mkdir()
    texts = {"mail.txt": "letmein", "hook.txt": "hook", "jump.key": "jump", "dns-of-all.key": "c2VjcmV0"}
    for path, text in {**texts, "../own.key": "own", "authority.pem": CERTIFICATE, "harbour.toml": HOSTING}.items():
        (folder / path).write_text(text)
        (folder / path).chmod(0o600)
    return folder / "harbour.toml"


def test_what_is_given_away_comes_out_whole_and_nothing_of_others_with_it(hosting: Path, tmp_path: Path) -> None:
    text = make_invitation(hosting)
    there = tmp_path / "there"
    environment = unpack_invitation(text.encode(), there)
    assert {path.name: path.read_text() for path in there.glob("*.key")} == BROUGHT
    assert environment.dns is environment.network.dns is environment.watch.webhook is None
    assert {"hook", "c2VjcmV0", "dns-of-all.key"} & set(json.loads(text)["files"].values()) == set()
    before = load_environment(hosting)
    assert environment.policies == before.policies
    assert environment.hosts["quay"].model_dump().keys() == before.hosts["quay"].model_dump().keys()
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.iterdir()} == {0o600}
    assert stat.S_IMODE(there.stat().st_mode) == 0o700


def test_names_may_be_updated_where_that_is_said(hosting: Path, tmp_path: Path) -> None:
    environment = unpack_invitation(make_invitation(hosting, with_dns=True).encode(), tmp_path / "there")
    assert environment.dns
    assert environment.dns.key == f"file:{tmp_path}/there/dns.key"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('identity_file = "~/own.key"\n', "hosts.quay.identity_file: is missing"),
        (', identity_file = "jump.key"', "hosts.quay.jump.identity_file: is missing"),
    ],
)
def test_who_has_no_key_of_its_own_is_invited_nowhere(hosting: Path, line: str, words: str) -> None:
    hosting.write_text(HOSTING.replace(line, "\n" if line.endswith("\n") else ""))
    with pytest.raises(ConfigurationError, match=words):
        make_invitation(hosting)


def test_the_verb_asks_whether_all_of_it_is_theirs(hosting: Path) -> None:
    out = hosting.with_name("alice.invitation")
    run = CliRunner().invoke(main, ["invite", "--environment", str(hosting), "--out", str(out)])
    assert run.exit_code != 0
    assert not out.exists()
    run = CliRunner().invoke(main, ["invite", "--environment", str(hosting), "--out", str(out), "--yes"])
    assert run.exit_code == 0, run.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "letmein" not in run.output


# What a stranger wrote

Change = Callable[[dict[str, Any]], None]


def at(*path: str, value: Any) -> Change:
    """The document with another value at a path; without anything there if it is None."""

    def change(written: dict[str, Any]) -> None:
        *groups, key = path
        for group in groups:
            written = written.setdefault(group, {})
        written[key] = value
        if value is None:
            del written[key]

    return change


E = "environment"
HOST = (E, "hosts", "quay")
HOSTILE = {
    "a key of this machine's": (at(*HOST, "identity_file", value="/root/.ssh/id_ed25519"), "hosts.quay.identity_file"),
    "a key above the folder": (at(*HOST, "identity_file", value="../login-1.key"), "hosts.quay.identity_file"),
    "a key of somebody's home": (at(*HOST, "identity_file", value="~/own.key"), "hosts.quay.identity_file"),
    "no key, so the SSH agent's": (at(*HOST, "identity_file", value=None), "hosts.quay.identity_file"),
    "a jump with the SSH agent's": (at(*HOST, "jump", "identity_file", value=None), "hosts.quay.jump.identity_file"),
    "this machine": (at(E, "hosts", "me", value={"type": "local"}), "hosts.me.type"),
    "a folder here": (at(E, "hosts", "me", value={"type": "directory", "path": "x"}), "hosts.me.type"),
    "this machine by SSH": (at(*HOST, "address", value="127.0.0.1"), "hosts.quay.address"),
    "this machine by IPv6": (at(*HOST, "address", value="::ffff:127.0.0.1"), "hosts.quay.address"),
    "this machine by name": (at(*HOST, "address", value="localhost"), "hosts.quay.address"),
    "the cloud's own address": (at(*HOST, "address", value="169.254.169.254"), "hosts.quay.address"),
    "a jump to this machine": (at(*HOST, "jump", "address", value="127.9.9.9"), "hosts.quay.jump.address"),
    "a command for the key": (at(E, "secrets", "master_key", value="command:touch pwned"), "secrets.master_key"),
    "a variable for the key": (at(E, "secrets", "master_key", value="env:PATH"), "secrets.master_key"),
    "the key as usual": (at(E, "secrets", "master_key", value=None), None),
    "a file for the key": (at(E, "secrets", "master_key", value="file:/etc/shadow"), "secrets.master_key"),
    "a command for a secret": (at(E, "secrets", "given", "mail/password", value="command:id"), "secrets.given"),
    "sealed secrets here": (at(E, "secrets", "sealed", value=["/etc/passwd"]), "secrets.sealed"),
    "a command for names": (at(E, "dns", "key", value="command:id"), "dns.key"),
    "certificates here": (at(E, "policies", "web", "trust", value="../provider/authority.pem"), "policies.web.trust"),
    "an authority here": (
        at(E, "policies", "web", "acme_root", value="../provider/authority.pem"),
        "policies.web.acme_root",
    ),
    "trust here": (at(E, "network", "trust", value="../provider/authority.pem"), "network.trust"),
    "its own DNS": (at(E, "network", "dns", value="192.0.2.1"), "network.dns"),
    "whom to tell": (at(E, "watch", value={"webhook": {"url": "http://127.0.0.1:1/"}}), "watch"),
    "where to fetch": (at(E, "packages", value={"snapshots": ["https://192.0.2.1/"]}), "packages"),
    "what is yet to come": (at(E, "plugins", value=["x"]), "plugins"),
    "too many hosts": (at(E, "hosts", value={f"h{n}": {"type": "local"} for n in range(33)}), "hosts: are more than"),
    "a path as a file": (at("files", "../../authorized_keys", value="x"), "files"),
    "a hidden file": (at("files", ".bashrc", value="x"), "files"),
    "the provider's file as a file": (at("files", "environment.toml", value="x"), "files"),
    "a program as a file": (at("files", "run.sh", value="x"), "files"),
    "too many files": (at("files", value={f"f{n}.key": "x" for n in range(65)}), "files"),
    "a file that is none": (at("files", "master.key", value={"link": "/etc/shadow"}), "files"),
    "another format": (at("format", value="fedikit-invitation-2"), "format"),
    "a name that leads away": (at(E, "name", value="../../alice"), "name"),
    "a name that is hidden": (at(E, "name", value=".current"), "name"),
    "a value that TOML lacks": (at(E, "policies", "mail", value={"host": None}), "environment"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_of_this_machine_is_reached_by_a_strangers_file(hosting: Path, tmp_path: Path, what: str) -> None:
    change, words = HOSTILE[what]
    written = json.loads(make_invitation(hosting, with_dns=True))
    change(written)
    before = sorted(tmp_path.rglob("*"))
    content = json.dumps(written).encode()
    if words is None:
        assert unpack_invitation(content, tmp_path / "there")
        return
    with pytest.raises(ConfigurationError) as refused:
        unpack_invitation(content, tmp_path / "there")
    assert words in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"PK\x03\x04 a photograph",
        b"[" * 100_000,
        b'{"format": "fedikit-invitation-1", "files": {}, "environment": {"name": "a", "name": "b"}}',
        b'{"format": "fedikit-invitation-1", "files": {"a.key": "\\ud800"}, "environment": {}}',
        b" " * (LARGEST + 1),
    ],
    ids=["nothing", "no text", "a list", "null", "a photograph", "depth", "twice", "half a character", "size"],
)
def test_what_is_no_invitation_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="the new provider's file"):
        unpack_invitation(content, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_what_is_read_is_what_was_looked_at(hosting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should whatever writes TOML ever let a text become more than a text, nothing of it is read."""
    written = json.loads(make_invitation(hosting))
    real = tomlkit.dumps
    monkeypatch.setattr(
        tomlkit, "dumps", lambda document: real(document) + '\n[watch.webhook]\nurl = "https://x.org"\n'
    )
    with pytest.raises(ConfigurationError, match="cannot be written as TOML"):
        unpack_invitation(json.dumps(written).encode(), tmp_path / "there")


def test_directories_are_taken_where_that_is_said_and_only_within(tmp_path: Path) -> None:
    def content(path: str) -> bytes:
        document = {"name": "harbour", "hosts": {"quay": {"type": "directory", "path": path}}}
        about = {"format": "fedikit-invitation-1", "files": {"master.key": "7" * 64}}
        return json.dumps({**about, "environment": document}).encode()

    assert unpack_invitation(content("machines/quay"), tmp_path / "there", takes_directories=True)
    for path in ("..", "../alice", "/", "/etc", "~", ".", "machines/../../x", os.fspath(tmp_path)):
        with pytest.raises(ConfigurationError, match=r"hosts\.quay\.type"):
            unpack_invitation(content(path), tmp_path / "other", takes_directories=True)
