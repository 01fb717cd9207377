"""Where packages come from: the deployer's own sources, told for another release."""

import pytest

from fedikit.store.sources import Source, debian_sources, translated

MIRROR, SECURITY = "http://mirror.test/debian", "http://mirror.test/debian-security"


def target(uri: str, release: str, *, component: str = "main", origin: str = "Debian", kind: str = "Packages") -> str:
    return "\t".join(("deb", kind, uri, release, component, origin))


def test_each_pocket_is_told_for_the_wanted_release() -> None:
    own = [
        target(f"{SECURITY}/", "bookworm-security"),
        target(f"{MIRROR}/", "bookworm"),
        target(MIRROR, "bookworm-updates"),
    ]
    assert translated(own, "bookworm", "trixie") == (
        Source(MIRROR, "trixie", ("main",)),
        Source(MIRROR, "trixie-updates", ("main",)),
        Source(SECURITY, "trixie-security", ("main",)),
    )


@pytest.mark.parametrize(
    "foreign",
    [
        target("http://vendor.test/apt", "bookworm", origin="Vendor"),
        target("http://vendor.test/apt", "bookworm", component="stable"),
        target("http://vendor.test/apt", "bookworm-pgdg"),
        target(MIRROR, "bookworm-backports"),
        target(MIRROR, "sid"),
        target(MIRROR, "bookworm", component="non-free-firmware"),
        target(MIRROR, "bookworm", kind="DEP-11"),
        "\t".join(("deb-src", "Sources", MIRROR, "bookworm", "main", "Debian")),
    ],
)
def test_what_is_not_the_main_archive_is_left_out(foreign: str) -> None:
    assert translated([foreign], "bookworm", "trixie") == ()


def test_an_origin_that_apt_does_not_know_yet_is_taken() -> None:
    fresh = [target(MIRROR, "bookworm", origin="$(ORIGIN)")]
    assert translated(fresh, "bookworm", "trixie") == (Source(MIRROR, "trixie", ("main",)),)


def test_a_source_is_a_line_that_names_its_keyring() -> None:
    assert Source(MIRROR, "trixie", ("main",)).line("/k.gpg") == f"deb [signed-by=/k.gpg] {MIRROR} trixie main"


def test_this_machine_knows_where_debian_comes_from() -> None:
    first, *others = debian_sources("trixie")
    assert first.suite == "trixie"
    assert all(source.suite in ("trixie-updates", "trixie-security") for source in others)
