"""A machine of the lab that backs up: the program, what it calls, and the servers whose data it keeps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedikit.data import onhost
from fedikit.model.item import Directory, File, Item, Package
from fedikit_lab import Lab, Machine
from fedikit_lab.shell import Result
from tests.conftest import BootLab
from tests.failure.scene import Scene

PROGRAM = "/usr/local/lib/fedikit-data"
PACKAGES = ("restic", "rclone", "fuse3", "postgresql", "mariadb-server")
PASSWORD = "correct-horse"


def files_of_the_program() -> list[Item]:
    """The program as items of a host: the package `onhost`, and beside it where it starts."""
    sources = sorted(Path(onhost.__file__).parent.glob("*.py"))
    places = {file: f"{PROGRAM}/onhost/{file.name}" for file in sources} | {
        file: f"{PROGRAM}/__main__.py" for file in sources if file.name == "__main__.py"
    }
    folders = [Directory(path=path) for path in (PROGRAM, f"{PROGRAM}/onhost")]
    return [*folders, *(File(path=path, content=file.read_text()) for file, path in places.items())]


@dataclass(frozen=True)
class Place:
    """The machine, and the usual acts upon it."""

    lab: Lab
    machine: Machine

    def set_up(self, application: str, parts: Sequence[dict[str, Any]], **settings: Any) -> None:
        """Writes an application's settings and the repository's password; the repository is a folder of its own."""
        repository = f"/srv/backups/{application}"
        usual = {
            "format": 1, "deployment": "test", "application": application, "host": "one",
            "repository": {"url": repository, "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0},
            "keep": {"daily": 7, "weekly": 4, "monthly": 6}, "check_parts": 1,
            "parts": list(parts), "stop": [], "after": [], "images": {},
        }  # fmt: skip
        self.machine.succeed(f"mkdir -p {repository} /etc/fedikit/data/{application}")
        self.write(f"/etc/fedikit/data/{application}.json", json.dumps(usual | settings))
        self.secret(application, "repository-password", PASSWORD)

    def secret(self, application: str, name: str, value: str) -> None:
        self.write(f"/etc/fedikit/data/{application}/{name}", value)

    def write(self, path: str, text: str) -> None:
        """A file with mode 0600."""
        result = self.machine.run(f"umask 077; mkdir -p $(dirname {path}); cat >{path}", stdin=text)
        assert result.exit_status == 0, result

    def run(self, *words: str, seconds: float = 60) -> Result:
        """The program, however it ends: run("backup", "mastodon")."""
        return self.machine.run(f"python3 -I {PROGRAM} {' '.join(words)}", seconds=seconds)

    def run_and_kill(self, words: str, *, after: float) -> None:
        """Runs the program as a unit of its own, and kills it and all that it started after so many seconds."""
        unit = f"--unit=victim --collect --property=KillMode=control-group python3 -I {PROGRAM} {words}"
        self.machine.succeed(f"systemd-run {unit}")
        self.machine.succeed(f"sleep {after:.2f}; systemctl kill --signal=KILL victim; true")
        self.machine.wait_until_succeeds("! systemctl is-active victim")

    def done(self, *words: str, seconds: float = 60) -> dict[str, Any]:
        """The last event of the program, which must succeed."""
        result = self.run(*words, seconds=seconds)
        assert result.exit_status == 0, result.stdout + result.stderr
        return last_event(result)

    def trouble(self, *words: str, seconds: float = 60) -> dict[str, Any]:
        """The trouble that the program tells; it must fail."""
        result = self.run(*words, seconds=seconds)
        assert result.exit_status == 1, result.stdout + result.stderr
        event = last_event(result)
        assert event["event"] == "trouble", event
        return event


def last_event(result: Result) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return event


@pytest.fixture(scope="session")
def place(boot_lab: BootLab) -> Place:
    """One machine for all tests of data; each test takes an application's name of its own."""
    lab = boot_lab("one")
    scene = Scene(lab, "one")
    report = scene.apply(one=[*(Package(name=name) for name in PACKAGES), *files_of_the_program()])
    assert report.succeeded, report
    return Place(lab, lab["one"])
