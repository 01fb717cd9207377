"""The verbs of backups and restores, as they are called: exit statuses, words, and JSON for programs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.data.scene import Scene
from tests.remote.conftest import Stage, stage, staged  # noqa: F401

ENVIRONMENT = """
name = "stage"
[hosts.one]
type = "directory"
path = "one"
[placement]
snac = "one"
[secrets]
master_key = "file:stage.key"
[policies.web]
[policies.backup]
repository = "/srv/backups"
"""
PERSON = {"displayName": "Ada", "username": "ada", "email": "ada@example.org"}
CONFIGURATION = {"domain": "example.org", "snac": {"enable": True}, "initialUser": PERSON}
Fedikit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def scene(stage: Stage) -> Scene:  # noqa: F811
    scene = Scene(stage, ["snac"])
    (stage.folder / "environment.toml").write_text(ENVIRONMENT)
    (stage.folder / "configuration.json").write_text(json.dumps(CONFIGURATION))
    return scene


@pytest.fixture
def fedikit(scene: Scene) -> Fedikit:
    def run(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fedikit", *words, "-e", "environment.toml"]
        done = subprocess.run(
            command, cwd=scene.stage.folder, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == status, (done.stdout, done.stderr)
        return done

    return run


def said(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_a_backup_is_made_listed_and_put_back(scene: Scene, fedikit: Fedikit) -> None:
    made = fedikit("backup", "now")
    assert "one: snac volume:/srv/snac took" in made.stderr
    assert "1 backup: 15 B, of which 7 B were new." in made.stdout
    (kept,) = said(fedikit("backup", "list", "--json"))["applications"]
    assert [backup["reason"] for backup in kept["backups"]] == ["now"]
    scene.write("snac", "other words, since")
    assert "1 file, 18 B → 1 file, 15 B" in fedikit("restore", "--dry-run").stdout
    assert scene.read("snac") == "other words, since"
    report = said(fedikit("restore", "--yes", "--json", "--at", kept["backups"][0]["id"], status=1))
    assert scene.read("snac") == "the first words"
    assert "was restored, but not every check holds" in report["applications"][0]["error"]  # nothing serves here


def test_who_leaves_a_backup_is_told_that_it_goes_on_and_it_does(scene: Scene) -> None:
    waits, kept = scene.sign("waits"), scene.machine.path("/srv/backups/snac")
    command = [sys.executable, "-m", "fedikit", "backup", "now", "-e", "environment.toml"]
    process = subprocess.Popen(command, cwd=scene.stage.folder, stderr=subprocess.PIPE, text=True)
    await_that(kept.is_dir)
    time.sleep(0.3)  # until that is told
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[1]
    waits.unlink()
    assert "one: 0 done, at work on snac volume:/srv/snac; goes on by itself" in said
    assert "`fedikit backup list` tells what became of it" in said
    await_that(lambda: bool(list(kept.glob("*/manifest.json"))))


def await_that(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_is_put_back_where_nobody_can_be_asked(scene: Scene, fedikit: Fedikit) -> None:
    fedikit("backup", "now")
    scene.write("snac", "other words, since")
    assert "There is nobody to ask: give --yes" in fedikit("restore", status=1).stderr
    assert scene.read("snac") == "other words, since"


def test_a_backup_that_fails_exits_with_1_and_says_where(scene: Scene, fedikit: Fedikit) -> None:
    scene.sign("fails", "the disk is on fire")
    assert "volume:/srv/snac: the disk is on fire" in fedikit("backup", "now", status=1).stdout
    assert "the last attempt failed: volume:/srv/snac: the disk is on fire" in fedikit("backup", "list").stdout


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (("backup", "now", "--application", "snak"), 'did you mean "snac"?'),
        (("backup", "list", "--limit", "two"), "nothing of two is known"),
        (("restore", "--at", "noon"), "is no time"),
        (("restore", "--application", "mastodon"), "nothing of mastodon is known"),
    ],
)
def test_a_mistake_in_what_was_given_exits_with_2(fedikit: Fedikit, words: tuple[str, ...], mistake: str) -> None:
    assert mistake in fedikit(*words, status=2).stderr
