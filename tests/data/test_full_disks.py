"""Disks that are full, for real: where a repository is, a volume, the program's state, and what lies in memory."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.data.conftest import Place

pytestmark = pytest.mark.lab

APPLICATION, UNIT = "tight", "tight.service"
STATE = f"/var/lib/fedikit-data/{APPLICATION}"
REPOSITORY, VOLUME = f"/srv/backups/{APPLICATION}", "/srv/tight"
PART = {"id": "volume:tight", "kind": "volume", "path": VOLUME, "leave_out": []}
LOOK = f"cd {VOLUME} && find . -type f | sort | xargs sha256sum"


@dataclass(frozen=True)
class Tight:
    """An application whose volume, repository and state are small disks of their own, and its first backup."""

    place: Place
    first: str

    def hint_of(self, *words: str) -> str:
        """What to do, says the program, which must fail."""
        trouble: dict[str, Any] = self.place.trouble(words[0], APPLICATION, *words[1:])
        assert "Traceback" not in trouble["tail"]
        return str(trouble["hint"])

    def newest(self) -> str:
        return str(self.place.done("backup", APPLICATION)["result"]["newest"]["id"])

    def is_up(self) -> bool:
        return self.place.machine.run(f"systemctl is-active {UNIT} && test ! -e {STATE}/journal.json").exit_status == 0


@pytest.fixture(scope="module")
def tight(place: Place) -> Iterator[Tight]:
    machine = place.machine
    place.write(f"/etc/systemd/system/{UNIT}", "[Service]\nExecStart=/bin/sleep infinity\n")
    for folder, size in {VOLUME: 150, REPOSITORY: 64, STATE: 8}.items():
        machine.succeed(f"mkdir -p {folder}; mount -t tmpfs -o mode=700,size={size}m,nr_inodes=900 tight {folder}")
    place.set_up(APPLICATION, [PART], stop=[UNIT])
    machine.succeed(f"cd {VOLUME}; for n in $(seq 100); do head -c 90000 /dev/urandom >$n; done")
    machine.succeed(f"systemctl daemon-reload; systemctl start {UNIT}")
    yield Tight(place, place.done("backup", APPLICATION)["result"]["newest"]["id"])
    machine.succeed(f"umount {VOLUME} {REPOSITORY} {STATE}; systemctl stop {UNIT}; rm -rf {STATE} {REPOSITORY}")


@contextmanager
def full(place: Place, folder: str) -> Iterator[None]:
    """Not a byte more goes there."""
    place.machine.run(f"cat /dev/zero >{folder}/.filling")
    yield
    place.machine.succeed(f"rm {folder}/.filling")


def test_a_program_without_room_for_what_it_notes_changes_nothing(tight: Tight) -> None:
    tight.place.machine.succeed(f"cd {VOLUME}; echo more >more")
    whole = tight.place.machine.succeed(LOOK)
    with full(tight.place, STATE):
        assert f"no room left at {STATE}" in tight.hint_of("backup")
        assert f"no room left at {STATE}" in tight.hint_of("restore", "--backup", tight.first)
        assert tight.place.machine.succeed(LOOK) == whole
        assert tight.is_up()


def test_a_restic_without_room_for_what_it_packs_makes_no_backup(tight: Tight) -> None:
    machine = tight.place.machine
    machine.succeed("mount -t tmpfs -o size=64k tight /tmp")
    with full(tight.place, "/tmp"):
        assert "no room left at /tmp" in tight.hint_of("backup")
    machine.succeed("umount /tmp")


def test_a_full_repository_takes_no_backup_and_keeps_those_that_it_has(tight: Tight) -> None:
    machine = tight.place.machine
    machine.succeed(f"head -c 70000000 /dev/urandom >{VOLUME}/large")
    assert f"no room left at {REPOSITORY}: free some, and run it again" in tight.hint_of("backup")
    result = json.loads(machine.succeed(f"cat {STATE}/result.json"))
    assert (result["newest"]["id"], result["last"]["failed"]) == (tight.first, True)

    machine.succeed(f"mount -o remount,size=200m {REPOSITORY}")

    second = tight.newest()
    assert [one["id"] for one in tight.place.done("list", APPLICATION)["backups"]] == [second, tight.first]


def test_a_volume_that_fills_up_in_a_restore_is_whole_after_the_next(tight: Tight) -> None:
    """From a repository in which nothing can be written any more, either."""
    machine = tight.place.machine
    machine.succeed(f"cd {VOLUME}; rm [1-9]*; mount -o remount,nr_inodes=50 {VOLUME}")
    restore = ("restore", "--backup", tight.first, "--without-saving")
    with full(tight.place, REPOSITORY):
        hint = tight.hint_of(*restore)
        assert f"{VOLUME}" in hint.partition("no room left at ")[2]
        assert "the units stay down until the restore has ended" in hint
        machine.fails(f"systemctl start {UNIT}")
        machine.succeed(f"mount -o remount,nr_inodes=900 {VOLUME}")
        assert tight.place.done("restore", APPLICATION, *restore[1:])["restored"]["differences"] == []
    assert machine.succeed(f"ls {VOLUME} | wc -l").strip() == "100"
    assert tight.is_up()
