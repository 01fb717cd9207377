"""The program on a real machine: restic itself, systemd's units, a server over SSH."""

import random

import pytest

from tests.data.conftest import PROGRAM, Place

pytestmark = pytest.mark.lab

VOLUME = "/srv/app"
UNIT = "keeper.service"
STATE = "/var/lib/fedikit-data/app"
SERVICE = "[Service]\nExecStart=/bin/sleep infinity\n"
PART = {"id": f"volume:{VOLUME}", "kind": "volume", "path": VOLUME, "leave_out": ["cache"]}
FILL = """\
import os
os.makedirs("a/b"), os.makedirs("cache/x"), os.makedirs("we[i]rd *")
for number in range(300):
    with open(f"a/{number}", "wb") as file:
        file.write(os.urandom(20000))
for name in ("a/f", "we[i]rd */n", "cache/x/y"):
    with open(name, "w") as file:
        file.write(name)
os.link("a/f", "a/hard"), os.symlink("f", "a/soft"), os.symlink("/nowhere", "dangling"), os.mkfifo("pipe")
os.setxattr("a/f", "user.key", b"value")
with open("sparse", "wb") as file:
    file.truncate(1 << 28)
os.chown("a/b", 1234, 4321), os.chmod("a/b", 0o2750), os.chmod("a/f", 0o4711)
os.chown(".", 33, 33), os.chmod(".", 0o3775)
"""
LOOK = """\
import hashlib, os
for folder, folders, files in os.walk("."):
    folders[:] = sorted(name for name in folders if folder != "./cache")
    for path in sorted(os.path.join(folder, name) for name in [".", *files] if folder != "./cache"):
        found = os.lstat(path)
        content = os.readlink(path) if os.path.islink(path) else ""
        if os.path.isfile(path) and not content:
            content = hashlib.sha256(open(path, "rb").read()).hexdigest()
        moment = "" if path == "./." else found.st_mtime_ns
        traits = [] if content == "" or os.path.islink(path) else os.listxattr(path)
        traits += ["sparse"] if path == "./sparse" and 512 * found.st_blocks < found.st_size else []
        links = found.st_nlink if os.path.isfile(path) else 0
        print(path, oct(found.st_mode), found.st_uid, found.st_gid, links, moment, content, traits)
"""


def python(place: Place, script: str, folder: str) -> str:
    place.write("/root/script.py", script)
    return place.machine.succeed(f"cd {folder} && python3 /root/script.py")


def test_a_volume_comes_back_as_it_was_however_often_the_restore_is_killed(place: Place) -> None:
    machine = place.machine
    machine.succeed(f"mkdir -p {VOLUME}")
    python(place, FILL, VOLUME)
    place.write(f"/etc/systemd/system/{UNIT}", SERVICE)
    machine.succeed(f"systemctl daemon-reload; systemctl start {UNIT}")
    place.set_up("app", [PART], stop=[UNIT])
    whole = python(place, LOOK, VOLUME)
    backup = place.done("backup", "app")["result"]["newest"]["id"]
    machine.succeed(f"cd {VOLUME}; rm -rf a/1* we*; echo new >new; echo changed >a/20; chmod 0700 .; chown 0:0 .")
    restore = f"restore app --backup {backup}"
    for _ in range(2):
        place.run_and_kill(restore, after=random.uniform(3, 7))
        if machine.run(f"test -e {STATE}/fence && ! systemctl is-active {UNIT}").exit_status == 0:
            machine.fails(f"systemctl start {UNIT}")
    restored = place.done(*restore.split())["restored"]
    assert restored["differences"] == []
    assert python(place, LOOK, VOLUME) == whole
    machine.succeed(f"systemctl is-active {UNIT}; test ! -e /etc/systemd/system/{UNIT}.d")
    assert machine.succeed(f"cat {VOLUME}/cache/x/y") == "cache/x/y"
    place.done("backup", "app")
    backups = place.done("list", "app")["backups"]
    there = set(machine.succeed("ls /srv/backups/app/snapshots").split())
    assert len(there) == 2 * len(backups)
    assert there >= {part["snapshots"]["data"] for backup in backups for part in backup["parts"]}
    assert machine.succeed("ls /srv/backups/app/locks") == ""


def test_a_restore_that_a_power_cut_ended_lets_nothing_start_when_the_machine_is_back(place: Place) -> None:
    machine, unit, slow = place.machine, "cut.service", "/usr/local/sbin/restic"
    machine.succeed("mkdir -p /srv/cut; echo precious >/srv/cut/file")
    place.write(f"/etc/systemd/system/{unit}", f"{SERVICE}[Install]\nWantedBy=multi-user.target\n")
    machine.succeed(f"systemctl enable --now {unit}")
    place.set_up("cut", [{"id": "volume:cut", "kind": "volume", "path": "/srv/cut", "leave_out": []}], stop=[unit])
    backup = place.done("backup", "cut")["result"]["newest"]["id"]
    place.write(slow, '#!/bin/sh\n[ "$1" != restore ] || sleep 60\nexec /usr/bin/restic "$@"\n')
    restore = f"restore cut --backup {backup} --without-saving"
    machine.succeed(f"chmod +x {slow}; rm /srv/cut/file; systemd-run --collect python3 -I {PROGRAM} {restore}")
    machine.wait_until_succeeds(f"test -e /var/lib/fedikit-data/cut/fence && ! systemctl is-active {unit}")

    machine.crash()
    machine.start()

    machine.fails(f"systemctl is-active {unit}")
    machine.fails(f"systemctl start {unit}")
    assert f"a restore of the backup {backup} was cut off" in place.trouble("backup", "cut")["message"]
    machine.succeed(f"rm {slow}")
    assert place.done(*restore.split())["restored"]["differences"] == []
    assert machine.succeed(f"systemctl is-active {unit}; cat /srv/cut/file") == "active\nprecious\n"
    machine.succeed(f"systemctl disable --now {unit}; rm /etc/systemd/system/{unit}")


def test_a_repository_over_ssh_is_known_by_its_key_and_a_flipped_byte_in_it_is_found(place: Place) -> None:
    machine = place.machine
    machine.succeed("mkdir -p /srv/remote /srv/small; head -c 3000000 /dev/urandom >/srv/small/file")
    part = {"id": "volume:small", "kind": "volume", "path": "/srv/small", "leave_out": []}
    url = f"sftp:root@{machine.address}:/srv/remote/small"
    settings = {"url": url, "access_key": "", "user": "", "upload_kib": 90000, "download_kib": 0}
    place.set_up("small", [part], repository=settings)
    place.secret("small", "ssh-key", machine.key_file.read_text())
    kind, key = machine.host_key.split()[:2]
    place.secret("small", "known_hosts", f"{machine.address} {kind} {key[:-6]}AAAAAA\n")
    assert "known_host" in place.trouble("backup", "small")["hint"]
    machine.succeed("test ! -e /srv/remote/small")
    place.secret("small", "known_hosts", f"{machine.address} {kind} {key}\n")
    newest = place.done("backup", "small")["result"]["newest"]
    assert (newest["parts"][0]["bytes"], newest["parts"][0]["counts"]) == (3000000, {"files": 1})
    pack = machine.succeed("find /srv/remote/small/data -type f -size +1000k | head -1").strip()
    machine.succeed(f"chmod u+w {pack}; printf x | dd of={pack} bs=1 seek=5000 conv=notrunc status=none")
    assert "`restic check` failed" in place.trouble("check", "small")["message"]
    place.secret("small", "repository-password", "another")
    assert "does not open with this application's password" in place.trouble("backup", "small")["message"]
