"""Directories that a package has systemd make at each boot leave with it, if nothing is in them."""

import pytest

from fedikit.agent.boot_places import boot_places, clear_boot_places
from fedikit.agent.hands import Hands
from tests.agent.conftest import Host, QuietHands

RULES = """# a comment
x /tmp/engine-run-*
D! /var/lib/net/networks
d /var/lib/engine 0700 root root
d /var/lib/%u 0700 root root
R! /var/tmp/engine_*
f /var/lib/engine.conf
Z /srv/data
q /var/lib/volumes
"""
PLACES = {"/var/lib/net/networks", "/var/lib/engine", "/var/lib/volumes"}


@pytest.fixture
def hands(host: Host) -> Hands:
    """On a host that was booted with such a package, and has another."""
    (host.root / "var/lib/dpkg/info").mkdir()
    (host.root / "usr/lib/tmpfiles.d").mkdir(parents=True)
    (host.root / "usr/lib/tmpfiles.d/engine.conf").write_text(RULES)
    (host.root / "var/lib/dpkg/info/engine:amd64.list").write_text("/usr/lib/tmpfiles.d/engine.conf\n")
    (host.root / "var/lib/dpkg/info/other.list").write_text("/usr/lib/tmpfiles.d/other.conf\n/var/lib/volumes\n")
    for place in PLACES:
        (host.root / place[1:]).mkdir(parents=True)
    return QuietHands(str(host.root))


def test_what_rules_make_is_read_from_those_of_the_packages_alone(hands: Hands) -> None:
    assert boot_places(hands, {"engine"}) == PLACES
    assert boot_places(hands, {"other", "unknown"}) == set()


def test_empty_ones_leave_with_what_lies_above_them(host: Host, hands: Hands) -> None:
    clear_boot_places(hands, PLACES)
    left = {path.name for path in (host.root / "var/lib").iterdir()}
    assert left == {"dpkg", "volumes"}, "what another package owns stays, and what is above all"


def test_what_somebody_put_there_stays(host: Host, hands: Hands) -> None:
    (host.root / "var/lib/net/theirs").write_text("x")
    (host.root / "var/lib/engine/link").symlink_to("/srv")
    clear_boot_places(hands, PLACES)
    assert (host.root / "var/lib/net/theirs").exists()
    assert (host.root / "var/lib/engine/link").is_symlink()
    assert not (host.root / "var/lib/net/networks").exists()


def test_a_link_in_its_place_stays(host: Host, hands: Hands) -> None:
    (host.root / "var/lib/engine").rmdir()
    (host.root / "var/lib/engine").symlink_to("/srv")
    clear_boot_places(hands, PLACES)
    assert (host.root / "var/lib/engine").is_symlink()
