"""A secret like poison: it is in the one file it belongs to, and nowhere else, however it is spelled."""

import json
import secrets
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from fedikit.apply import apply_plan
from fedikit.display.drawing import lines_of
from fedikit.events import Event, as_record
from fedikit.model.deployment import Deployment
from fedikit.model.item import File, Item, Job, SecretRef, SecretText
from fedikit.plan import make_plan, make_rollback, save_plan
from fedikit.secrets.redaction import find_leaks
from fedikit.status import read_status
from fedikit_lab import Lab
from tests.failure.scene import Scene

pytestmark = pytest.mark.lab

POISON = SecretText(parts=("password=", SecretRef(name="poison"), "\n"))
KEEP_WATCHING = """
(for i in $(seq 400); do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; sleep 0.01; done >/dev/shm/seen 2>/dev/null) \
    </dev/null >/dev/null 2>&1 &
"""
EVERYTHING = "var etc tmp root home run srv opt usr/local dev/shm"


def items(content: str = "1") -> list[Item]:
    hashing = "sha256sum >/etc/hashed; test ! -e /etc/fail || { echo it was not me >&2; exit 1; }"
    return [
        File(path="/etc/secret", content=POISON, mode="0600"),
        File(path="/etc/plain", content=content),
        Job(name="hash it", run=("sh", "-c", hashing), stdin=POISON, inputs=("file:/etc/plain",)),
    ]


class Watched:
    """Works on a host as usual and writes down all that anybody is told."""

    def __init__(self, scene: Scene, poison: str, folder: Path) -> None:
        self.scene = scene
        self.poison = poison
        self.folder = folder
        folder.mkdir()
        self.lines: list[str] = []

    def deployment(self, wanted: list[Item]) -> Deployment:
        return self.scene.wants(one=wanted).with_given({"poison": SecretStr(self.poison)})

    def work(self, wanted: list[Item]) -> None:
        deployment = self.deployment(wanted)
        plan = make_plan(deployment, tell=self._hear)
        save_plan(plan, self.folder / f"plan-{len(self.lines)}.json")
        report = apply_plan(plan, tell=self._hear)
        told = [plan, report, read_status(self.scene.environment)]
        self.lines += [line for value in told for line in lines_of(value)]
        self.lines += [f"{value!r} {value.model_dump_json()}" for value in told]
        self.lines += [repr(deployment), deployment.model_dump_json(), deployment.mermaid(), deployment.digest]

    def _hear(self, event: Event) -> None:
        self.lines.append(json.dumps(as_record(event)))

    def write_down(self) -> Path:
        (self.folder / "told.txt").write_text("\n".join(self.lines))
        return self.folder


def pulled(lab: Lab, folder: Path) -> Path:
    """All that the machine keeps, and all command lines and environments that were seen there."""
    folder.mkdir()
    lab["one"].succeed("journalctl --no-pager >/dev/shm/journal")
    machine = lab["one"]
    pull = f"tar --create --ignore-failed-read --warning=none --file - --directory / {EVERYTHING}"
    remote = subprocess.run(
        ["ssh", *machine.ssh_options(), f"root@{machine.address}", pull], capture_output=True, timeout=60
    )
    subprocess.run(
        ["tar", "--extract", "--file", "-", "--directory", str(folder)], input=remote.stdout, check=True, timeout=60
    )
    return folder


def test_poison_is_in_its_own_file_and_nowhere_else(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab["one"].reset()
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "cache"))
    poison = f"p0ison-{secrets.token_hex(8)}"
    scene = Scene(lab, "one")
    watched = Watched(scene, poison, tmp_path / "told")
    lab["one"].succeed(KEEP_WATCHING)

    watched.work(items())
    watched.work(items("2"))
    lab["one"].succeed("echo edited >/etc/secret; touch /etc/fail")
    watched.work(items("3"))
    lab["one"].succeed("rm /etc/fail")
    apply_plan(make_rollback(watched.deployment(items("3"))))
    watched.work(items("4"))
    machine = pulled(lab, tmp_path / "machine")
    assert (machine / "dev/shm/seen").stat().st_size > 100_000

    searched = [machine, watched.write_down(), tmp_path / "cache"]
    assert {leak.path for leak in find_leaks(searched, [poison])} == {machine / "etc/secret"}
    assert (machine / "etc/secret").stat().st_mode & 0o777 == 0o600
    assert (machine / "etc/hashed").exists()

    planted = tmp_path / "told" / "planted"
    planted.write_text(f"a{poison}z")
    assert planted in {leak.path for leak in find_leaks(searched, [poison])}
