"""Whatever lies where a file should: it is looked at without harm, and changed without following what others made."""

import ast
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fedikit.agent
from fedikit.agent import edits, files
from fedikit.agent.eyes import Eyes
from fedikit.agent.hands import Hands
from fedikit.agent.trouble import Trouble
from fedikit.agent.walk import Barred
from tests.agent.conftest import Host, Item, read_answer
from tests.agent.hostile import give_away

AGENT = Path(fedikit.agent.__file__).parent


@pytest.fixture
def eyes(host: Host) -> Eyes:
    return Eyes(str(host.root), b"key")


@pytest.fixture
def hands(host: Host) -> Hands:
    return Hands(str(host.root), b"key")


# Links on the way


@pytest.mark.parametrize("target", ["../usr/other", "/usr/other", "{root}/usr/other", "../usr/../usr/./other/"])
def test_a_link_of_roots_is_followed(host: Host, eyes: Eyes, target: str) -> None:
    (host.root / "usr/other").mkdir()
    (host.root / "usr/other/a").write_text("a\n")
    (host.root / "srv/link").symlink_to(target.format(root=host.root))
    assert eyes.read("/srv/link/a") == b"a\n"
    assert eyes.names("/srv/link") == ["a"]


def test_a_link_in_a_directory_of_others_is_not_followed_and_named(host: Host, eyes: Eyes, hands: Hands) -> None:
    (host.root / "srv/app").mkdir()
    (host.root / "srv/app/link").symlink_to(host.root / "etc")
    give_away(host.root / "srv/app")
    words = "/srv/app/link is a symbolic link that not only root could have made"
    assert eyes.file_state("/srv/app/link/passwd") == {"type": "barred", "why": words}
    with pytest.raises(Barred, match=words):
        hands.write("/srv/app/link/passwd", b"x", owner="root", group="root", mode="0644")
    with pytest.raises(Barred, match=words):
        hands.own("/srv/app/link", "root", "root", "0777")
    change = host.plan(host.file("/srv/app/link/passwd", "x"))["changes"][0]
    assert (change["action"], change["reasons"]) == ("blocked", [words])


def test_a_link_of_roots_below_a_directory_that_others_can_put_there_is_not_followed(host: Host, eyes: Eyes) -> None:
    (host.root / "srv/app/roots").mkdir(parents=True)
    (host.root / "srv/app/roots/link").symlink_to("/etc")
    give_away(host.root / "srv/app")
    assert eyes.file_state("/srv/app/roots/link/passwd")["type"] == "barred"


def test_a_name_below_a_sticky_directory_stays_roots(host: Host, eyes: Eyes) -> None:
    (host.root / "srv/tmp/roots").mkdir(parents=True)
    (host.root / "srv/tmp/roots/link").symlink_to("/etc")
    (host.root / "srv/tmp/link").symlink_to("/etc")
    (host.root / "srv/tmp").chmod(0o1777)
    assert eyes.file_state("/srv/tmp/roots/link/passwd")["type"] == "file"
    assert eyes.file_state("/srv/tmp/link/passwd")["type"] == "barred"


def test_links_in_a_circle_end(host: Host, eyes: Eyes) -> None:
    (host.root / "srv/a").symlink_to("b")
    (host.root / "srv/b").symlink_to("a")
    assert "Too many levels of symbolic links" in eyes.file_state("/srv/a/x")["why"]
    with pytest.raises(OSError, match="/srv/a"):
        eyes.read("/srv/a")


def test_a_way_up_ends_at_the_root(host: Host, eyes: Eyes) -> None:
    (host.root / "srv/up").symlink_to("../../../../../../../etc")
    assert eyes.read("/srv/up/passwd").startswith(b"root:")


def test_a_file_replaces_a_link_and_not_what_it_leads_to(host: Host, hands: Hands) -> None:
    (host.root / "etc/target").write_text("stays\n")
    (host.root / "etc/a").symlink_to("target")
    hands.write("/etc/a", b"new\n", owner="root", group="root", mode="0600")
    assert host.text("/etc/target") == "stays\n"
    assert host.text("/etc/a") == "new\n"
    assert not (host.root / "etc/a").is_symlink()


# What is no file


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


@pytest.mark.parametrize(
    ("make", "words"), [(_fifo, "a named pipe"), (_socket, "a socket"), (Path.mkdir, "a directory")]
)
def test_what_is_no_file_is_not_opened_and_named(host: Host, make: Callable[[Path], None], words: str) -> None:
    make(host.root / "etc/a")
    change = host.plan(host.file("/etc/a", "x"))["changes"][0]
    assert (change["action"], change["reasons"]) == ("blocked", [f"{words} is in its place"])
    with pytest.raises(Barred, match=f"/etc/a is {words}"):
        Eyes(str(host.root)).read("/etc/a")


