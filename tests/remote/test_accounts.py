"""Users and groups as real machines have them: people who are there already, and files that are no model of order."""

import os
from pathlib import Path

import pytest

from fedikit.model.item import Directory, File, User
from tests.remote.conftest import Stage, tree_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
ALICE = User(name="alice", authorized_keys=(KEY,), groups=("sudo",))
STRANGE_LINES = (
    b"\n# people\n+@admins::::::\n-bob\n+::::\nJ\xfcrg\n:x:0:0::/:\nmallory:x:\xc2\xb2:0::/:/bin/sh\nx:x::0:::\n"
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user's files can be made by root only")


def append(path: Path, text: bytes) -> None:
    path.write_bytes(path.read_bytes() + text)


def fields(stage: Stage, name: str) -> list[bytes]:
    rows = [line.split(b":") for line in stage["one"].path("/etc/passwd").read_bytes().splitlines()]
    return next(row for row in rows if row[0] == name.encode())


@pytest.fixture
def alice(stage: Stage) -> Path:
    """Her home; she was there before, with a name, home and shell of her own, and is logged in."""
    append(stage["one"].path("/etc/passwd"), b"alice:x:4711:4711:A. Lid\xe8,,,:/srv/alice:/usr/bin/zsh\n")
    home = stage["one"].path("/srv/alice")
    home.mkdir()
    os.chown(home, 4711, 4711)
    stage["one"].path("/run/logged-in").write_text("alice\n")
    return home


@needs_root
def test_who_was_there_before_keeps_name_home_shell_and_number_though_logged_in(stage: Stage, alice: Path) -> None:
    before, groups = fields(stage, "alice"), stage["one"].path("/etc/group").read_bytes()
    assert stage.apply(one=[ALICE]).succeeded
    assert fields(stage, "alice") == before
    assert (alice / ".ssh/authorized_keys").read_text() == f"{KEY}\n"
    assert b"sudo:x:27:alice\n" in stage["one"].path("/etc/group").read_bytes()
    assert not stage["one"].path("/home/alice").exists()
    assert stage.plan(one=[ALICE]).is_noop

    assert stage.remove().succeeded
    assert fields(stage, "alice") == before
    assert stage["one"].path("/etc/group").read_bytes() == groups
    assert not (alice / ".ssh").exists()


@needs_root
def test_a_user_of_ours_gets_another_shell_while_logged_in(stage: Stage) -> None:
    stage.apply(one=[ALICE])
    stage["one"].path("/run/logged-in").write_text("alice\n")
    other = ALICE.model_copy(update={"shell": "/bin/dash"})
    assert stage.apply(one=[other]).succeeded
    assert fields(stage, "alice")[6] == b"/bin/dash"
    assert stage.plan(one=[other]).is_noop


@needs_root
def test_a_user_of_a_name_service_gets_keys_and_groups_and_stays(stage: Stage) -> None:
    row = "nora:*:70001:70001:Nora:/srv/nora:/bin/bash"
    answers = f'#!/bin/sh\n[ "$2 $3" = "passwd nora" ] || exit 2\necho "{row}"\n'
    stage["one"].program("getent", answers)
    stage["one"].path("/srv/nora").mkdir()
    os.chown(stage["one"].path("/srv/nora"), 70001, 70001)
    items = [User(name="nora", authorized_keys=(KEY,), groups=("sudo",)), File(path="/etc/n", content="", owner="nora")]
    passwd = stage["one"].path("/etc/passwd").read_bytes()
    assert stage.apply(one=items).succeeded
    assert stage["one"].path("/srv/nora/.ssh/authorized_keys").stat().st_uid == 70001
    assert stage["one"].path("/etc/n").stat().st_uid == 70001
    assert stage.plan(one=items).is_noop
    assert stage.remove().succeeded
    assert stage["one"].path("/etc/passwd").read_bytes() == passwd
    assert not stage["one"].path("/srv/nora/.ssh").exists()


@needs_root
@pytest.mark.parametrize("place", ["before", "after"])
def test_lines_that_are_no_accounts_are_passed_over_and_stay(stage: Stage, place: str) -> None:
    before = {}
    for name in ("passwd", "group"):
        path = stage["one"].path(f"/etc/{name}")
        text = path.read_bytes()
        path.write_bytes(STRANGE_LINES + text if place == "before" else text + STRANGE_LINES)
        before[name] = path.read_bytes()
    assert stage.apply(one=[ALICE]).succeeded
    assert stage.plan(one=[ALICE]).is_noop
    assert stage.remove().succeeded
    assert {name: stage["one"].path(f"/etc/{name}").read_bytes() for name in before} == before


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_second_name_for_a_number_is_no_other_owner(stage: Stage, kind: str) -> None:
    item = File(path="/etc/a", content="") if kind == "file" else Directory(path="/etc/a")
    stage.apply(one=[item])
    for name, line in (("passwd", f"toor:x:{os.getuid()}:0::/root:/bin/sh"), ("group", f"wheel:x:{os.getgid()}:")):
        path = stage["one"].path(f"/etc/{name}")
        path.write_text(f"{line}\n{path.read_text()}")
    before = tree_of(stage["one"])
    assert stage.plan(one=[item]).is_noop
    assert stage.apply(one=[item]).succeeded
    assert tree_of(stage["one"]) == before


def test_lines_that_end_early_are_accounts_as_the_c_library_reads_them(stage: Stage) -> None:
    append(stage["one"].path("/etc/group"), b"short:x:4242")
    stage.apply(one=[Directory(path="/srv/d", group="short")] if os.geteuid() == 0 else [])
    if os.geteuid() == 0:
        assert stage["one"].path("/srv/d").stat().st_gid == 4242


def test_bytes_in_an_os_release_that_are_no_text_are_passed_over(stage: Stage) -> None:
    append(stage["one"].path("/etc/os-release"), b'PRETTY_NAME="J\xfcrgs Linux"\n=\nx\n')
    assert stage.apply(one=[File(path="/etc/a", content="")]).succeeded
