"""The store keeps files by their hash, whole or not at all."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedikit.errors import StoreError
from fedikit.store import Store, default_directory

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


def test_a_file_is_copied_and_stays_where_it_was(store: Store, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(CONTENT)
    assert store.add_file(original, expected_sha256=SHA256) == SHA256
    assert original.read_bytes() == store.path(SHA256).read_bytes()


def test_a_file_with_other_contents_than_expected_is_not_kept(store: Store, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"something else")
    with pytest.raises(StoreError, match="expected was"):
        store.add_file(original, expected_sha256=SHA256)
    assert kept(store) == []


def test_nothing_is_left_on_the_way_in(store: Store, tmp_path: Path) -> None:
    store.add_bytes(CONTENT)
    with pytest.raises(FileNotFoundError):
        store.add_file(tmp_path / "no such file")
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