def test_a_directory_in_the_place_of_a_file_that_leaves_stays_and_is_told_of(host: Host) -> None:
    host.apply(host.file("/etc/a", "ours\n"))
    (host.root / "etc/a").unlink()
    (host.root / "etc/a").mkdir()
    events = host.remove(purge=True)
    assert events[-1]["event"] == "done"
    assert "a directory is in its place, and stays" in [event.get("kept") for event in events]
    assert (host.root / "etc/a").is_dir()


# Bytes


def test_bytes_that_are_no_text_are_shown_kept_and_put_back(host: Host) -> None:
    former = b"caf\xe9 \xff\n"
    (host.root / "etc/a").write_bytes(former)
    item = host.file("/etc/a", "ours\n")
    change = host.plan(item)["changes"][0]
    assert change["before"] == "caf\\xe9 \\xff\n"
    assert host.apply(item)[-1]["event"] == "done"
    host.remove()
    assert (host.root / "etc/a").read_bytes() == former


def test_names_that_are_no_text_do_not_stop_the_work(host: Host) -> None:
    os.symlink(b"no\xfftext", bytes(host.root / "etc/a"))
    item = host.symlink("/etc/a", "text")
    assert host.plan(item)["changes"][0]["reasons"] == ["target no?text → text"]
    assert host.apply(item)[-1]["event"] == "done"
    host.remove()
    assert os.readlink(bytes(host.root / "etc/a")) == b"no\xfftext"


def test_accounts_that_are_no_text_or_no_accounts_do_not_stop_the_work(host: Host, eyes: Eyes) -> None:
    with open(host.root / "etc/passwd", "ab") as file:
        file.write(b"# comment: of:somebody:else:1:2:3\n+::::::\n\nmuller:x:1000:1000:M\xfcller:/home/muller:/bin/sh\n")
    assert [*eyes.accounts("passwd")] == ["root", "muller"]
    assert host.apply(host.file("/etc/a", "x"))[-1]["event"] == "done"


def test_names_of_one_number_are_one_owner(host: Host) -> None:
    passwd = host.root / "etc/passwd"
    passwd.write_text(f"toor:x:{os.getuid()}:{os.getgid()}::/root:/bin/sh\n{passwd.read_text()}")
    item = host.file("/etc/a", "x")
    host.apply(item)
    assert host.plan(item)["changes"] == []


# Size

GIGABYTE_AND_A_HALF, HALF_A_GIGABYTE = 1_500_000_000, 500_000_000
MEMORY = 60_000_000


def sparse(path: Path, size: int) -> None:
    with open(path, "wb") as file:
        file.truncate(size)


def change_in_little_memory(host: Host, *items: Item) -> str:
    """Plans and applies with no more memory than that; returns why the item is changed."""
    process = host.start(items=list(items))
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
    answer = read_answer(process)
    assert rss_of(process.pid) < MEMORY
    host.order(process, answer)
    output, errors = process.communicate(timeout=60)
    assert b'"event":"done"' in output, errors.decode()
    return str(answer["changes"][0])


