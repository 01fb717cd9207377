"""Packages are resolved by a real apt against the machine's own mirror, for a target's dpkg status."""

import re
import time
from collections.abc import Callable, Mapping

import pytest

from fedikit.errors import StoreError
from fedikit.events import Event, Waiting, tell_nobody
from fedikit.store import Deb, Store, resolve
from fedikit.store.debian import installed_packages, lacking_packages, parse_uris

from .conftest import resolve_for_trixie

SHA256 = "5b6825de4263824b78c4c51f6476414f3b4e89c2ab63e81dc8b9b5501e867cf6"
STANZA = """\
Package: {name}
Status: {state}
Maintainer: somebody
Architecture: amd64
Version: {version}

"""

Resolve = Callable[..., tuple[Deb, ...]]


def status(**packages: str) -> bytes:
    """A dpkg status file in which some packages are installed."""
    return b"".join(stanza(name, version) for name, version in packages.items())


def stanza(name: str, version: str, *, state: str = "install ok installed") -> bytes:
    return STANZA.format(name=name, version=version, state=state).encode()


@pytest.fixture
def ask(session_store: Store) -> Resolve:
    def ask(packages: Mapping[str, str | None], target: bytes = b"") -> tuple[Deb, ...]:
        return resolve_for_trixie(packages, target, store=session_store)

    return ask


def names(debs: tuple[Deb, ...]) -> set[str]:
    return {deb.name for deb in debs}


def test_a_line_of_apt_becomes_a_package_file() -> None:
    line = f"'http://mirror.example/l/lib%2bx_1.0-1_all.deb' lib+x_2%3a1.0-1_all.deb 49432 SHA256:{SHA256} "
    (deb,) = parse_uris(f"Reading package lists...\n{line}\n")
    assert deb == Deb(
        name="lib+x",
        version="2:1.0-1",
        architecture="all",
        sha256=SHA256,
        size=49432,
        uri="http://mirror.example/l/lib%2bx_1.0-1_all.deb",
        file_name="lib+x_2%3a1.0-1_all.deb",
    )


@pytest.mark.parametrize("digest", ["", "MD5Sum:8c82dcf89447f04e600379a1a1871f3b", f"SHA256:{SHA256[:-1]}"])
def test_a_package_file_without_a_sha256_is_refused(digest: str) -> None:
    with pytest.raises(StoreError, match="no SHA-256"):
        parse_uris(f"'http://mirror.example/a_1_all.deb' a_1_all.deb 3 {digest}\n")


def test_the_status_file_says_what_is_installed() -> None:
    target = (
        stanza("here", "1-1")
        + stanza("held", "2:3~x", state="hold ok installed")
        + stanza("gone", "1", state="deinstall ok config-files")
        + stanza("half", "1", state="install reinstreq half-installed")
    )
    assert installed_packages(target) == {"here": "1-1", "held": "2:3~x"}


def test_only_what_is_absent_or_has_another_version_is_lacking() -> None:
    wanted = {"a": None, "b": "2", "c": "2", "d": None}
    assert lacking_packages(wanted, status(a="1", b="2", c="1")) == {"c": "2", "d": None}


