"""Proofs on the host: a restore that writes nothing, what it finds wrong, and evidence that lives with its backup."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.data.onhost.conftest import Host, fill

REHEARSED = ("--without-saving", "--read-only")
PROOF = json.dumps({"ended": "2026-11-27T05:00:00Z", "failed": False, "seal": "ab", "proof": "{}"})


@pytest.fixture
def backup(host: Host) -> str:
    """The name of a backup, after which the volume was lost."""
    name = str(host.done("backup")["result"]["newest"]["id"])
    shutil.rmtree(host.volume)
    return name


def contents(repository: Path) -> dict[str, bytes]:
    return {str(file.relative_to(repository)): file.read_bytes() for file in repository.rglob("*") if file.is_file()}


def snapshot_of(host: Host, tag: str) -> Path:
    folder = host.repository / "snapshots"
    return next(file for file in folder.iterdir() if tag in json.loads(file.read_text())["tags"])


def test_a_restore_that_only_reads_leaves_the_repository_as_it_is_though_others_hold_it(
    host: Host, backup: str
) -> None:
    before = contents(host.repository)
    (host.programs / "trap").write_text("unlock 1")
    restored = host.done("restore", "--backup", backup, *REHEARSED)["restored"]
    assert (restored["differences"], restored["before"]) == ([], "")
    assert sorted(file.name for file in host.volume.rglob("*") if file.is_file()) == ["one", "three", "two"]
    assert contents(host.repository) == before
    assert (host.programs / "trap").exists(), "no lock of others was touched"


def test_a_part_that_was_cut_short_is_found(host: Host, backup: str) -> None:
    shutil.rmtree(host.repository / "files" / snapshot_of(host, "part=volume:app").name / str(host.volume)[1:] / "a")
    restored = host.done("restore", "--backup", backup, *REHEARSED)["restored"]
    assert restored["differences"] == [
        f"{host.volume} has 1 files, the backup 3",
        f"{host.volume} holds 7 bytes, the backup 17",
    ]


def test_what_is_there_already_is_fetched_all_the_same(host: Host) -> None:
    """Else what is damaged in the repository would hide behind what a fresh server has anyway."""
    name = host.done("backup")["result"]["newest"]["id"]
    before = (host.volume / "a/one").stat().st_ino
    kept = os.open(host.volume / "a/one", os.O_RDONLY)  # so that its number is not given away again
    host.done("restore", "--backup", name, *REHEARSED)
    assert (host.volume / "a/one").stat().st_ino != before
    assert (host.volume / "cache/four").exists()
    os.close(kept)


def test_a_part_that_is_gone_is_found(host: Host, backup: str) -> None:
    snapshot_of(host, "part=volume:app").unlink()
    trouble = host.trouble("restore", "--backup", backup, *REHEARSED)
    assert trouble["part"] == "volume:app"


def test_a_proof_is_listed_with_its_backup_and_the_last_one_counts(host: Host, backup: str) -> None:
    assert host.backups()[0]["proof"] is None
    host.done("note-proof", "--backup", backup, "--proof", PROOF)
    assert host.backups()[0]["proof"] == {"ended": "2026-11-27T05:00:00Z", "failed": False}
    later = PROOF.replace("T05", "T06").replace("false", "true")
    host.done("note-proof", "--backup", backup, "--proof", later)
    proof = {"ended": "2026-11-27T06:00:00Z", "failed": True}
    assert host.backups()[0]["proof"] == proof
    fill(host.volume, ["a/one"])
    assert host.done("backup")["result"]["proof"] == proof, "it is told after the next backup, too"


def test_a_proof_lives_as_long_as_its_backup(host: Host, backup: str) -> None:
    host.settings(keep={"daily": 1, "weekly": 0, "monthly": 0})
    host.done("note-proof", "--backup", backup, "--proof", PROOF)
    gone = snapshot_of(host, "proof")
    fill(host.volume, ["a/new"])
    for _ in range(2):
        host.let_pass(days=2)
        newer = host.done("backup")["result"]["newest"]["id"]
    assert not gone.exists(), "the first backup went, and its proof with it"
    host.done("note-proof", "--backup", newer, "--proof", PROOF)
    last = host.done("backup")["result"]["newest"]["id"]
    assert {one["id"]: one["proof"] is not None for one in host.backups()} == {newer: True, last: False}


@pytest.mark.parametrize("words", ["", "[]", "{}", '{"ended": "yesterday", "failed": false}'])
def test_what_is_no_proof_is_refused(host: Host, backup: str, words: str) -> None:
    assert "this is no proof of a backup" in host.trouble("note-proof", "--backup", backup, "--proof", words)["message"]


def test_a_proof_of_no_backup_is_refused(host: Host, backup: str) -> None:
    other = "20200101T000000Z-00000000"
    assert "there is no backup named" in host.trouble("note-proof", "--backup", other, "--proof", PROOF)["message"]