def rss_of(pid: int) -> int:
    """What a process took at most so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1000 for line in lines if line.startswith("VmHWM:"))


def test_a_large_file_takes_no_memory_in_any_part_of_its_life(host: Host) -> None:
    place, item = host.root / "srv/a", host.file("/srv/a", "ours\n")
    sparse(place, GIGABYTE_AND_A_HALF)
    why = change_in_little_memory(host, item)  # it is brought to the store
    assert "content (too large to show, or no text)" in why
    place.unlink()
    sparse(place, HALF_A_GIGABYTE)
    assert "drift" in change_in_little_memory(host, item)  # the edition is saved
    assert "restore" in change_in_little_memory(host)  # it is put back
    assert place.stat().st_size == GIGABYTE_AND_A_HALF
    assert sum(path.stat().st_blocks for path in host.root.rglob("*")) * 512 < 10_000_000


def test_a_large_file_is_looked_into_once_as_long_as_it_stays_as_it_is(
    host: Host, eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse(host.root / "srv/a", 2_000_000)
    states = [eyes.file_state("/srv/a"), eyes.file_state("/srv/a", sealed=True)]
    monkeypatch.setattr(files.File, "pieces", None)
    assert [eyes.file_state("/srv/a"), eyes.file_state("/srv/a", sealed=True)] == states
    time.sleep(0.02)  # longer than a tick of the file system's clock
    with open(host.root / "srv/a", "r+b") as file:
        file.write(b"x")
    with pytest.raises(TypeError):
        eyes.file_state("/srv/a")


def test_a_file_beyond_all_measure_is_not_looked_into(host: Host) -> None:
    sparse(host.root / "srv/a", 10**12)
    start = time.monotonic()
    change = host.plan(host.file("/srv/a", "x"))["changes"][0]
    assert change["reasons"] == ["/srv/a is too large to be looked into: 1000.0 GB"]
    assert time.monotonic() - start < 5


def test_a_file_that_grows_all_the_time_has_an_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.root / "srv/a").write_bytes(b"x" * 5000)
    read = os.read

    def read_what_grows(descriptor: int, size: int) -> bytes:
        with open(host.root / "srv/a", "ab") as growing:
            growing.write(b"x" * size)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", read_what_grows)
    with files.Files(str(host.root)).place("/srv/a") as (folder, name), folder.file(name) as file:
        assert sum(len(piece) for piece in file.pieces()) == files.SIZELESS


def test_files_of_the_kernel_have_no_size_and_are_read(eyes: Eyes) -> None:
    assert os.stat("/proc/self/status").st_size == 0
    assert b"Name:" in Eyes("/").read("/proc/self/status")


# Deleting


def test_a_deep_tree_is_deleted_with_few_descriptors(host: Host, hands: Hands) -> None:
    depth = sys.getrecursionlimit() + 200
    (host.root / "srv/a").mkdir()
    here = os.open(host.root / "srv/a", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert hands.delete_tree("/srv/a") == ""
    assert not (host.root / "srv/a").exists()


def test_a_wide_tree_is_deleted(host: Host, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "MOST_LEFT", 3)
    for name in range(12):
        for below in range(12):
            (host.root / f"srv/a/{name}/{below}/deep").mkdir(parents=True)
            (host.root / f"srv/a/{name}/{below}/file").write_text("x")
    assert hands.delete_tree("/srv/a") == ""
    assert not (host.root / "srv/a").exists()


def test_what_is_mounted_in_a_directory_keeps_it_whole(
    host: Host, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host.root / "srv/a/disk").mkdir(parents=True)
    (host.root / "srv/a/file").write_text("x")
    monkeypatch.setattr(edits, "_mounts_below", lambda _: ["/srv/a/disk"])
    with pytest.raises(Trouble, match="/srv/a was not deleted: /srv/a/disk in it is a mount of its own"):
        hands.delete_tree("/srv/a")
    assert host.text("/srv/a/file") == "x"


def test_the_kernel_tells_what_is_mounted_below() -> None:
    with files.Files("/").folder("/") as root:
        assert "/proc" in edits._mounts_below(root)
    with files.Files("/").folder("/proc/self") as process:
        assert not [*edits._mounts_below(process)]


# Data on another disk


@pytest.mark.parametrize("target", ["../mnt/disk/data", "/mnt/disk/data"])
def test_data_that_was_moved_to_another_disk_stays_in_use(host: Host, target: str) -> None:
    item = host.directory("/srv/data", data=True)
    host.apply(item)
    move(host, target)
    assert host.plan(item)["changes"] == []
    (host.root / "mnt/disk/data").chmod(0o700)
    assert host.plan(item)["changes"][0]["reasons"] == ["mode 0700 → 0755"]
    assert host.apply(item)[-1]["event"] == "done"
    assert (host.root / "mnt/disk/data").stat().st_mode & 0o777 == 0o755
    assert (host.root / "srv/data").is_symlink()


def move(host: Host, target: str = "/mnt/disk/data") -> None:
    """As administrators do it."""
    (host.root / "mnt/disk").mkdir(parents=True)
    (host.root / "srv/data/picture").write_text("x")
    (host.root / "srv/data").rename(host.root / "mnt/disk/data")
    (host.root / "srv/data").symlink_to(target)


def test_a_removal_keeps_the_link_and_the_data(host: Host) -> None:
    item = host.directory("/srv/data", data=True)
    host.apply(item)
    move(host)
    assert host.remove()[-1]["event"] == "done"
    assert (host.root / "srv/data").is_symlink()
    assert host.text("/mnt/disk/data/picture") == "x"
    assert host.actions(item) == {"directory:/srv/data": "adopt"}


def test_a_purge_says_that_it_deletes_what_the_link_leads_to_and_does_so(host: Host) -> None:
    host.apply(host.directory("/srv/data", data=True))
    move(host)
    (change,) = host.plan(purge=True)["changes"]
    assert (change["action"], change["reasons"]) == ("delete", ["with all in /mnt/disk/data, where it leads"])
    assert host.remove(purge=True)[-1]["event"] == "done"
    assert not (host.root / "srv/data").is_symlink()
    assert os.listdir(host.root / "mnt/disk") == []


def test_a_directory_that_bears_no_data_is_left_where_an_administrator_moved_it(host: Host) -> None:
    host.apply(host.directory("/srv/data"))
    move(host)
    events = host.remove(purge=True)
    assert "is a link to /mnt/disk/data that an administrator made; it stays" in [event.get("kept") for event in events]
    assert host.text("/mnt/disk/data/picture") == "x"


def test_a_disk_that_is_not_there_blocks_and_no_empty_directory_is_made(host: Host) -> None:
    item = host.directory("/srv/data", data=True)
    host.apply(item)
    move(host)
    (host.root / "mnt/disk").rename(host.root / "mnt/gone")
    (change,) = host.plan(item)["changes"]
    words = "a symbolic link to /mnt/disk/data is in its place, where there is no directory"
    assert (change["action"], change["reasons"]) == ("blocked", [words])
    events = host.remove(purge=True)
    assert "is a symbolic link to /mnt/disk/data, where there is no directory; it stays" in [
        event.get("kept") for event in events
    ]
    assert (host.root / "srv/data").is_symlink()


def test_a_link_that_others_could_have_made_blocks_a_purge_before_anything_happens(host: Host) -> None:
    items = [host.directory("/srv/app"), host.directory("/srv/app/data", data=True)]
    host.apply(*items)
    give_away(host.root / "srv/app")
    (host.root / "srv/app/data").rmdir()
    (host.root / "srv/app/data").symlink_to(host.root / "etc")
    assert host.actions(items[1])["directory:/srv/app/data"] == "blocked"
    assert host.actions(purge=True)["directory:/srv/app/data"] == "blocked"
    before = host.tree()
    assert host.remove(purge=True)[-1]["code"] == "blocked"
    assert host.tree() == before


# The one door

OF_THE_HOST = {"walk.py", "files.py", "edits.py", "refusal.py"}


def calls_by_path(file: Path) -> set[str]:
    """The calls in a module that may take a path of the host."""
    tree = ast.parse(file.read_text())
    names = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {name for name in names if name == "open" or name.split(".")[0] in ("os", "shutil", "pathlib", "io")}


HARMLESS = {
    "os.posix_spawn", "os.posix_spawnp", "os.pidfd_open", "os.pipe", "os.kill", "os.killpg", "os.waitpid", "os.close",
    "os.memfd_create", "os.write", "os.dup", "os.dup2", "os.fork", "os.setsid", "os._exit", "os.waitstatus_to_exitcode",
    "os.uname", "os.geteuid", "os.getpid", "os.urandom", "os.strerror", "os.fsencode", "os.fstatvfs", "os.path.join",
    "os.path.dirname", "os.path.basename", "io.BytesIO", "os.read", "os.pread", "os.fstat",
}  # fmt: skip
EXPECTED = {
    "eyes.py": {"open"},  # of a file in memory
    "command.py": {"open"},  # of a file in memory
    "data_program.py": {"open"},  # of a file in memory
    "hands.py": {"open"},  # the same; and a copy in fedikit's own directory
    "converge.py": {"os.listdir", "os.makedirs"},
    "image.py": {"os.link", "open"},
    "packages.py": {"os.link"},
    "dpkg.py": {"os.makedirs", "open"},
    "kernel.py": {
        "os.listdir",
        "os.readlink",
        "open",
    },  # the kernel's own, where nobody makes links: read, not followed
    "control.py": {"open"},  # a package in fedikit's own store
    "others.py": {"os.path.realpath"},  # only to compare where things lie: nothing is opened by it
    "own_unit.py": {"os.path.isdir"},  # whether systemd runs
    "settling.py": {"os.path.exists"},  # the kernel's own, in /sys
    "order.py": {"os.makedirs"},
    "applying.py": {"os.path.isdir", "os.path.isfile"},
}
"""All others of these are given paths in fedikit's own directory, which root alone can enter."""
OWN = {"blobs.py", "ledger.py", "lock.py", "keeping.py", "trial.py", "renaming.py"}
"""Modules that know no other place than a directory of fedikit's own, which root alone can enter."""


@pytest.mark.parametrize("file", sorted(AGENT.rglob("*.py")), ids=lambda file: file.name)
def test_files_of_the_host_are_reached_by_descriptors_only(file: Path) -> None:
    if file.name not in OF_THE_HOST | OWN:
        assert calls_by_path(file) - HARMLESS <= EXPECTED.get(file.name, set())


@pytest.mark.parametrize("name", sorted(OF_THE_HOST))
def test_descriptors_are_what_they_are_reached_by(name: str) -> None:
    """Each call there gets a descriptor, but those that open the root and look at the kernel's own list."""
    tree = ast.parse((AGENT / name).read_text())
    by_name = {"open", "stat", "readlink", "rename", "mkdir", "symlink", "unlink", "rmdir", "chown", "chmod", "link"}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in {f"os.{each}" for each in by_name}:
            text = ast.unparse(call)
            assert "dir_fd" in text or "self._root" in text or "/proc/self/fd" in text, text
