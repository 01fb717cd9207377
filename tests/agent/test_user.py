"""Users, as far as no account has to be made: their keys, below directories that they may change."""

import os
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent.blobs import Blobs
from fedikit.agent.hands import Hands
from fedikit.agent.keys import keys_state, text_of
from fedikit.agent.kinds.user import UserKind
from fedikit.agent.trouble import Trouble
from fedikit.agent.work import Work
from tests.agent.conftest import Host, Item, QuietHands
from tests.agent.hostile import STRANGER, give_away

ONE, TWO = "ssh-ed25519 AAAA one", "ssh-ed25519 AAAA two"


@pytest.fixture
def home(host: Host) -> Path:
    """Of alice, who is a user of the host already."""
    with open(host.root / "etc/passwd", "a") as file:
        file.write(f"alice:x:{STRANGER}:{os.getgid()}::/home/alice:/bin/bash\n")
    (host.root / "home/alice/.ssh").mkdir(parents=True)
    give_away(host.root / "home/alice/.ssh")
    return give_away(host.root / "home/alice")


@pytest.fixture
def hands(host: Host) -> Hands:
    return QuietHands(str(host.root), b"key")


def user(**fields: Any) -> Item:
    usual = {"name": "alice", "comment": "", "home": None, "shell": "/bin/bash", "groups": [], "system": False}
    return {"id": "user:alice", "kind": "user", **usual, "authorized_keys": [ONE], **fields}


def work_after(hands: Hands, item: Item) -> Work:
    """What the item is worked on with from its adoption on."""
    work = Work(Blobs(hands.real("/var/lib/fedikit/store")), {}, purge=False)
    work.entry = {"prior": UserKind().observe(hands, item)}
    return work


def adopt_and_remove(hands: Hands, item: Item) -> str:
    work = work_after(hands, item)
    UserKind().converge(hands, item, work)
    assert UserKind().differences(item, UserKind().observe(hands, item), "") == []
    return UserKind().remove(hands, item, work)


def blocked_because(host: Host, item: Item) -> str:
    (change,) = host.plan(item)["changes"]
    assert change["action"] == "blocked"
    (why,) = change["reasons"]
    return str(why)


@pytest.mark.parametrize(
    "former",
    [b"", b"ssh-rsa A old\n", b"ssh-rsa A unended", b"\xff caf\xe9\r\n\n\n", b"a\x0bb\x85\xe2\x80\xa8c\n", b"\n"],
)
def test_former_keys_come_back_byte_by_byte(home: Path, hands: Hands, former: bytes) -> None:
    (home / ".ssh/authorized_keys").write_bytes(former)
    assert adopt_and_remove(hands, user()) == ""
    assert (home / ".ssh/authorized_keys").read_bytes() == former


def test_keys_that_an_earlier_fedikit_noted_come_back() -> None:
    assert text_of({"authorized_keys": [ONE, TWO]}) == f"{ONE}\n{TWO}\n".encode()


def test_bytes_that_are_no_text_do_not_stop_the_plan(host: Host, home: Path) -> None:
    (home / ".ssh/authorized_keys").write_bytes(b"\xff")
    (change,) = host.plan(user())["changes"]
    assert (change["action"], change["reasons"]) == ("update", ["authorized keys"])


def test_where_no_keys_were_none_are_left(home: Path, hands: Hands) -> None:
    adopt_and_remove(hands, user())
    assert not (home / ".ssh").exists()


def test_a_link_in_the_place_of_the_keys_is_replaced_and_comes_back(host: Host, home: Path, hands: Hands) -> None:
    (host.root / "etc/shadow").write_text("root:secret\n")
    (home / ".ssh/authorized_keys").symlink_to("/etc/shadow")
    assert adopt_and_remove(hands, user()) == ""
    assert os.readlink(home / ".ssh/authorized_keys") == "/etc/shadow"
    assert host.text("/etc/shadow") == "root:secret\n"


def test_a_link_in_the_place_of_the_directory_blocks_and_is_named(host: Host, home: Path, hands: Hands) -> None:
    (home / ".ssh").rename(home / "aside")
    (home / ".ssh").symlink_to(host.root / "etc")
    words = "/home/alice/.ssh is a symbolic link, and keys are put into a directory only"
    assert blocked_because(host, user()) == words
    with pytest.raises(Trouble, match=words):
        UserKind().converge(hands, user(), work_after(hands, user()))
    assert host.actions(user(authorized_keys=[])) == {"user:alice": "adopt"}


