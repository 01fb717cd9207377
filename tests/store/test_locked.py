"""Locked packages come from where signed lists say, or from what such lists once vouched for; never from elsewhere."""

import hashlib
from pathlib import Path

import pytest

from fedikit.errors import StoreError
from fedikit.events import tell_nobody
from fedikit.model.lock import LockedPackage
from fedikit.store import Deb, Pin, Store, fetch, locate, locked_debs
from fedikit.store.lists import current_lists
from fedikit.store.vouched import remember

from .conftest import SmallMirror, resolve_for_trixie


def located(store: Store, *pins: Pin, snapshots: tuple[str, ...] = ()) -> tuple[Deb, ...]:
    return locate(pins, codename="trixie", architecture="amd64", snapshots=snapshots, store=store, tell=tell_nobody)


@pytest.fixture
def hello(session_store: Store) -> Deb:
    return next(deb for deb in resolve_for_trixie({"hello": None}, store=session_store) if deb.name == "hello")


def pin(deb: Deb) -> Pin:
    return Pin(deb.name, deb.version, deb.sha256)


def test_the_address_is_that_of_the_signed_lists(session_store: Store, hello: Deb) -> None:
    libc = next(deb for deb in resolve_for_trixie({"hello": None}, store=session_store) if deb.name == "libc6")
    assert located(session_store, pin(libc), pin(hello), pin(hello)) == (hello, libc)
    assert located(session_store) == ()


def test_another_hash_than_the_lists_tell_is_refused(session_store: Store, hello: Deb) -> None:
    with pytest.raises(StoreError, match=rf"hello {hello.version}: Debian's lists tell another SHA-256") as caught:
        located(session_store, Pin("hello", hello.version, "0" * 64))
    assert "fedikit lock" in caught.value.hint


def test_what_is_nowhere_is_named_with_what_to_do(session_store: Store, hello: Deb) -> None:
    with pytest.raises(StoreError, match=r"hello 0\.1: no longer in the lists of Debian trixie") as caught:
        located(session_store, pin(hello), Pin("hello", "0.1", "0" * 64))
    assert "snapshots" in caught.value.hint
    assert "fedikit lock" in caught.value.hint


def test_what_lists_vouched_for_is_taken_from_the_store(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("gone", b"it was there once")
    fetch([deb], store=store, tell=tell_nobody)
    mirror.files.clear()
    assert located(store, pin(deb)) == (deb,)
    assert not (store.directory / "apt").exists()


def test_what_came_into_the_store_otherwise_is_not_taken_for_a_package(session_store: Store) -> None:
    layer = b"a part of somebody's image"
    session_store.add_bytes(layer)
    sha256 = hashlib.sha256(layer).hexdigest()
    with pytest.raises(StoreError, match="no longer in the lists"):
        located(session_store, Pin("hello", "0.1", sha256))


def test_a_package_under_another_name_or_version_is_another_one(session_store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("harmless", b"harmless once")
    fetch([deb], store=session_store, tell=tell_nobody)
    for other in (Pin("hello", deb.version, deb.sha256), Pin(deb.name, "9", deb.sha256)):
        with pytest.raises(StoreError, match="no longer in the lists"):
            located(session_store, other)


def test_a_note_is_nothing_without_the_file(store: Store, mirror: SmallMirror) -> None:
    deb = mirror.deb("gone", b"it was there once")
    fetch([deb], store=store, tell=tell_nobody)
    (note,) = (store.directory / "debs").iterdir()
    assert note.name == f"{deb.sha256}.json"
    store.path(deb.sha256).unlink()
    store.prune(keep_days=1)
    assert not note.exists()


def test_a_file_whose_place_nobody_told_leaves_no_note(store: Store) -> None:
    remember([Deb("hello", "1", "", "0" * 64, 0, "", "")], store)
    assert not (store.directory / "debs").exists()


def test_a_snapshot_gives_what_the_mirrors_have_dropped(
    session_store: Store, mirror: SmallMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bookworm's own archive stands for one of the past: the lists of the mirror have nothing of it here."""
    bookworm = current_lists("bookworm", "amd64", store=session_store, tell=tell_nobody)
    for path in (bookworm.folder / "lists").glob("*_dists_bookworm_*"):
        _, _, name = path.name.partition("_dists_")
        mirror.files[f"/archive/dists/{name.replace('_', '/')}"] = path.read_bytes() if path.is_file() else b""
    address = f"http://127.0.0.1:{mirror.server.server_port}/archive"
    (row,) = bookworm.ask("apt-get", "-q", "download", "--print-uris", "--", "hello").stdout.splitlines()
    _, file_name, _, sha256 = row.split()
    old = Pin("hello", file_name.split("_")[1], sha256.removeprefix("SHA256:"))

    (deb,) = locate(
        [old, old],
        codename="bookworm",
        architecture="amd64",
        snapshots=[address],
        store=_without_lists(tmp_path, monkeypatch),
        tell=tell_nobody,
    )
    assert deb.uri.startswith(f"{address}/pool/")
    assert pin(deb) == old


def _without_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose mirror's lists lack everything."""
    from fedikit.store import locked

    real = locked._in_lists
    monkeypatch.setattr(locked, "_in_lists", lambda pins, lists: real(pins, lists) if lists.snapshots else ({}, ""))
    return Store(tmp_path / "store")


def test_what_a_lock_does_not_know_is_named(store: Store) -> None:
    locked = {"hello": LockedPackage(version="1.0-1", sha256="b" * 64)}
    with pytest.raises(StoreError, match="the lock does not know cowsay, perl,") as refused:
        locked_debs(
            ["perl", "hello", "cowsay"], locked, codename="trixie", architecture="amd64", store=store, tell=tell_nobody
        )
    assert "fedikit lock" in refused.value.hint
    assert not store.directory.exists()
