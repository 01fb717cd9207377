"""Disks while another's data is put back: what would fill one ends before it is full."""

import threading
from pathlib import Path

import pytest

from fedikit.data.onhost import filling
from fedikit.data.onhost.disks import NO_ROOM
from fedikit.data.onhost.filling import room_watched
from fedikit.data.onhost.trouble import Trouble
from tests.data.onhost.conftest import Host
from tests.data.onhost.test_other import OTHER, theirs  # noqa: F401

PLACE = Path("/srv")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is free at each look, from the first to the last one, which stays."""
    left = [NO_ROOM * 2, NO_ROOM * 2, NO_ROOM - 1]
    monkeypatch.setattr(filling, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(filling, "free_at", lambda place: left.pop(0) if len(left) > 1 else left[0])
    return left


def test_what_fills_a_disk_is_ended(free: list[int]) -> None:
    with pytest.raises(Trouble, match="is more than its backup says"), room_watched([PLACE]):
        threading.Event().wait(60)


def test_a_disk_that_was_full_before_ends_nothing(free: list[int]) -> None:
    free[:2] = []
    with room_watched([PLACE]):
        threading.Event().wait(0.05)


def test_another_backup_that_is_more_than_it_says_is_not_put_back_whole(
    host: Host,
    theirs: str,  # noqa: F811
    free: list[int],
) -> None:
    assert (
        "is more than its backup says" in host.trouble("restore", "--other", "--backup", theirs, said=OTHER)["message"]
    )
    assert host.state_of("web") == "inactive"
    free[:] = [NO_ROOM * 2]
    host.done("restore", "--other", "--backup", theirs, said=OTHER)
    assert host.state_of("web") == "active"
