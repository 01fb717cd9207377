"""What restic is called with: nothing secret on a command line, one key of a server, no waiting for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost import command
from fedikit.data.onhost.repository import Repository
from fedikit.data.onhost.settings import Secrets
from fedikit.data.onhost.trouble import Trouble
from tests.data.onhost.conftest import Host, put_program

TELLS = """
import json, os, sys
def main():
    print(json.dumps({"words": sys.argv[1:], "environment": dict(os.environ)}))
"""


def repository(host: Host, **settings: Any) -> Repository:
    usual = {"url": str(host.repository), "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0}
    return Repository(usual | settings, Secrets(host.places.secrets), host.places.claim_state(), "one")


def told(host: Host, **settings: Any) -> tuple[str, dict[str, str]]:
    """The command line and the environment of restic."""
    source = host.root / "tells.py"
    source.write_text(TELLS)
    put_program(host.programs, "restic", source)
    found = json.loads(repository(host, **settings).run("cat", "config").output)
    return " ".join(found["words"]), found["environment"]


def test_a_bucket_gets_its_key_by_the_environment(host: Host) -> None:
    host.secret("s3-secret", "very-secret")
    words, environment = told(host, url="s3:https://s3.example.org/b/app", access_key="GK1")
    assert words == "cat config"
    assert (environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]) == ("GK1", "very-secret")
    assert environment["RESTIC_PASSWORD_FILE"] == str(host.places.secrets / "repository-password")


def test_a_rest_server_gets_its_password_by_the_environment(host: Host) -> None:
    host.secret("rest-password", "very-secret")
    words, environment = told(host, url="rest:https://example.org/app", user="app")
    assert "secret" not in words
    assert (environment["RESTIC_REST_USERNAME"], environment["RESTIC_REST_PASSWORD"]) == ("app", "very-secret")


def test_a_server_over_ssh_is_known_by_one_key_and_not_waited_for(host: Host) -> None:
    host.secret("ssh-key", "KEY")
    host.secret("known_hosts", "example.org ssh-ed25519 AAAA\n")
    words, environment = told(host, url="sftp:backup@example.org:/srv/app")
    assert words.startswith(f"-o sftp.args=-F none -o IdentityFile={host.places.secrets / 'ssh-key'} ")
    for option in (
        f"UserKnownHostsFile={host.places.secrets / 'known_hosts'}", "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes", "BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=20",
    ):  # fmt: skip
        assert f"-o {option}" in words
    assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_limits_are_handed_on(host: Host) -> None:
    words, _ = told(host, upload_kib=100, download_kib=200)
    assert words == "--limit-upload 100 --limit-download 200 cat config"


def test_a_host_without_restic_says_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.programs / "restic").unlink()
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", "/usr/bin")
    with pytest.raises(Trouble, match="restic is not there"):
        repository(host).run("cat", "config")


def test_a_command_that_fails_makes_no_snapshot(host: Host) -> None:
    store = repository(host)
    store.initialise()
    with pytest.raises(Trouble, match="`restic backup` failed with status 1"):
        store.snapshot_command(["sh", "-c", "echo half; exit 4"], "dump", ["run=1"], 1)
    assert store.snapshots() == []


@pytest.mark.parametrize("script", ["true", "echo short"])
def test_what_is_too_short_to_be_whole_is_no_snapshot(host: Host, script: str) -> None:
    store = repository(host)
    store.initialise()
    with pytest.raises(Trouble, match=r"`sh` gave [06] bytes only, at least 7 were expected"):
        store.snapshot_command(["sh", "-c", script], "dump", ["run=1"], 7)
    assert store.snapshots() == []


def test_what_a_command_printed_is_read_again(host: Host) -> None:
    store = repository(host)
    store.initialise()
    made = store.snapshot_command(["echo", "hello"], "dump", ["run=1", "part=x"], 1, {"MORE": "1"})
    assert (made.bytes, store.read(made.id, "/dump")) == (6, "hello")
    assert [one["id"] for one in store.snapshots(["part=x"])] == [made.id]
    with store.dump(made.id, "/dump") as process:
        assert process.stdout
        assert process.stdout.read() == b"hello\n"
    assert process.returncode == 0


def test_a_restic_that_does_not_get_on_is_ended(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock goes on in what it tells, and nothing else."""
    store = repository(host)
    store.initialise()
    line = '{"message_type":"status","seconds_elapsed":%d,"bytes_done":7}\\n'
    loop = f"n=0; while :; do n=$((n+1)); printf '{line}' $n; sleep 0.05; done"
    (host.programs / "restic").write_text(f"#!/bin/sh\n{loop}\n")
    monkeypatch.setattr("fedikit.data.onhost.snapshots.SILENCE_SECONDS", 0.4)
    with pytest.raises(Trouble, match="`restic backup` did not get on"):
        store.snapshot_path("/srv", [])


def test_a_state_that_somebody_else_could_write_to_is_refused(host: Host) -> None:
    host.done("backup")
    state = host.places.state
    state.chmod(0o777)
    assert f"others could write to {state}" in host.trouble("backup")["message"]
    state.chmod(0o700)
    state.rename(host.root / "elsewhere")
    state.symlink_to(host.root / "elsewhere")
    assert f"{state} is no folder, but a link or a file" in host.trouble("backup")["message"]
    assert Path(host.root / "elsewhere").is_dir()


def test_a_server_that_does_not_answer_is_not_waited_for_long(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restic itself would ask again and again for a quarter of an hour."""
    said = "returned error, retrying: dial tcp: connection refused"
    (host.programs / "restic").write_text(f"#!/bin/sh\necho '{said}' >&2\nsleep 30\n")
    monkeypatch.setattr("fedikit.data.onhost.repository.REACH_SECONDS", 0.2)
    trouble = host.trouble("backup")
    assert trouble["message"] == f"the repository {host.repository} does not answer"
    assert "see that its server is up" in trouble["hint"]
    assert said in trouble["tail"]


def test_a_restore_writes_nothing_in_the_repository(host: Host) -> None:
    """Its disk may be full, or mounted read-only."""
    backup = host.done("backup")["result"]["newest"]["id"]
    (host.volume / "a/one").unlink()
    before = {path: path.stat().st_mtime_ns for path in host.repository.rglob("*")}
    host.done("restore", "--backup", backup, "--without-saving")
    assert {path: path.stat().st_mtime_ns for path in host.repository.rglob("*")} == before


def test_a_repository_whose_disk_is_full_is_not_tried_for_long(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.done("backup")
    monkeypatch.setattr("fedikit.data.onhost.restic.free_at", lambda path: 1000)
    assert host.trouble("backup")["message"] == f"the repository's disk is full: {host.repository}"
    assert host.result()["last"]["failed"] is True
    assert len(host.backups()) == 1
