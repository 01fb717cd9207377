"""A restore: planned, begun, cut off anywhere, gone on with, and the fence around it."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fedikit.data.onhost.fence import DROP_IN
from fedikit.data.onhost.journal import Journal, write_journal
from fedikit.data.onhost.part import Record
from fedikit.data.onhost.volume import VolumePart
from tests.data.onhost.conftest import Host, fill

STOP = ["sidekiq.service", "web.service"]


@pytest.fixture
def backup(host: Host) -> str:
    """The name of a backup, after which the volume was damaged; `web` runs, `sidekiq` was off before."""
    host.units(web="active", sidekiq="inactive")
    host.settings(stop=STOP, after=[{"name": "feeds", "run": ["touch", str(host.root / "after")], "deadline": 9}])
    name = str(host.done("backup")["result"]["newest"]["id"])
    shutil.rmtree(host.volume / "a")
    fill(host.volume, ["new", "cache/five"])
    return name


def files(host: Host) -> list[str]:
    return sorted(str(file.relative_to(host.volume)) for file in host.volume.rglob("*") if file.is_file())


def fences(host: Host) -> list[Path]:
    return [*host.places.units.rglob(DROP_IN), *host.places.state.glob("fence"), *host.places.units.glob("*.d")]


def is_whole(host: Host) -> bool:
    return files(host) == ["a/one", "a/two", "b/three", "cache/five", "cache/four"]


def test_a_plan_says_what_becomes_of_what_and_changes_nothing(host: Host, backup: str) -> None:
    before, calls = files(host), host.calls
    plan = host.done("plan-restore")["plan"]
    assert plan["backup"]["id"] == backup
    assert plan["parts"] == [
        {
            "id": "volume:app",
            "kind": "volume",
            "was": {"bytes": 10, "counts": {"files": 2}},
            "becomes": {"bytes": 17, "counts": {"files": 3}},
            "absent": False,
        }
    ]
    assert (plan["stop"], plan["after"], plan["interrupted"], plan["notes"]) == (STOP, ["feeds"], "", [])
    assert plan["free"] > plan["bytes"] == 17
    assert (files(host), host.calls) == (before, calls)


def test_a_restore_stops_replaces_starts_and_runs_what_follows(host: Host, backup: str) -> None:
    restored = host.done("restore", "--backup", backup)["restored"]
    assert is_whole(host)
    assert (restored["backup"], restored["differences"]) == (backup, [])
    assert (host.state_of("web"), host.state_of("sidekiq")) == ("active", "inactive")
    assert (host.root / "after").exists()
    assert fences(host) == []
    stops = [call for call in host.calls if call.startswith("stop")]
    assert stops == ["stop sidekiq.service", "stop web.service"]


def test_what_was_there_before_is_a_backup_and_can_be_brought_back(host: Host, backup: str) -> None:
    before = host.done("restore", "--backup", backup)["restored"]["before"]
    assert next(one for one in host.backups() if one["id"] == before)["reason"] == "restore"
    host.done("backup")
    host.done("restore", "--backup", before)
    assert "new" in files(host)
    assert "a/one" not in files(host)


def test_what_a_restore_replaced_is_not_what_the_next_one_takes(host: Host, backup: str) -> None:
    before = host.done("restore", "--backup", backup)["restored"]["before"]
    assert host.backups()[0]["id"] == before
    assert host.done("plan-restore")["plan"]["backup"]["id"] == backup


def test_what_is_absent_is_restored_without_being_saved(host: Host, backup: str) -> None:
    shutil.rmtree(host.volume)
    assert host.done("plan-restore")["plan"]["parts"][0]["absent"] is True
    restored = host.done("restore", "--backup", backup)["restored"]
    assert files(host) == ["a/one", "a/two", "b/three"]
    assert restored["before"] == ""
    assert [one["id"] for one in host.backups()] == [backup]


CALLS = ["backup 1", "backup 2", "daemon-reload 1", "stop 1", "stop 2", "start 1", "restore 1", "ls 2"]
CALLS += ["daemon-reload 2", "reset-failed 1", "start 3"]


@pytest.mark.parametrize("call", CALLS)
def test_a_restore_that_was_killed_goes_on(host: Host, backup: str, call: str) -> None:
    host.killed(call, "restore", "--backup", backup)
    has_begun = not call.startswith("backup")
    assert host.done("plan-restore")["plan"]["interrupted"] == (backup if has_begun else "")
    host.done("restore", "--backup", backup)
    assert is_whole(host)
    assert (host.state_of("web"), host.state_of("sidekiq")) == ("active", "inactive")
    assert fences(host) == []


def test_while_a_restore_is_cut_off_nothing_starts_and_nothing_is_backed_up(host: Host, backup: str) -> None:
    host.killed("restore 1", "restore", "--backup", backup)
    assert host.state_of("web") == "inactive"
    assert {path.parent.name for path in host.places.units.rglob(DROP_IN)} == {f"{unit}.d" for unit in STOP}
    assert f"a restore of the backup {backup} was cut off" in host.trouble("backup")["message"]
    assert host.result()["last"]["failed"] is True


def test_another_restore_is_refused_until_the_first_is_ended_or_given_up(host: Host, backup: str) -> None:
    host.settings(stop=STOP, keep={"daily": 0, "weekly": 0, "monthly": 9})
    host.killed("restore 1", "restore", "--backup", backup)
    before = host.backups()[0]["id"]
    other = "20200101T000000Z-00000000"
    assert f"there is no backup named {other}" in host.trouble("restore", "--backup", other)["message"]
    host.done("restore", "--backup", before)
    assert "new" in files(host)
    assert host.state_of("web") == "active"


def test_a_unit_that_starts_in_spite_of_the_fence_stops_the_restore(host: Host, backup: str) -> None:
    """Nothing was replaced yet, so all runs again."""
    (host.programs / "folder").write_text(str(host.root / "elsewhere"))
    damaged = files(host)
    trouble = host.trouble("restore", "--backup", backup)
    assert trouble["message"] == "sidekiq.service starts although it must not now"
    assert files(host) == damaged
    assert host.state_of("web") == "active"
    assert fences(host) == []
    host.done("plan-restore")


def test_a_part_that_fails_leaves_the_fence_up_and_says_so(host: Host, backup: str) -> None:
    snapshot = host.backups()[0]["parts"][0]["snapshots"]["data"]
    shutil.rmtree(host.repository / "files" / snapshot)
    (host.repository / "files" / snapshot).mkdir()
    trouble = host.trouble("restore", "--backup", backup)
    assert trouble["part"] == "volume:app"
    assert "the units stay down until the restore has ended" in trouble["hint"]
    assert host.state_of("web") == "inactive"
    assert fences(host)


def test_what_follows_a_restore_is_repeated_when_it_fails(host: Host, backup: str) -> None:
    host.settings(stop=STOP, after=[{"name": "feeds", "run": ["ls", str(host.root / "nothing")], "deadline": 9}])
    assert "`feeds`, which follows a restore, failed" in host.trouble("restore", "--backup", backup)["message"]
    assert host.state_of("web") == "active"
    host.settings(stop=STOP, after=[{"name": "feeds", "run": ["true"], "deadline": 9}])
    _, events = host.run("restore", "--backup", backup)
    assert [event["name"] for event in events if event.get("phase") == "start"] == ["start", "feeds"]


def test_a_volume_that_has_no_room_is_not_touched(host: Host, backup: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged, disk = files(host), os.statvfs(host.volume)
    full = os.statvfs_result([1, 1, *disk[2:4], 4096, *disk[5:]])
    monkeypatch.setattr("os.statvfs", lambda path: full)
    trouble = host.trouble("restore", "--backup", backup)
    assert "a restore needs 7 bytes more where" in trouble["message"]
    assert files(host) == damaged


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("yesterday", "'yesterday' is no time"),
        ("2020-01-01", "there is no backup of before 2020-01-01: the oldest ended"),
        ("20200101T000000Z-00000000", "there is no backup named 20200101T000000Z-00000000"),
    ],
)
def test_a_time_without_a_backup_is_said(host: Host, backup: str, at: str, words: str) -> None:
    assert words in host.trouble("plan-restore", "--at", at)["message"]


def test_a_date_means_its_end(host: Host, backup: str) -> None:
    day = host.backups()[0]["ended"][:10]
    assert host.done("plan-restore", "--at", day)["plan"]["backup"]["id"] == backup


def test_a_backup_of_the_future_is_said_and_taken_by_its_name_only(
    host: Host, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for snapshot in (host.repository / "snapshots").iterdir():
        snapshot.unlink()
    monkeypatch.setattr("fedikit.data.onhost.backup.now", lambda: "2999-01-01T00:00:00Z")
    future = host.done("backup")["result"]["newest"]["id"]
    trouble = host.trouble("plan-restore")
    assert trouble["message"].startswith("all backups are of the future, the oldest of 2999-01-01T00:00:00Z: it is 20")
    assert "put the clock right" in trouble["hint"]
    plan = host.done("plan-restore", "--at", future)["plan"]
    assert plan["notes"] == [f"the backup {future} is of the future: a clock is wrong; it is taken only by its name"]


# Which backups count


def test_a_way_back_is_neither_the_newest_nor_in_the_place_of_another(host: Host, backup: str) -> None:
    (host.volume / "file").write_text("spoilt")
    host.done("restore", "--backup", backup)
    saved = host.done("backup", "--reason", "upgrade")["result"]["newest"]["id"]
    assert host.done("plan-restore")["plan"]["backup"]["id"] == backup
    newer = host.done("backup")["result"]["newest"]["id"]
    kept = {one["id"]: one["reason"] for one in host.backups()}
    assert kept[newer] == "schedule"
    assert kept[saved] == "upgrade"
    assert sorted(kept.values()) == ["restore", "schedule", "schedule", "upgrade"]


def test_a_host_that_was_set_up_anew_makes_no_backup_beside_those_of_what_was_lost(host: Host, backup: str) -> None:
    shutil.rmtree(host.places.state)
    (host.volume / "file").write_text("a new beginning")
    trouble = host.trouble("backup")
    assert trouble["message"].startswith("the repository has backups of another app than this host's, the newest of 20")
    assert "fedikit restore" in trouble["hint"]
    assert [one["id"] for one in host.backups()] == [backup]

    host.done("restore", "--backup", backup)

    assert host.done("backup")["result"]["last"]["failed"] is False


def test_what_is_there_may_be_said_to_be_what_counts(host: Host, backup: str) -> None:
    shutil.rmtree(host.places.state)
    assert host.done("backup", "--anew")["result"]["last"]["failed"] is False
    assert host.done("backup")["result"]["last"]["failed"] is False


def test_units_may_be_left_to_somebody_else_to_start(host: Host, backup: str) -> None:
    host.done("restore", "--backup", backup, "--leave-down")
    assert is_whole(host)
    assert host.state_of("web") == "inactive"
    assert not (host.places.state / "fence").exists()
    assert not (host.places.state / "journal.json").exists()


def test_who_starts_the_units_runs_what_follows_then(host: Host, backup: str) -> None:
    host.done("restore", "--backup", backup, "--leave-down")
    assert not (host.root / "after").exists()
    assert host.done("follow")["followed"] == ["feeds"]
    assert (host.root / "after").exists()
    assert host.done("follow")["followed"] == [], "once"


def test_what_cannot_be_saved_is_not_replaced_unless_it_is_given_up(host: Host, backup: str) -> None:
    (host.programs / "unread").write_text(f"{host.volume}/new\n")
    trouble = host.trouble("restore", "--backup", backup)
    assert f"{host.volume}/new could not be read" in trouble["message"]
    assert "--without-saving" in trouble["hint"]
    assert "new" in files(host)
    assert host.state_of("web") == "active"
    restored = host.done("restore", "--backup", backup, "--without-saving")["restored"]
    assert restored["before"] == ""
    assert is_whole(host)


@pytest.mark.parametrize("call", ["", "restore 1", "daemon-reload 2", "start 3"])
def test_a_restore_that_left_something_out_says_what_differs(host: Host, backup: str, call: str) -> None:
    """Also one that was killed once all was put back: what runs since then is nothing to compare with."""
    snapshot = host.backups()[0]["parts"][0]["snapshots"]["data"]
    (host.repository / "files" / snapshot / str(host.volume).lstrip("/") / "b/three").unlink()
    if call:
        host.killed(call, "restore", "--backup", backup)
    differences = host.done("restore", "--backup", backup)["restored"]["differences"]
    assert differences == [
        f"{host.volume} has 2 files, the backup 3",
        f"{host.volume} holds 10 bytes, the backup 17",
    ]


def test_a_plan_says_what_is_not_the_software_that_it_was(host: Host, backup: str) -> None:
    host.settings(stop=STOP, images={"app": "example.org/app:2", "new": "example.org/new:1"})
    notes = host.done("plan-restore")["plan"]["notes"]
    what = "deploy that version before, and upgrade afterwards"
    assert notes == [f"app was example.org/app:1, and is example.org/app:2: {what}"]


def test_a_plan_says_which_parts_only_one_of_both_has(host: Host, backup: str) -> None:
    other = {"id": "volume:other", "kind": "volume", "path": str(host.root / "srv"), "leave_out": []}
    host.settings(parts=[other])
    plan = host.done("plan-restore")["plan"]
    assert plan["notes"] == [
        "volume:app is in the backup, and no part of app any more",
        "volume:other is not in the backup, and stays as it is",
    ]
    assert plan["parts"][0]["becomes"] is None


def test_a_unit_that_does_not_start_keeps_no_other_from_it(host: Host, backup: str) -> None:
    host.units(web="active", sidekiq="active")
    host.settings(stop=["web.service", "sidekiq.service"])
    (host.programs / "broken").write_text("sidekiq.service")
    trouble = host.trouble("restore", "--backup", backup)
    assert trouble["message"] == "`systemctl start sidekiq.service` failed"
    assert host.state_of("web") == "active"
    (host.programs / "broken").unlink()
    host.done("restore", "--backup", backup)
    assert host.state_of("sidekiq") == "active"


def test_a_unit_that_is_no_longer_the_applications_loses_its_fence_too(host: Host, backup: str) -> None:
    host.killed("restore 1", "restore", "--backup", backup)
    host.settings(stop=["web.service"])
    host.done("restore", "--backup", backup)
    assert fences(host) == []


def test_what_cannot_be_measured_is_planned_and_said_and_given_up_on_demand(
    host: Host, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a disk that is broken."""

    def broken(self: VolumePart) -> Record:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(host.volume))

    monkeypatch.setattr(VolumePart, "measure", broken)
    plan = host.done("plan-restore")["plan"]
    (part,) = plan["parts"]
    assert (part["was"], part["absent"], part["becomes"]["counts"]) == (None, False, {"files": 3})
    note = f"what is there now of volume:app cannot be measured: {host.volume}: Input/output error"
    assert plan["notes"] == [note]
    monkeypatch.setattr(VolumePart, "back_up", lambda *_: broken(_[0]))
    trouble = host.trouble("restore", "--backup", backup)
    assert "to give up what is there: fedikit restore --without-saving" in trouble["hint"]
    monkeypatch.setattr(VolumePart, "differences", lambda *_: [])
    host.done("restore", "--backup", backup, "--without-saving")
    assert is_whole(host)


