"""A user of the host swaps directories and files for links while the agent works there: what is root's stays so."""

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fedikit.agent.blobs import Blobs
from fedikit.agent.hands import Hands
from fedikit.agent.kinds.directory import DirectoryKind
from fedikit.agent.kinds.file import FileKind
from fedikit.agent.kinds.symlink import SymlinkKind
from fedikit.agent.kinds.user import UserKind
from fedikit.agent.paths import brought_to_safety
from fedikit.agent.trouble import Trouble
from fedikit.agent.work import Work
from tests.agent.conftest import Host, Item, QuietHands
from tests.agent.hostile import STRANGER, give_away, picture, swapping

ROUNDS, OFTEN, SECONDS = 1000, 20, 90
POISON = b"root's own words\n"
NAMES = ("authorized_keys", "config", "link", ".bashrc")


@pytest.fixture
def hands(host: Host) -> Hands:
    """On a host that has a user `alice`, who is hostile, and a directory of hers in a directory of root's."""
    with open(host.root / "etc/passwd", "a") as file:
        file.write(f"alice:x:{STRANGER}:{os.getgid()}::/home/alice:/bin/bash\n")
    host.root.chmod(0o755)
    for path in ("home/alice", "home/alice/.ssh", "srv/app", "srv/app/inner"):
        (host.root / path).mkdir(parents=True)
        give_away(host.root / path)
    return QuietHands(str(host.root), b"key")


@pytest.fixture
def work(host: Host) -> Work:
    work = Work(Blobs(str(host.home / "store")), {}, purge=True)
    for content in (b"ours\n", b"theirs\n"):
        work.blobs.take([content])
    return work


@pytest.fixture
def canary(host: Host) -> Iterator[Path]:
    """A directory of root's that has all the names that are worked on; it is as it was in the end."""
    canary = host.root / "canary"
    canary.mkdir(mode=0o700)
    for name in NAMES:
        (canary / name).write_bytes(POISON)
    before = picture(canary)
    yield canary
    assert picture(canary) == before


def user(**fields: Any) -> Item:
    usual = {"name": "alice", "comment": "", "home": "/home/alice", "shell": "/bin/bash", "groups": [], "system": False}
    keys = ["ssh-ed25519 AAAA one"]
    return {"id": "user:alice", "kind": "user", **usual, "authorized_keys": keys, **fields}


def go(attempt: Callable[[], object], *, refused: int = OFTEN) -> None:
    """Tries again and again, until it was often let through, and refused as often as it has to be."""
    outcomes: Counter[bool] = Counter()
    end = time.monotonic() + SECONDS
    while outcomes.total() < ROUNDS or (not _is_enough(outcomes, refused) and time.monotonic() < end):
        outcomes[_is_done(attempt)] += 1
    assert _is_enough(outcomes, refused), outcomes


def _is_enough(outcomes: Counter[bool], refused: int) -> bool:
    return outcomes[True] >= OFTEN and outcomes[False] >= refused


