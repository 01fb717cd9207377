"""Links to moved data come back when packages took them along."""

from pathlib import Path

import pytest

from fedikit.agent.hands import Hands
from fedikit.agent.moved import bring_links_back, moved_directories
from tests.agent.conftest import Host, QuietHands

LIST = "/.\n/usr\n/usr/lib/server\n/var\n/var/lib\n/var/lib/server\n/var/lib/server/own\n/var/caf\xe9\n"


@pytest.fixture
def hands(host: Host) -> Hands:
    """On a host with a package whose data an administrator moved, and another one."""
    (host.root / "var/lib/dpkg/info").mkdir()
    (host.root / "var/lib/dpkg/info/server:amd64.list").write_bytes(LIST.encode("latin-1"))
    (host.root / "var/lib/dpkg/info/other.list").write_text("/var/lib/other\n")
    for name in ("server", "other"):
        (host.root / f"mnt/disk/{name}").mkdir(parents=True)
        (host.root / f"mnt/disk/{name}/data").write_text("x")
        (host.root / f"var/lib/{name}").symlink_to(f"/mnt/disk/{name}")
    (host.root / "usr/lib/server").mkdir(parents=True)
    return QuietHands(str(host.root))


@pytest.fixture
def moved(host: Host) -> Path:
    return host.root / "var/lib/server"


def test_a_link_to_moved_data_comes_back_when_dpkg_took_it_along(hands: Hands, moved: Path) -> None:
    noted = moved_directories(hands, {"server"})
    assert noted["/var/lib/server"] == {"type": "symlink", "target": "/mnt/disk/server", "moved": True}
    moved.unlink()
    words = "/var/lib/server was moved to /mnt/disk/server by an administrator: what is there stays"
    assert bring_links_back(hands, noted) == words
    assert moved.is_symlink()
    assert bring_links_back(hands, noted) == ""


def test_a_link_that_dpkg_does_not_know_of_comes_back_when_a_script_deleted_it(host: Host, hands: Hands) -> None:
    noted = moved_directories(hands, {"server"})
    (host.root / "var/lib/other").unlink()
    assert "/var/lib/other was moved" in bring_links_back(hands, noted)
    assert (host.root / "var/lib/other").is_symlink()


def test_a_link_to_what_is_gone_does_not_come_back(host: Host, hands: Hands, moved: Path) -> None:
    noted = moved_directories(hands, {"server"})
    moved.unlink()
    (host.root / "mnt/disk/server/data").unlink()
    assert bring_links_back(hands, noted) == ""
    assert not moved.is_symlink()


def test_links_that_packages_bring_are_none_of_an_administrators(hands: Hands, moved: Path) -> None:
    moved.unlink()
    moved.symlink_to("../../usr/lib/server")
    assert "/var/lib/server" not in moved_directories(hands, {"server"})
