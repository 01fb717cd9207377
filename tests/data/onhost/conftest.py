"""A host in a folder, on which the program runs with stand-ins for restic and systemctl."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost import command
from fedikit.data.onhost.places import Places
from fedikit.data.onhost.program import main

STANDINS = Path(__file__).parent.parent / "standins"
KILLED = """\
import sys
from pathlib import Path
from fedikit.data.onhost import command
from fedikit.data.onhost.places import Places
from fedikit.data.onhost.program import main
command.ENVIRONMENT["PATH"] = sys.argv[1]
sys.exit(main(sys.argv[3:], places=lambda name: Places(name, Path(sys.argv[2]))))
"""


@dataclass(frozen=True)
class Host:
    """One application, `app`, with a volume; `run` carries out a verb."""

    root: Path
    programs: Path

    @property
    def volume(self) -> Path:
        return self.root / "srv/app"

    @property
    def repository(self) -> Path:
        return self.root / "backups"

    @property
    def places(self) -> Places:
        return Places("app", self.root)

    @property
    def path(self) -> str:
        return f"{self.programs}:{os.environ['PATH']}"

    @property
    def calls(self) -> list[str]:
        """What systemctl was called with, but to look."""
        log = self.programs / "systemctl.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if not line.startswith(("show", "reset-failed"))]

    def settings(self, **changes: Any) -> None:
        volume = {"id": "volume:app", "kind": "volume", "path": str(self.volume), "leave_out": ["cache"]}
        usual = {
            "format": 1, "deployment": "test", "application": "app", "host": "one",
            "repository": {
                "url": str(self.repository), "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0,
            },
            "keep": {"daily": 7, "weekly": 4, "monthly": 6}, "check_parts": 3, "parts": [volume], "stop": [],
            "after": [], "images": {"app": "example.org/app:1"},
        }  # fmt: skip
        self.places.settings.write_text(json.dumps(usual | changes))

    def secret(self, name: str, value: str) -> None:
        path = self.places.secrets / name
        path.write_text(value)
        path.chmod(0o600)

    def units(self, **states: str) -> None:
        for name, state in states.items():
            (self.programs / "units" / f"{name}.service").write_text(state)

    def state_of(self, unit: str) -> str:
        return (self.programs / "units" / f"{unit}.service").read_text()

    def run(self, *words: str, said: str = "") -> tuple[int, list[dict[str, Any]]]:
        """The exit status of the program, and its events; `said` is its standard input."""
        told = io.StringIO()
        asked = [words[0], "app", *words[1:]]
        status = main(asked, places=lambda name: Places(name, self.root), stream=told, source=io.StringIO(said))
        return status, [json.loads(line) for line in told.getvalue().splitlines()]

    def done(self, *words: str, said: str = "") -> dict[str, Any]:
        status, events = self.run(*words, said=said)
        assert status == 0, events
        assert events[-1]["event"] == "done"
        return events[-1]

    def trouble(self, *words: str, said: str = "") -> dict[str, Any]:
        status, events = self.run(*words, said=said)
        assert status == 1, events
        assert events[-1]["event"] == "trouble"
        return events[-1]

    def killed(self, at: str, *words: str, said: str = "") -> None:
        """Runs the program in a process of its own, which is killed at that call of restic: killed("forget 1", …)."""
        (self.programs / "trap").write_text(at)
        line = [sys.executable, "-c", KILLED, self.path, str(self.root), words[0], "app", *words[1:]]
        finished = subprocess.run(line, capture_output=True, timeout=60, input=said.encode())
        assert finished.returncode == -9, finished

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.places.state / "result.json").read_text())
        return found

    def let_pass(self, days: int) -> None:
        """All that was backed up is so much older; so it looks too if the clock has jumped ahead."""
        for file in (self.repository / "snapshots").iterdir():
            about = json.loads(file.read_text())
            file.write_text(json.dumps(about | {"time": earlier(about["time"], days).isoformat()}))
        for file in (self.repository / "files").glob("*/manifest.json"):
            about = json.loads(file.read_text())
            moments = {name: f"{earlier(about[name], days):%Y-%m-%dT%H:%M:%SZ}" for name in ("started", "ended")}
            file.write_text(json.dumps(about | moments))
        shutil.rmtree(self.places.state / "manifests", ignore_errors=True)

    def backups(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.done("list")["backups"]
        return found


def earlier(moment: str, days: int) -> datetime:
    return datetime.fromisoformat(moment) - timedelta(days=days)


def put_program(folder: Path, name: str, source: Path) -> None:
    """A program that is the function `main` of a file, which stays compiled: it starts dozens of times a test."""
    program = folder / name
    lines = f"import sys\nsys.path.insert(0, {str(source.parent)!r})\nimport {source.stem}\n"
    program.write_text(f"#!{sys.executable} -IS\n{lines}sys.exit({source.stem}.main())\n")
    program.chmod(0o755)


def fill(folder: Path, files: Sequence[str]) -> None:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, tmp_path / "bin")
    for folder in ("bin/units", "backups", "etc/fedikit/data/app", "etc/systemd/system", "var/lib"):
        (tmp_path / folder).mkdir(parents=True)
    for source in (STANDINS / "restic.py", STANDINS / "systemctl.py"):
        put_program(host.programs, source.stem, source)
    (host.programs / "folder").write_text(str(host.places.units))
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", host.path)
    host.settings()
    host.secret("repository-password", "hunter22")
    fill(host.volume, ["a/one", "a/two", "b/three", "cache/four"])
    return host
