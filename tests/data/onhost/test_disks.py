"""Full disks are found and named: what failed for want of room seldom says where."""

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedikit.data.onhost.disks import full_disks
from fedikit.data.onhost.room import require_room
from fedikit.data.onhost.trouble import Trouble

MOUNTS = """\
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw 0 0
/dev/sdb1 /srv/back\\040ups ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
cred /run/credentials tmpfs ro 0 0
server:/x /mnt nfs4 rw 0 0
/dev/sdc1 /many xfs rw 0 0
"""
FREE = {"/": 5000, "/srv/back ups": 20, "/tmp": 0, "/run/credentials": 0, "/many": 6000}


def test_the_fullest_are_named_first_and_no_server_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has 100 MB, but `many` no more files; of blocks of a megabyte there are 20 free on one that is full."""

    def statvfs(place: str) -> os.statvfs_result:
        files = 1 if place == "/many" else 90
        flags = os.ST_RDONLY if "credentials" in place else 0
        return os.statvfs_result([1 << 20, 1 << 20, 10_000, FREE[place], FREE[place], 100, files, files, flags, 255])

    monkeypatch.setattr("os.statvfs", statvfs)
    (tmp_path / "mounts").write_text(MOUNTS)
    assert full_disks(tmp_path / "mounts") == ["/tmp", "/srv/back ups", "/many"]


@pytest.mark.parametrize(("host", "is_refused"), [("127.0.0.1", True), ("192.0.2.9", False)])
def test_postgresql_needs_room_for_the_old_data_and_the_new(
    monkeypatch: pytest.MonkeyPatch, host: str, is_refused: bool
) -> None:
    """That of another host's server cannot be known here."""
    monkeypatch.setattr("fedikit.data.onhost.room.free_at", lambda path: 1 << 30)
    parts = [{"id": "postgresql:elk", "kind": "postgresql", "host": host}]
    work: Any = SimpleNamespace(settings=SimpleNamespace(parts=parts))
    manifest: Any = SimpleNamespace(of_part=lambda identity: {"bytes": 1 << 30})
    with pytest.raises(Trouble, match="where /var/lib/postgresql lies") if is_refused else nullcontext():
        require_room(work, manifest)
