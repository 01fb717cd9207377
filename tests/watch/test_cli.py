"""The verbs of watching, as they are called: over a host in a directory, with a program that is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import CONFIGURATION
from tests.watch.conftest import Serve
from tests.watch.hook import Program

ENVIRONMENT = """
name = "home"
[hosts.here]
type = "directory"
path = "machine"
[placement]
hello = "here"
[secrets]
given = { "watch/webhook" = "file:webhook.secret" }
[watch]
webhook = { url = "%s", secret = "watch/webhook" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "configuration.json").write_text(json.dumps(CONFIGURATION | {"hello": {"enable": False}}))
    (tmp_path / "environment.toml").write_text(ENVIRONMENT % "http://127.0.0.1:1/")
    (tmp_path / "webhook.secret").write_text("a secret")
    (tmp_path / "webhook.secret").chmod(0o600)
    return tmp_path


def watch(folder: Path, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fedikit", "watch", verb, *words, "--environment", "environment.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_look_that_finds_all_well_says_so(folder: Path) -> None:
    assert "Nobody looked yet." in watch(folder, "status").stdout
    done = watch(folder, "once", "configuration.json")
    assert (done.returncode, done.stdout) == (0, "home: all is well.\n")
    said = watch(folder, "status")
    assert said.returncode == 0
    assert "Last look: " in said.stdout
    assert "Next look: no timer runs" in said.stdout


def test_a_mistake_in_the_configuration_is_told_to_who_is_not_there(folder: Path, serve: Serve) -> None:
    program = serve(Program())
    (folder / "environment.toml").write_text(ENVIRONMENT % program.url)
    (folder / "configuration.json").write_text("{")
    done = watch(folder, "once", "configuration.json")
    assert done.returncode == 1
    assert "✗ the deployer could not look: " in done.stdout
    assert "Told: fedikit home: the deployer could not look\n" in done.stdout
    ((body, _),) = program.told
    assert json.loads(body)["changes"][0]["kind"] == "deployer"


def test_what_could_not_be_told_fails_the_look(folder: Path) -> None:
    (folder / "configuration.json").write_text("{")
    done = watch(folder, "once", "configuration.json")
    assert done.returncode == 1
    assert "To tell: fedikit home: the deployer could not look\n" in done.stdout
    assert "error: webhook: the webhook at 127.0.0.1:1 took no message: connection refused" in done.stderr
    assert "1 message not sent yet" in watch(folder, "status").stdout


def test_an_environment_that_cannot_be_read_is_a_mistake(folder: Path) -> None:
    (folder / "environment.toml").write_text("")
    assert watch(folder, "once", "configuration.json").returncode == 2


def test_to_print_units_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = watch(folder, "install", "configuration.json", "--every", "1h", "--print")
    assert done.returncode == 0
    assert f'"{folder}/configuration.json" "--environment" "{folder}/environment.toml"' in done.stdout
    assert "OnCalendar=00/1:00" in done.stdout
    assert sorted(folder.rglob("*")) == before


def test_what_was_not_there_is_said_to_be_gone_already(folder: Path) -> None:
    assert watch(folder, "remove").stdout == "There was no watch.\n"
