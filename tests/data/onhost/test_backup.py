"""A backup: all parts or none, the manifest last, and the result written down however it ends."""

import json
import os
import shutil
from typing import Any

import pytest

from fedikit.data.onhost.mariadb import MariadbPart
from fedikit.data.onhost.part import Record
from fedikit.data.onhost.postgresql import PostgresPart
from fedikit.data.onhost.repository import Repository
from tests.data.onhost.conftest import Host


def test_a_backup_is_listed_with_what_is_in_it(host: Host) -> None:
    result = host.done("backup", "--reason", "now")["result"]
    (backup,) = host.backups()
    assert backup["id"] == result["newest"]["id"]
    assert (backup["reason"], backup["expected"], backup["host"]) == ("now", ["volume:app"], "one")
    assert backup["images"] == {"app": "example.org/app:1"}
    (part,) = backup["parts"]
    assert (part["counts"], part["bytes"]) == ({"files": 3}, 17)
    assert result == host.result()
    assert result["last"]["failed"] is False


def test_each_part_is_told_as_a_step(host: Host) -> None:
    _, events = host.run("backup")
    steps = [(event["name"], event["phase"], event["failed"]) for event in events if event["event"] == "step"]
    assert steps[:2] == [("volume:app", "start", False), ("volume:app", "end", False)]
    assert events[1]["bytes"] == 17


def test_a_part_that_fails_leaves_no_backup_and_is_named(host: Host) -> None:
    host.done("backup")
    shutil.rmtree(host.volume)
    trouble = host.trouble("backup")
    assert trouble["message"] == f"the folder {host.volume} is not there"
    assert trouble["hint"] == "is its disk mounted?"
    assert len(host.backups()) == 1
    last = host.result()["last"]
    assert (last["failed"], last["part"], last["error"]) == (True, "volume:app", trouble["message"])
    assert host.result()["newest"]["id"] == host.backups()[0]["id"]


def test_a_volume_that_is_suddenly_empty_is_no_backup(host: Host) -> None:
    host.done("backup")
    shutil.rmtree(host.volume)
    host.volume.mkdir()
    assert "is empty, and had 3 files in the last backup" in host.trouble("backup")["message"]
    assert len(host.backups()) == 1


def test_a_volume_that_was_always_empty_is_one(host: Host) -> None:
    shutil.rmtree(host.volume)
    host.volume.mkdir()
    host.done("backup")
    host.done("backup")
    assert host.result()["newest"]["parts"][0]["counts"] == {"files": 0}


@pytest.mark.parametrize(("kind", "part"), [("postgresql", PostgresPart), ("mariadb", MariadbPart)])
def test_a_database_that_is_suddenly_empty_is_no_backup_unless_that_is_meant(
    host: Host, monkeypatch: pytest.MonkeyPatch, kind: str, part: type
) -> None:
    counts = {"table users": 2, "table statuses": 3}

    def back_up(_: object, repository: Repository, tags: list[str]) -> Record:
        made = repository.snapshot_command(["echo", str(counts)], "dump", tags, 1)
        return Record(snapshots={"data": made.id}, bytes=made.bytes, added=0, counts=dict(counts), version="")

    monkeypatch.setattr(part, "back_up", back_up)
    spec = {"id": f"{kind}:app", "kind": kind, "host": "127.0.0.1", "port": 5, "user": "app", "name": "app"}
    host.settings(parts=[spec | ({"encrypted": False, "extensions": []} if kind == "postgresql" else {})])
    host.done("backup")
    for now in ({}, {"table users": 0, "table statuses": 0}):
        counts = now
        trouble = host.trouble("backup")
        assert trouble["message"] == "the database app is empty, and had 5 rows in the last backup"
        assert "fedikit backup now --anew" in trouble["hint"]
    host.done("backup", "--anew")
    assert host.backups()[0]["parts"][0]["counts"] == {"tables": 2, "rows": 0}


def test_a_file_that_vanishes_meanwhile_is_no_failure_one_that_cannot_be_read_is(host: Host) -> None:
    (host.programs / "unread").write_text(f"{host.volume}/gone\n")
    host.done("backup")
    (host.programs / "unread").write_text(f"{host.volume}/gone\n{host.volume}/a/one\n")
    assert f"{host.volume}/a/one could not be read" in host.trouble("backup")["message"]