def _is_done(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Trouble as refusal:
        return not refusal.message
    except OSError as refusal:
        return not str(refusal)
    return True


def test_a_users_keys_are_written_nowhere_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    items = itertools.cycle([user(), user(authorized_keys=["ssh-ed25519 AAAA two"])])
    with swapping(host.root / "home/alice", ".ssh", canary):
        go(lambda: UserKind().converge(hands, next(items), work))


def test_a_users_keys_are_read_and_replaced_nowhere_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    keys = host.root / "home/alice/.ssh/authorized_keys"
    keys.write_text("ssh-ed25519 AAAA own\n")
    states = []
    with swapping(keys.parent, keys.name, canary / keys.name):
        go(lambda: states.append(UserKind().observe(hands, user())), refused=0)
        go(lambda: UserKind().converge(hands, user(), work), refused=0)
    assert POISON.decode().strip() not in str(states)


def test_a_users_former_keys_come_back_nowhere_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    before = UserKind().observe(hands, user())
    priors = itertools.cycle([before, {**before, "authorized_keys": ["ssh-ed25519 AAAA former"]}])

    def remove_and_come_back() -> None:
        work.entry = {"prior": next(priors)}
        UserKind().remove(hands, user(), work)
        with suppress(FileExistsError):
            (host.root / "home/alice/.ssh").mkdir()

    with swapping(host.root / "home/alice", ".ssh", canary):
        go(remove_and_come_back)


def grow(host: Host, path: str, canary: Path) -> None:
    """Puts a new directory of the hostile user in place, with what is swapped in it; the former one, if any, aside."""
    place, draft = host.root / path, host.root / "draft"
    (draft / "inner/deep").mkdir(parents=True)
    (draft / "inner/config").write_text("x")
    (draft / "inner.link").symlink_to(canary)
    give_away(draft / "inner")
    give_away(draft)
    if place.exists():
        place.rename(host.root / f"aside-{os.urandom(4).hex()}")
    draft.rename(place)


def test_a_home_is_deleted_and_nothing_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    (host.root / "etc/skel/config").write_bytes(POISON)

    def make_and_remove() -> None:
        grow(host, "home/alice", canary)
        UserKind().remove(hands, user(), work)

    with swapping(host.root, "home/alice/inner", canary):
        go(make_and_remove, refused=0)


def test_a_directory_is_owned_and_nothing_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    owners = itertools.cycle(["alice", "root"])
    item = host.directory("/srv/app/inner", data=True)
    with swapping(host.root / "srv/app", "inner", canary):
        go(lambda: DirectoryKind().converge(hands, {**item, "owner": next(owners)}, work))


def test_a_directory_is_emptied_and_nothing_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    def make_and_purge() -> None:
        grow(host, "srv/app", canary)
        DirectoryKind().remove(hands, host.directory("/srv/app", data=True), work)

    with swapping(host.root, "srv/app/inner", canary):
        go(make_and_purge, refused=0)


def test_a_file_is_written_and_removed_nowhere_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    items = itertools.cycle(
        [host.file("/srv/app/inner/config", text, owner="alice") for text in ("ours\n", "theirs\n")]
    )

    def write_and_remove() -> None:
        FileKind().converge(hands, next(items), work)
        FileKind().remove(hands, next(items), work)

    with swapping(host.root / "srv/app", "inner", canary):
        go(write_and_remove)


def test_a_link_is_made_and_removed_nowhere_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    def make_and_remove() -> None:
        SymlinkKind().converge(hands, host.symlink("/srv/app/inner/link", "a"), work)
        SymlinkKind().remove(hands, host.symlink("/srv/app/inner/link", "a"), work)

    with swapping(host.root / "srv/app", "inner", canary):
        go(make_and_remove)


def test_what_was_there_before_comes_back_nowhere_else(host: Host, hands: Hands, work: Work, canary: Path) -> None:
    prior = {"type": "file", "sha256": work.blobs.take([b"former\n"]), "owner": "root", "group": "root", "mode": "0644"}
    work.entry = {"prior": prior}
    with swapping(host.root / "srv/app", "inner", canary):
        go(lambda: FileKind().remove(hands, host.file("/srv/app/inner/config", "ours\n"), work))


@pytest.mark.parametrize("swapped", ["inner", "inner/config"])
def test_what_is_shown_compared_and_saved_is_nothing_of_roots(
    host: Host, hands: Hands, work: Work, canary: Path, swapped: str, tmp_path: Path
) -> None:
    path, copy = "/srv/app/inner/config", tmp_path / "copy"
    (host.root / path.lstrip("/")).write_text("the user's own words\n")
    seen: list[object] = []

    def look() -> None:
        seen.append(hands.beginning(path, 1000))
        seen.append(brought_to_safety(hands, path, work.blobs))
        hands.copy(path, str(copy))
        seen.append(copy.read_bytes())

    with swapping(host.root / "srv/app", swapped, canary if swapped == "inner" else canary / "config"):
        go(look)
    assert POISON not in seen
    assert not any(POISON in stored.read_bytes() for stored in (host.home / "store").iterdir())
    assert POISON in (canary / "config").read_bytes()


def test_the_picture_of_a_directory_tells_whatever_was_done_to_it(tmp_path: Path) -> None:
    """The control: a canary that was touched, and put back as it was, shows it."""
    (tmp_path / "config").write_bytes(POISON)
    before = picture(tmp_path)
    assert picture(tmp_path) == before
    (tmp_path / "config").chmod((tmp_path / "config").stat().st_mode)
    assert picture(tmp_path) != before