def test_nothing_is_asked_of_apt_when_nothing_is_lacking(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert resolve_for_trixie({"hello": None}, status(hello="1"), store=store) == ()
    assert not store.directory.exists()


def test_packages_come_with_all_that_an_empty_target_lacks(ask: Resolve) -> None:
    debs = ask({"hello": None, "snac2": None})
    assert {"hello", "snac2", "libc6", "libcurl4t64"} <= names(debs)
    assert all(len(deb.sha256) == 64 and deb.size > 0 and deb.uri for deb in debs)
    assert all(deb.architecture in ("amd64", "all") for deb in debs)


def test_what_the_target_has_is_not_among_them(ask: Resolve) -> None:
    assert "libc6" in names(ask({"hello": None}))
    assert names(ask({"hello": None}, status(libc6="9:1"))) == {"hello"}


def test_an_installed_package_is_replaced_only_when_another_version_is_wanted(ask: Resolve) -> None:
    newest = next(deb for deb in ask({"hello": None}) if deb.name == "hello")
    for installed in ("0.1", "99"):
        target = status(libc6="9:1", hello=installed)
        assert ask({"hello": None}, target) == ()
        assert ask({"hello": newest.version}, target) == (newest,)


def test_an_unknown_package_is_named_and_a_like_one_suggested(ask: Resolve) -> None:
    with pytest.raises(StoreError, match="no package snac\n") as caught:
        ask({"hello": None, "snac": None})
    assert "snac2" in caught.value.hint


def test_names_that_apt_would_read_otherwise_are_unknown(ask: Resolve) -> None:
    with pytest.raises(StoreError, match=r"no package hell\., libc6-, mail-transport-agent"):
        ask({"libc6-": None, "hello": None, "hell.": None, "mail-transport-agent": None})


def test_an_unknown_version_is_named_with_those_there_are(ask: Resolve) -> None:
    with pytest.raises(StoreError, match=r"no version 0\.0 of hello") as caught:
        ask({"hello": "0.0"})
    assert "there is 2." in caught.value.hint


def test_packages_that_exclude_each_other_are_refused_with_what_apt_says(ask: Resolve) -> None:
    with pytest.raises(StoreError, match=r"(?s)cannot be installed.*Conflicts"):
        ask({"postfix": None, "exim4-daemon-light": None})


def test_nothing_of_the_target_is_removed_for_a_package(ask: Resolve) -> None:
    with pytest.raises(StoreError, match="would take hello-traditional away"):
        ask({"hello": None}, status(libc6="9:1", **{"hello-traditional": "2.9"}))


VENDOR = "Package: vendor-agent\nStatus: install ok {}\nVersion: 1\nArchitecture: all\nDepends: vendor-libs (>= 2)\n\n"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            "unpacked",
            "vendor-agent is unpacked but not configured, for vendor-libs (>= 2) is missing: finish or remove",
        ),
        ("half-configured", "vendor-agent is half configured, for vendor-libs (>= 2) is missing"),
        ("half-installed", "vendor-agent is half installed"),
        ("installed", "vendor-agent is installed, but vendor-libs (>= 2) is missing: install what it needs"),
    ],
)
def test_packages_of_others_that_are_in_pieces_are_named_and_not_repaired(
    ask: Resolve, condition: str, words: str
) -> None:
    target = status(libc6="9:1") + VENDOR.format(condition).encode()
    with pytest.raises(StoreError, match=re.escape(words)) as caught:
        ask({"hello": None}, target)
    assert "dpkg --remove vendor-agent" in str(caught.value)


def test_our_own_packages_in_pieces_come_anew(session_store: Store) -> None:
    target = status(libc6="9:1") + stanza("hello", "1", state="install reinstreq half-installed")
    assert names(resolve_for_trixie({"hello": None}, target, store=session_store)) == {"hello"}
    target = status(libc6="9:1") + stanza("libonig5", "1", state="install ok unpacked")
    ours = resolve_for_trixie({"jq": None}, target, store=session_store, ours=["libonig5"])
    assert {"jq", "libonig5"} <= names(ours)


def test_packages_of_others_get_no_other_version_for_ours(session_store: Store) -> None:
    target = status(libc6="9:1", libjq1="0.1")
    with pytest.raises(StoreError, match=r"libjq1 0\.1 would become 1\..*: do that yourself first"):
        resolve_for_trixie({"jq": None}, target, store=session_store)
    assert "libjq1" in names(resolve_for_trixie({"jq": None}, target, store=session_store, ours=["libjq1"]))


def test_later_answers_are_fast_and_the_same(ask: Resolve, session_store: Store) -> None:
    first = ask({"hello": None})
    began = time.monotonic()
    assert ask({"hello": None}) == first
    assert time.monotonic() - began < 0.3


def test_lists_are_fetched_once_and_anew_only_when_they_are_old(
    ask: Resolve, session_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    ask({"hello": None})
    resolve_for_trixie({"hello": None}, store=session_store, tell=events.append)
    assert events == []
    mark = session_store.directory / "apt" / "trixie-amd64" / "refreshed"
    fetched = mark.stat().st_mtime
    monkeypatch.setenv("FEDIKIT_LISTS_MAX_AGE", "0.001")
    resolve_for_trixie({"hello": None}, store=session_store, tell=events.append)
    assert events == [Waiting(what="package lists of Debian trixie (amd64)")]
    assert mark.stat().st_mtime > fetched


def test_lists_that_cannot_be_fetched_are_an_error_with_what_apt_says(store: Store) -> None:
    with pytest.raises(StoreError, match=r"(?s)package lists of nowhere could not be fetched:\n  \| "):
        resolve(
            {"hello": None},
            status=b"",
            codename="nowhere",
            architecture="amd64",
            store=store,
            tell=tell_nobody,
        )


def test_a_nonsensical_age_of_lists_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDIKIT_LISTS_MAX_AGE", "a day")
    with pytest.raises(StoreError, match="no number of seconds"):
        resolve_for_trixie({"hello": None}, store=store)