@pytest.mark.parametrize("path", ["b/three", "b"])
@pytest.mark.parametrize("letter", ["i", "a"])
def test_what_not_even_root_can_change_is_said_before_anything_stops(
    host: Host, backup: str, path: str, letter: str
) -> None:
    place = host.volume / path
    if subprocess.run(["chattr", f"+{letter}", place], check=False, capture_output=True).returncode:
        pytest.skip("this disk has no such flags, or we are not root")
    try:
        trouble = host.trouble("restore", "--backup", backup)
        assert repr(str(place)) in trouble["message"]
        assert "chattr -i -a" in trouble["hint"]
        assert host.calls == []
    finally:
        subprocess.run(["chattr", f"-{letter}", place], check=True)
    host.done("restore", "--backup", backup)


def test_a_disk_that_is_full_before_the_units_are_stopped_changes_nothing(
    host: Host, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("fedikit.data.onhost.fence.write_whole", full)
    damaged = files(host)
    trouble = host.trouble("restore", "--backup", backup)
    assert trouble["message"].endswith("fence: No space left on device")
    assert "there is no room left" in trouble["hint"]
    assert (files(host), host.state_of("web")) == (damaged, "active")
    assert not (host.places.state / "journal.json").exists()
    monkeypatch.undo()


def test_a_disk_that_is_full_between_two_parts_leaves_the_units_down_and_says_so(
    host: Host, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = write_journal

    def full(state: Path, journal: Journal) -> None:
        if journal.done:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(state / "journal.json"))
        write(state, journal)

    monkeypatch.setattr("fedikit.data.onhost.restoring.write_journal", full)
    assert "the units stay down until the restore has ended" in host.trouble("restore", "--backup", backup)["hint"]
    assert host.state_of("web") == "inactive"
    monkeypatch.setattr("fedikit.data.onhost.restoring.write_journal", write)
    host.done("restore", "--backup", backup)
    assert is_whole(host)
    assert host.state_of("web") == "active"
