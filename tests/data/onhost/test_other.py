"""Restoring from another repository: read through a gate, never written, and its password never told."""

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from fedikit.data.onhost.command import Finished
from fedikit.data.onhost.life import life_of
from fedikit.data.onhost.repository import Repository
from fedikit.data.onhost.volume import gives_rights
from tests.data.gate_port import PORT
from tests.data.onhost.conftest import Host, fill

PASSWORD = "another's 'password'"
URL = "rest:http://127.0.0.1:4321/theirs"
OTHER = json.dumps({"url": URL.replace("4321", f"{PORT}"), "password": PASSWORD}) + "\n"
STOP = ["web.service"]


@pytest.fixture
def theirs(host: Host) -> str:
    """The name of a backup that another host made of its application; this one's is fresh, and closed."""
    repository = host.programs / "gate/theirs"
    repository.parent.mkdir()
    host.secret("repository-password", PASSWORD)
    host.settings(repository=_repository(repository))
    name = str(host.done("backup")["result"]["newest"]["id"])
    shutil.rmtree(host.places.state)
    shutil.rmtree(host.volume)
    fill(host.volume, ["fresh"])
    host.secret("repository-password", "hunter22")
    host.units(web="active")
    host.settings(stop=STOP, domains=[])
    return name


def _repository(folder: Path) -> dict[str, object]:
    return {"url": str(folder), "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_is_restored_without_being_written(host: Host, theirs: str) -> None:
    before = contents(host.programs / "gate")
    restored = host.done("restore", "--other", "--backup", theirs, said=OTHER)["restored"]
    assert (restored["before"], restored["differences"]) == ("", [])
    assert sorted(contents(host.volume)) == ["a/one", "a/two", "b/three"]
    assert contents(host.programs / "gate") == before
    assert contents(host.repository) == {}
    assert host.state_of("web") == "active"


def test_its_password_is_in_no_file_and_no_word(host: Host, theirs: str) -> None:
    _, events = host.run("restore", "--other", "--backup", theirs, said=OTHER)
    assert PASSWORD not in json.dumps(events)
    gate = host.programs / "gate"
    found = [file for file in host.root.rglob("*") if file.is_file() and gate not in file.parents]
    assert [file for file in found if PASSWORD.encode() in file.read_bytes()] == []
    shutil.rmtree(gate / "theirs")
    (gate / "theirs").mkdir()
    assert PASSWORD not in json.dumps(host.trouble("restore", "--other", "--backup", theirs, said="\0" + OTHER))


def test_a_wrong_password_is_said_without_it(host: Host, theirs: str) -> None:
    trouble = host.trouble("restore", "--other", "--backup", theirs, said=OTHER.replace("another", "wrong"))
    assert "password" in trouble["message"]
    assert "wrong's" not in json.dumps(trouble)


def test_what_was_restored_is_backed_up_as_the_hosts_own_from_then_on(host: Host, theirs: str) -> None:
    host.done("backup")
    first = life_of(host.places.state)
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    host.killed("backup 2", "backup")
    host.done("backup")
    second = life_of(host.places.state)
    assert first != second
    host.done("backup")
    assert life_of(host.places.state) == second
    assert host.done("plan-restore")["plan"]["backup"]["id"] == host.backups()[0]["id"]


@pytest.mark.parametrize("call", ["stop 1", "restore 1", "ls 1", "daemon-reload 2"])
def test_one_that_was_killed_goes_on(host: Host, theirs: str, call: str) -> None:
    host.killed(call, "restore", "--other", "--backup", theirs, said=OTHER)
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    assert sorted(contents(host.volume)) == ["a/one", "a/two", "b/three"]
    assert host.state_of("web") == "active"
    host.done("backup")


def test_which_snapshots_it_has_is_asked_once(host: Host, theirs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question goes all the way, while nobody can write."""
    asked, run = [], Repository.run

    def noting(self: Repository, *words: str, **how: Any) -> Finished:
        asked.append(words[0])
        return run(self, *words, **how)

    monkeypatch.setattr(Repository, "run", noting)
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    assert asked.count("snapshots") == 1


def test_into_a_closed_application_it_starts_nothing(host: Host, theirs: str) -> None:
    host.done("close", "--migration", "m1")
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    assert host.state_of("web") == "inactive"
    host.done("open", "--migration", "m1")
    assert not (host.places.state / "other").exists()


@pytest.mark.parametrize(
    "said",
    [
        "", "\n", "[]\n", "{}\n", '{"url": "rest:http://127.0.0.1:1/a"}\n',
        json.dumps({"url": URL, "password": ""}), json.dumps({"url": URL, "password": 7}),
        json.dumps({"url": URL, "password": "two\nlines"}), json.dumps({"url": URL, "password": "x", "more": 1}),
        json.dumps({"url": "rest:http://example.org:1/a", "password": "secretive"}),
        json.dumps({"url": "rest:http://127.0.0.1:1/../a", "password": "secretive"}),
        json.dumps({"url": "/srv/backups", "password": "secretive"}),
        json.dumps({"url": "sftp:127.0.0.1:/a", "password": "secretive"}),
        json.dumps({"url": URL, "password": "x" * 9000}),
    ],
)  # fmt: skip
def test_anything_but_the_way_to_a_gate_is_refused(host: Host, theirs: str, said: str) -> None:
    trouble = host.trouble("restore", "--other", "--backup", theirs, said=said)
    assert "one line with url" in trouble["message"]
    assert "secretive" not in json.dumps(trouble)


def kept(host: Host, name: str) -> Path:
    """A file as it lies in the other repository."""
    (file,) = (host.programs / "gate/theirs/files").rglob(name)
    return file


def give_capability(file: Path) -> None:
    os.setxattr(file, "security.capability", bytes.fromhex("0100000280000000000000000000000000000000"))


@pytest.mark.parametrize("mode", [0o4755, 0o4600, 0o2755])
def test_a_program_that_would_run_as_somebody_else_is_not_let_in(host: Host, theirs: str, mode: int) -> None:
    kept(host, "two").chmod(mode)
    host.volume.chmod(0o755)
    trouble = host.trouble("restore", "--other", "--backup", theirs, said=OTHER)
    assert "devices, or programs that run as another user: 'two'" in trouble["message"]
    assert host.volume.stat().st_mode & 0o7777 == 0o700, "nobody gets in"
    assert host.state_of("web") == "inactive"
    kept(host, "two").chmod(0o2644)
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    assert host.state_of("web") == "active"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives capabilities")
def test_a_program_with_capabilities_is_not_let_in(host: Host, theirs: str) -> None:
    give_capability(kept(host, "one"))
    assert "'one'" in host.trouble("restore", "--other", "--backup", theirs, said=OTHER)["message"]


def test_a_device_gives_rights(tmp_path: Path) -> None:
    os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    fill(tmp_path, ["file"])
    descriptor = os.open(tmp_path, os.O_RDONLY)
    found = {entry.name: gives_rights(descriptor, entry) for entry in os.scandir(tmp_path)}
    os.close(descriptor)
    assert found == {"device": True, "file": False}


def test_what_comes_from_the_own_repository_is_as_it_was(host: Host) -> None:
    (host.volume / "a/one").chmod(0o4755)
    backup = host.done("backup")["result"]["newest"]["id"]
    (host.volume / "a/one").unlink()
    host.done("restore", "--backup", backup)
    assert (host.volume / "a/one").stat().st_mode & 0o7777 == 0o4755


def rewritten(host: Host, **changes: object) -> None:
    """The manifest in the other repository says something else."""
    manifest = kept(host, "manifest.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../../../etc/cron.d/evil"},
        {"parts": [{"id": "volume:app", "snapshots": {"data": "../../etc"}}], "expected": ["volume:app"]},
        {"parts": "x", "expected": []},
        {"ended": "never"},
        {"format": 2},
        {"expected": ["volume:app", "volume:/etc"]},
    ],
)
def test_a_manifest_that_is_none_restores_nothing(host: Host, theirs: str, changes: dict[str, object]) -> None:
    rewritten(host, **changes)
    trouble = host.trouble("restore", "--other", "--backup", theirs, said=OTHER)
    assert trouble["message"] == "there is no backup at all"
    assert sorted(contents(host.volume)) == ["fresh"]


def test_a_part_that_the_settings_do_not_name_is_not_restored(host: Host, theirs: str) -> None:
    """Where things go is what this host's settings say, whatever a backup would like."""
    raw = json.loads(kept(host, "manifest.json").read_text())
    evil = {**raw["parts"][0], "id": "volume:/etc/cron.d"}
    rewritten(host, parts=[*raw["parts"], evil], expected=["volume:app", "volume:/etc/cron.d"])
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    assert sorted(contents(host.volume)) == ["a/one", "a/two", "b/three"]
    assert not (host.root / "etc/cron.d").exists()


def test_a_backup_that_changes_after_it_was_counted_is_told(host: Host, theirs: str) -> None:
    kept(host, "two").write_text("more than was counted")
    restored = host.done("restore", "--other", "--backup", theirs, said=OTHER)["restored"]
    assert len(restored["differences"]) == 1
