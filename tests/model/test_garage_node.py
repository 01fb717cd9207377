"""The script that gives a host's Garage its key and waits for buckets, with stand-ins for what is on the host."""

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedikit.policies.scripts import garage_node
from tests.agent.garage import TOKEN, GarageStandIn

KEY = "5a" * 32 + hashlib.sha256(b"one").hexdigest()
Run = Callable[..., str]


@pytest.fixture
def garage(monkeypatch: pytest.MonkeyPatch) -> Iterator[GarageStandIn]:
    stand_in = GarageStandIn()
    monkeypatch.setattr(garage_node, "ADMIN", stand_in.address)
    yield stand_in
    stand_in.close()


@pytest.fixture
def meta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where its metadata is; commands are noted there."""
    folder = tmp_path / "meta"
    folder.mkdir()
    shown = json.dumps([{"Mounts": [{"Source": str(folder), "Destination": "/var/lib/garage/meta"}]}])
    for name, told in (("podman", shown), ("systemctl", "")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} $* >> {tmp_path}/ran\ncat <<'END'\n{told}\nEND\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs it, and returns what it said when it gave up."""
    for name in ("START_SECONDS", "BUCKET_SECONDS"):
        monkeypatch.setattr(garage_node, name, 0)

    def run_it(*arguments: str, stdin: str = TOKEN) -> str:
        monkeypatch.setattr(sys, "argv", ["-c", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            garage_node.main()
        except SystemExit as given_up:
            return str(given_up)
        return ""

    return run_it


def test_a_node_without_a_role_gets_the_key_by_which_others_know_it(
    garage: GarageStandIn, meta: Path, run: Run
) -> None:
    (meta / "node_key").write_bytes(b"former")
    assert "another key" in run("check", "key", stdin=f"{TOKEN}\n{KEY}")
    assert "Garage starts with its new key" in run("make", "key", stdin=f"{TOKEN}\n{KEY}")
    assert (meta / "node_key").read_bytes().hex() == KEY
    assert (meta / "node_key.pub").read_bytes().hex() == KEY[64:]
    assert (meta / "node_key").stat().st_mode & 0o777 == 0o600
    ran = (meta.parent / "ran").read_text().splitlines()
    assert ran == ["podman inspect garage", "systemctl stop garage.service", "systemctl start garage.service"]


def test_the_key_belongs_to_whom_garage_runs_as(
    garage: GarageStandIn, meta: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, user, group: owners.update({Path(path).name: (user, group)}))
    run("make", "key", stdin=f"{TOKEN}\n{KEY}")
    owner = (meta.stat().st_uid, meta.stat().st_gid)
    assert owners == {"node_key": owner, "node_key.pub": owner}


def test_a_node_that_has_it_is_left_alone(garage: GarageStandIn, meta: Path, run: Run) -> None:
    garage.cluster.own = KEY[64:]
    assert run("check", "key", stdin=f"{TOKEN}\n{KEY}") == run("make", "key", stdin=f"{TOKEN}\n{KEY}") == ""
    assert not (meta.parent / "ran").exists()


def test_a_node_that_bears_data_keeps_its_key(garage: GarageStandIn, meta: Path, run: Run) -> None:
    garage.cluster.roles[garage.cluster.own] = {"zone": "one", "capacity": 1, "tags": []}
    said = run("make", "key", stdin=f"{TOKEN}\n{KEY}")
    assert said.endswith(f"name it in policies.bucket.nodes of the environment: {garage.cluster.own}")
    assert not (meta.parent / "ran").exists()


def test_a_bucket_is_waited_for(garage: GarageStandIn, run: Run) -> None:
    assert "there is no bucket media yet" in run("make", "bucket", "media")
    garage.call("CreateBucket", {}, {"globalAlias": "media"})
    assert run("make", "bucket", "media") == run("check", "bucket", "media") == ""


def test_a_garage_that_does_not_answer_or_knows_another_token_is_told_of(garage: GarageStandIn, run: Run) -> None:
    assert "does not take the admin token" in run("make", "bucket", "media", stdin="another")
    garage.close()
    assert "Garage does not answer" in run("make", "bucket", "media")
