"""The verb, as it is typed: what it prints, and what is left when somebody stops it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedikit.remote.directory import DirectoryMachine

CONFIGURATION = {
    "enable": True,
    "domain": "fediversity.test",
    "snac": {"enable": True},
    "initialUser": {"displayName": "Testy", "username": "test", "email": "test@fediversity.test"},
}
ENVIRONMENT = """
name = "home"
[hosts.one]
type = "directory"
path = "one"
[policies.web]
means = "caddy"
[placement]
snac = "one"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "configuration.json").write_text(json.dumps(CONFIGURATION))
    (tmp_path / "environment.toml").write_text(ENVIRONMENT)
    (tmp_path / "master.key").write_text(f"fedikit-key-2:{'5' * 64}\n")
    (tmp_path / "master.key").chmod(0o600)
    data = DirectoryMachine.at(tmp_path / "one").path("/var/lib/snac2")
    data.mkdir(parents=True)
    (data / "server.json").write_text("{}")
    return tmp_path


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """As on a terminal: whoever runs the tests in the background has Ctrl-C ignored, which children inherit."""
    lines = "import signal as s, sys; s.signal(s.SIGINT, s.default_int_handler); from fedikit.cli import main; main()"
    command = [sys.executable, "-c", lines, "export", "-e", "environment.toml", *words]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_it_says_what_is_there_and_where_its_readme_is(folder: Path) -> None:
    export = start(folder, "--out", "out")
    printed, words = export.communicate(timeout=60)
    assert export.returncode == 0, words
    assert "files-var-lib-snac2.tar" in printed
    assert "how to restore it: out/snac/README.md" in printed
    assert (folder / "out/snac/README.md").is_file()


def test_programs_get_the_manifest(folder: Path) -> None:
    printed, _ = start(folder, "--out", "out", "--json").communicate(timeout=60)
    (one,) = json.loads(printed)["all"]
    assert one["manifest"] == json.loads((folder / "out/snac/MANIFEST.json").read_text())


def test_a_mistake_ends_with_2_and_a_failure_with_1(folder: Path) -> None:
    mistaken = start(folder, "--out", "out", "--application", "sanc")
    assert "did you mean" in mistaken.communicate(timeout=60)[1]
    assert mistaken.returncode == 2
    (folder / "one/var/lib/snac2").rename(folder / "away")
    failed = start(folder, "--out", "out")
    assert "is no directory" in failed.communicate(timeout=60)[1]
    assert failed.returncode == 1


def test_ctrl_c_leaves_nothing_at_work_and_it_goes_on(folder: Path) -> None:
    large = folder / "one/var/lib/snac2/large"
    with large.open("wb") as file:
        file.truncate(20 << 30)
    export = start(folder, "--out", "out")
    taking = folder / "out/snac/files-var-lib-snac2.tar.part"
    deadline = time.monotonic() + 30
    while not (taking.exists() and taking.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    export.send_signal(signal.SIGINT)
    words = export.communicate(timeout=120)[1]
    assert export.returncode == 130, words
    assert "stopped by Ctrl-C" in words
    assert not _at_work(folder)
    large.unlink()
    again = start(folder, "--out", "out")
    assert again.communicate(timeout=60)[0]
    assert again.returncode == 0
    assert not list((folder / "out").rglob("*.part"))


def _at_work(folder: Path) -> list[str]:
    """What still runs of this folder's host."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"PATH={folder}/one/usr/bin".encode() in environment and process.name != str(os.getpid()):
            found.append(process.name)
    return found