def test_a_volume_may_be_moved_to_another_disk_by_a_link_of_roots(host: Host) -> None:
    backup = host.done("backup")["result"]["newest"]["id"]
    elsewhere = host.root / "disk"
    host.volume.rename(elsewhere)
    host.volume.symlink_to(elsewhere)
    (elsewhere / "a/one").write_text("spoilt")
    host.done("restore", "--backup", backup)
    assert (elsewhere / "a/one").read_text() != "spoilt"
    assert host.volume.is_symlink()
    assert host.done("backup")["result"]["newest"]["parts"][0]["counts"] == {"files": 3}


def test_a_link_of_somebody_elses_is_not_followed(host: Host) -> None:
    host.volume.rename(host.root / "disk")
    host.volume.symlink_to(host.root / "disk")
    os.lchown(host.volume, 12345, 12345)
    assert "is a link of somebody's who is not root" in host.trouble("backup")["message"]


def test_a_repositorys_folder_is_made_the_first_time_and_never_again(host: Host) -> None:
    """Later, the disk that it lies on may not be mounted."""
    host.repository.rmdir()
    host.done("backup")
    shutil.rmtree(host.repository)
    assert f"the repository's folder {host.repository} is not there" in host.trouble("backup")["message"]
    assert not host.repository.exists()


def test_a_folder_for_repositories_is_never_made(host: Host) -> None:
    place = host.root / "no/such/app"
    host.settings(repository={"url": str(place), "access_key": "", "user": "", "upload_kib": 0, "download_kib": 0})
    assert f"the repository's folder {place} is not there" in host.trouble("backup")["message"]
    assert not place.parent.exists()


def test_a_repository_that_is_gone_is_not_made_again(host: Host) -> None:
    host.done("backup")
    shutil.rmtree(host.repository)
    host.repository.mkdir()
    for verb in ("backup", "list"):
        assert "is gone: there were backups in it" in host.trouble(verb)["message"]
    assert os.listdir(host.repository) == []


def test_another_repository_in_its_place_is_refused(host: Host) -> None:
    host.done("backup")
    config = host.repository / "config"
    config.write_text(json.dumps({"version": 2, "id": "0" * 64}))
    assert "another repository lies at" in host.trouble("backup")["message"]


def test_a_repository_with_another_password_is_left_alone(host: Host) -> None:
    host.done("backup")
    host.secret("repository-password", "another")
    trouble = host.trouble("backup")
    assert "does not open with this application's password" in trouble["message"]
    assert "another" not in json.dumps(trouble["tail"])
    host.secret("repository-password", "hunter22")
    assert len(host.backups()) == 1


def test_a_repository_that_is_locked_says_so(host: Host) -> None:
    host.done("backup")
    (host.repository / "foreign-lock").touch()
    assert "is locked by somebody else" in host.trouble("backup")["message"]


def test_of_backups_of_one_second_the_one_that_was_written_last_is_the_newest(host: Host) -> None:
    for _ in range(3):
        host.done("backup", "--reason", "upgrade")
    files = sorted((host.repository / "files").glob("*/manifest.json"), key=lambda file: file.stat().st_mtime_ns)
    names = [f"20261127T023000Z-{digit * 8}" for digit in "213"]
    for file, name in zip(files, names, strict=True):
        manifest = json.loads(file.read_text())
        file.write_text(json.dumps({**manifest, "id": name, "ended": "2026-11-27T02:30:00Z"}))
    shutil.rmtree(host.places.state / "manifests", ignore_errors=True)
    assert [one["id"] for one in host.backups()] == names[::-1]


def test_nothing_is_listed_where_nothing_was_backed_up(host: Host) -> None:
    assert host.backups() == []
    assert os.listdir(host.repository) == []


def test_a_backup_that_was_killed_leaves_nothing_to_the_next(host: Host) -> None:
    host.done("backup")
    for call in ("backup 1", "backup 2", "ls 1"):
        host.killed(call, "backup")
        assert len(host.backups()) == 1, call
    host.done("backup")
    named = {one["parts"][0]["snapshots"]["data"] for one in host.backups()}
    there = {file.name for file in (host.repository / "snapshots").iterdir()}
    assert (len(named), len(there)) == (2, 4)
    assert named < there


