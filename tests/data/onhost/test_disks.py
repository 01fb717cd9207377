"""Full disks are found and named: what failed for want of room seldom says where."""

import os
from pathlib import Path

import pytest

from fedikit.data.onhost.disks import full_disks

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