def test_a_removal_goes_on_past_a_link_and_tells_of_it(host: Host, home: Path, hands: Hands) -> None:
    work = work_after(hands, user())
    UserKind().converge(hands, user(), work)
    (home / ".ssh").rename(home / "aside")
    (home / ".ssh").symlink_to(host.root / "etc")
    before = host.tree()
    assert "authorized keys are not as they were before: /home/alice/.ssh" in UserKind().remove(hands, user(), work)
    assert host.tree() == before


def test_a_pipe_in_the_place_of_the_keys_blocks_and_is_named(host: Host, home: Path) -> None:
    os.mkfifo(home / ".ssh/authorized_keys")
    assert blocked_because(host, user()) == "/home/alice/.ssh/authorized_keys is a named pipe, not a file"


def test_keys_beyond_all_measure_block_and_are_not_read(host: Host, home: Path) -> None:
    with open(home / ".ssh/authorized_keys", "wb") as file:
        file.truncate(1_500_000_000)
    assert blocked_because(host, user()) == "/home/alice/.ssh/authorized_keys is too large to be read: 1500.0 MB"


def test_a_directory_of_roots_is_handed_over_only_if_nothing_but_keys_is_in_it(home: Path, hands: Hands) -> None:
    if os.geteuid() == STRANGER:
        return  # without a second user every directory is the user's own
    os.chown(home / ".ssh", 0, 0)
    (home / ".ssh/authorized_keys").write_text("old\n")
    assert "barred" not in keys_state(hands, "/home/alice", STRANGER)
    (home / ".ssh/backup").write_text("root's\n")
    assert keys_state(hands, "/home/alice", STRANGER)["barred"] == "/home/alice/.ssh does not belong to the user"


def test_keys_that_could_not_be_seen_before_are_noted_when_they_can(host: Host, home: Path, hands: Hands) -> None:
    (home / ".ssh").rename(home / "aside")
    (home / ".ssh").symlink_to(host.root / "etc")
    work = work_after(hands, user(authorized_keys=[]))
    (home / ".ssh").unlink()
    (home / "aside").rename(home / ".ssh")
    (home / ".ssh/authorized_keys").write_text("own\n")
    UserKind().converge(hands, user(), work)
    UserKind().remove(hands, user(), work)
    assert (home / ".ssh/authorized_keys").read_text() == "own\n"


def test_a_home_is_made_only_where_root_alone_can_write(host: Host) -> None:
    (host.root / "srv/app").mkdir()
    give_away(host.root / "srv/app")
    why = blocked_because(host, user(home="/srv/app/alice"))
    assert why == "its home is to be in /srv/app, where not only root writes"
    assert host.actions(user(home="/srv/alice")) == {"user:alice": "create"}
    assert host.actions(user(home="/not/there/alice")) == {"user:alice": "create"}


@pytest.mark.parametrize(
    ("put", "is_kept"),
    [
        ({}, False),
        ({".bashrc": b"skeleton"}, False),
        ({".bashrc": b"SKELETON"}, True),
        ({"empty/deep": None}, False),
        ({"notes/today": b""}, True),
        ({".ssh/known_hosts": b""}, True),
        ({"/".join("d" * 30): None}, True),
    ],
)
def test_a_home_stays_if_it_holds_more_than_was_put_there(
    host: Host, home: Path, hands: Hands, put: dict[str, bytes | None], is_kept: bool
) -> None:
    (host.root / "etc/skel/.bashrc").write_bytes(b"skeleton")
    for name, content in put.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).mkdir() if content is None else (home / name).write_bytes(content)
    work = Work(Blobs("/nowhere"), {}, purge=False)
    assert bool(UserKind().remove(hands, user(), work)) == is_kept
    assert home.exists() == is_kept


def test_a_file_of_any_size_in_a_home_is_told_from_the_skeletons_by_its_size(
    host: Host, home: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host.root / "etc/skel/.bashrc").write_bytes(b"skeleton")
    with open(home / ".bashrc", "wb") as file:
        file.truncate(10**11)
    monkeypatch.setattr(hands, "state_in", None)
    assert "holds more" in UserKind().remove(hands, user(), Work(Blobs("/nowhere"), {}, purge=False))