def test_what_somebody_puts_there_by_hand_stays(host: Host) -> None:
    host.done("backup")
    theirs = {"time": "2020-01-01T00:00:00.0Z", "paths": ["/x"], "hostname": "one", "tags": ["mine"], "id": "f" * 64}
    (host.repository / "snapshots" / ("f" * 64)).write_text(json.dumps(theirs))
    host.done("backup")
    assert (host.repository / "snapshots" / ("f" * 64)).exists()


def test_each_check_reads_the_next_share(host: Host) -> None:
    host.done("backup")
    names = [host.run("check")[1][0]["name"] for _ in range(4)]
    assert names == ["share 1 of 3", "share 2 of 3", "share 3 of 3", "share 1 of 3"]
    assert host.result()["check"]["failed"] is False


def test_a_check_finds_a_backup_that_lacks_a_snapshot(host: Host) -> None:
    host.done("backup")
    part = host.backups()[0]["parts"][0]["snapshots"]["data"]
    (host.repository / "snapshots" / part).unlink()
    assert "lacks snapshots that it names" in host.trouble("check")["message"]
    assert host.result()["check"]["failed"] is True
    assert host.run("check")[1][0]["name"] == "share 1 of 3"


def change_manifest(host: Host, change: dict[str, Any], part: dict[str, Any]) -> str:
    """The only backup's manifest says something else from now on; its name."""
    (file,) = (host.repository / "files").glob("*/manifest.json")
    manifest = json.loads(file.read_text())
    parts = [{**manifest["parts"][0], **part}]
    file.write_text(json.dumps({**manifest, "parts": parts, **change}))
    shutil.rmtree(host.places.state / "manifests", ignore_errors=True)
    return str(manifest["id"])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"reason": ["now"]}, {}),
        ({"images": ["app"]}, {}),
        ({"life": None}, {}),
        ({"parts": "all"}, {}),
        ({}, {"counts": [3]}),
        ({}, {"counts": {"files": "three"}}),
        ({}, {"bytes": "many"}),
        ({}, {"bytes": float("nan")}),
        ({}, {"bytes": -1}),
        ({}, {"bytes": 10**400}),
        ({}, {"snapshots": {"data": ["--target=/"]}}),
    ],
)
def test_a_manifest_that_is_none_is_said_and_nothing_is_replaced(
    host: Host, change: dict[str, Any], part: dict[str, Any]
) -> None:
    host.units(web="active")
    host.settings(stop=["web.service"])
    host.done("backup")
    backup = change_manifest(host, change, part)
    (host.volume / "since").touch()
    listed = host.done("list")
    assert listed["backups"] == []
    assert "cannot be read" in listed["notes"][0]
    assert "there is no backup" in host.trouble("restore", "--backup", backup)["message"]
    assert (host.volume / "since").exists()
    assert host.calls == []


def test_what_is_nested_without_end_hides_no_other_backup(host: Host) -> None:
    host.done("backup")
    (file,) = (host.repository / "files").glob("*/manifest.json")
    file.write_text("[" * 100_000)
    shutil.rmtree(host.places.state / "manifests", ignore_errors=True)
    assert "cannot be read" in host.done("list")["notes"][0]


def test_a_backup_of_another_application_is_none_of_this_one(host: Host) -> None:
    host.done("backup")
    backup = change_manifest(host, {"application": "wiki"}, {})
    assert "in the repository is wiki's, not app's" in host.done("list")["notes"][0]
    assert "there is no backup" in host.trouble("restore", "--backup", backup)["message"]
    assert "is wiki's, not app's" in host.trouble("backup")["message"]  # lest it be forgotten


def test_a_backup_of_another_deployment_is_told_of(host: Host) -> None:
    host.done("backup")
    change_manifest(host, {"deployment": "other"}, {})
    notes = host.done("plan-restore")["plan"]["notes"]
    assert notes == ["it is a backup of the deployment other, and this is test"]


