"""The store keeps files by their hash, whole or not at all."""

import errno
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from fedikit.errors import StoreError
from fedikit.events import tell_nobody
from fedikit.store import Store, default_directory, resolve

CONTENT = b"content"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def kept(store: Store) -> list[str]:
    return sorted(path.name for path in (store.directory / "sha256").rglob("*") if path.is_file())


def test_what_was_added_is_found_by_its_hash(store: Store) -> None:
    assert not store.has(SHA256)
    assert store.add_bytes(CONTENT) == SHA256
    assert store.has(SHA256)
    assert store.path(SHA256).read_bytes() == CONTENT
    assert store.path(SHA256) == store.directory / "sha256" / SHA256[:2] / SHA256


def test_a_file_with_other_contents_than_expected_is_not_kept(store: Store) -> None:
    with store.incoming() as folder:
        (folder / "file").write_bytes(b"something else")
        with pytest.raises(StoreError, match="expected was"):
            store.adopt(folder / "file", expected_sha256=SHA256)
    assert kept(store) == []


def test_nothing_is_left_on_the_way_in(store: Store) -> None:
    with pytest.raises(FileNotFoundError), store.incoming() as folder:
        store.adopt(folder / "no such file")
    assert list((store.directory / "incoming").iterdir()) == []


def test_an_absent_file_is_an_error_with_a_hint(store: Store) -> None:
    for ask in (store.path, store.verify):
        with pytest.raises(StoreError, match="not in the store") as caught:
            ask(SHA256)
        assert caught.value.hint


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256.upper(), SHA256 + "\n", SHA256[:-1]])
def test_only_a_hash_names_a_file(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="no SHA-256"):
        store.has(name)


def test_a_corrupted_file_is_noticed_and_removed(store: Store) -> None:
    store.add_bytes(CONTENT)
    store.verify(SHA256)
    store.path(SHA256).write_bytes(b"c0ntent")
    with pytest.raises(StoreError, match="damaged"):
        store.verify(SHA256)
    assert not store.has(SHA256)


def test_prune_removes_what_was_not_used_for_long(store: Store) -> None:
    old, used = store.add_bytes(b"old"), store.add_bytes(b"used")
    long_ago = time.time() - 40 * 86400
    for sha256 in (old, used):
        os.utime(store.path(sha256), (long_ago, long_ago))
    store.path(used)
    assert store.prune(keep_days=30) == len(b"old")
    assert kept(store) == [used]


def test_prune_removes_what_killed_processes_left_but_not_what_is_on_its_way(store: Store) -> None:
    leftover = store.directory / "incoming" / "leftover"
    leftover.mkdir(parents=True)
    (leftover / "half.deb").write_bytes(b"half")
    long_ago = time.time() - 2 * 86400
    os.utime(leftover, (long_ago, long_ago))
    with store.incoming() as busy:
        store.prune(keep_days=30)
        assert busy.is_dir()
    assert not leftover.exists()


def test_several_processes_may_add_the_same_at_once(store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from fedikit.store import Store\n"
        "for n in range(200): Store(Path(sys.argv[1])).add_bytes(b'same %d' % (n % 5))"
    )
    command = [sys.executable, "-c", code, str(store.directory)]
    writers = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    expected = sorted(hashlib.sha256(b"same %d" % n).hexdigest() for n in range(5))
    assert kept(store) == expected
    for sha256 in expected:
        store.verify(sha256)


def test_the_store_lies_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FEDIKIT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".cache/fedikit/store"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_directory() == tmp_path / "xdg/fedikit/store"
    monkeypatch.setenv("FEDIKIT_CACHE", str(tmp_path / "own"))
    assert Store().directory == tmp_path / "own/store"


# What is looked at before anything is asked for


def test_a_cache_that_cannot_be_written_to_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be written to: not a directory") as caught:
        Store(tmp_path / "cache" / "store").add_bytes(CONTENT)
    assert "FEDIKIT_CACHE" in caught.value.hint


@pytest.mark.parametrize("wrong", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_nothing_is_told_before_packages_are_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(wrong, os.strerror(wrong))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("fedikit.store.debian.current_lists", lambda *_, **__: pytest.fail("apt was asked"))
    with pytest.raises(StoreError, match=f"cannot be written to: {os.strerror(wrong).lower()}"):
        resolve({"jq": None}, status=b"", codename="trixie", architecture="amd64", store=store, tell=tell_nobody)


def test_a_disk_with_too_little_room_is_told_before_anything_comes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.require_room()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100_000_000))
    store.require_room(50_000_000)
    with (
        pytest.raises(StoreError, match=r"100 MB are free for the cache .*, 90 MB are to come"),
        store.incoming(90_000_000),
    ):
        pass


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "FEDIKIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: (_ for _ in ()).throw(KeyError(number)))
    with pytest.raises(StoreError, match="has no home") as caught:
        default_directory()
    assert "FEDIKIT_CACHE=" in caught.value.hint