def test_a_damaged_manifest_hides_no_other_backup_and_nothing_is_forgotten(host: Host) -> None:
    host.done("backup")
    snapshots = host.repository / "snapshots"
    manifest = next(file.name for file in snapshots.iterdir() if '"manifest"' in file.read_text())
    good = json.loads((snapshots / manifest).read_text())
    (snapshots / ("e" * 64)).write_text(json.dumps({**good, "id": "e" * 64}))
    damaged = host.repository / "files" / ("e" * 64)
    damaged.mkdir()
    (damaged / "manifest.json").write_text("{}")
    listed = host.done("list")
    assert len(listed["backups"]) == 1
    assert "the manifest eeeeeeee in the repository cannot be read" in listed["notes"][0]
    before = set(os.listdir(snapshots))
    assert "the manifest eeeeeeee" in host.trouble("backup")["message"]
    assert set(os.listdir(snapshots)) > before
    last, newest = host.result()["last"], host.result()["newest"]
    assert (last["failed"], last["id"]) == (True, newest["id"])  # the backup is there, and what is old is not let go
    assert host.done("plan-restore")["plan"]["notes"] == listed["notes"]


def test_what_the_state_remembers_wrongly_is_read_again(host: Host) -> None:
    host.done("backup")
    (remembered,) = (host.places.state / "manifests").iterdir()
    remembered.write_text("{}")
    assert len(host.backups()) == 1


def test_a_repository_that_lets_nothing_go_has_good_backups_and_a_note(host: Host) -> None:
    """So that whoever breaks into this host cannot delete them; it must not fail every night."""
    host.settings(keep={"daily": 1, "weekly": 0, "monthly": 0})
    for _ in range(2):
        host.done("backup")
        host.let_pass(days=2)
    (host.repository / "append-only").touch()
    result = host.done("backup")["result"]
    assert "lets nothing be deleted: it has 2 snapshots more than are to be kept" in result["note"]
    assert (result["last"]["failed"], len(host.backups())) == (False, 3)
    host.done("check")
    (host.repository / "append-only").unlink()
    assert host.done("backup")["result"]["note"] == ""
    assert len(host.backups()) == 2


def test_a_worse_backup_of_the_same_day_does_not_take_the_place_of_a_good_one(host: Host) -> None:
    good, worse, last = (host.done("backup")["result"]["newest"]["id"] for _ in range(3))
    assert {one["id"] for one in host.backups()} == {good, worse, last}
    for _ in range(2):
        host.let_pass(days=2)
        host.done("backup")
    kept = {one["id"] for one in host.backups()}
    assert last in kept, "of a day that is over, the rules keep the last"
    assert not {good, worse} & kept


def test_the_two_newest_are_kept_whatever_the_rules_say(host: Host) -> None:
    host.settings(keep={"daily": 1, "weekly": 0, "monthly": 0})
    for _ in range(4):
        host.done("backup")
        host.let_pass(days=40)
    assert len(host.backups()) == 2


def test_a_clock_that_jumps_ahead_lets_nothing_go_at_once(host: Host) -> None:
    """Neither a way back nor the good backup of the day is as old as the clock says."""
    host.settings(keep={"daily": 1, "weekly": 0, "monthly": 0})
    made = {host.done("backup", "--reason", reason)["result"]["last"]["id"] for reason in ("now", "upgrade", "now")}
    host.let_pass(days=400)
    host.done("backup")
    assert made < {one["id"] for one in host.backups()}
    host.done("backup")
    assert not made & {one["id"] for one in host.backups()}


def test_a_backup_is_kept_though_the_clock_was_wrong_when_earlier_ones_were_made(host: Host) -> None:
    """Rules keep the latest of a day; what is in the future is later than what is made now."""
    host.settings(keep={"daily": 1, "weekly": 0, "monthly": 0})
    host.done("backup")
    for snapshot in (host.repository / "snapshots").iterdir():
        about = json.loads(snapshot.read_text())
        snapshot.write_text(json.dumps(about | {"time": "2099" + about["time"][4:]}))
    made = host.done("backup")["result"]["newest"]["id"]
    assert made in [one["id"] for one in host.backups()]
    fill = host.volume / "a/one"
    fill.write_text("changed")
    host.done("restore", "--backup", made, "--without-saving")
    assert fill.read_text() == "a/one"
