"""Few questions for many bytes; and never other bytes than are there."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedikit.data.way import ahead
from fedikit.data.way.ahead import Ahead
from fedikit.data.way.source import FolderSource

CONTENT = bytes(range(256)) * 4
PATH = "data/" + "ab" * 32


class Counting(FolderSource):
    """Notes what is asked of it; what it gives can be cut off."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[tuple[int, int]] = []
        self.sized = 0
        self.gives = 1 << 20

    def size(self, path: str) -> int | None:
        self.sized += 1
        return super().size(path)

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        self.asked.append((start, length))
        yield from super().read(path, start, min(length, self.gives))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """With a file of four blocks."""
    monkeypatch.setattr(ahead, "BLOCK", 256)
    place = tmp_path / "data/ab" / ("ab" * 32)
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    return Counting(tmp_path)


def read(source: Ahead, start: int, length: int) -> bytes:
    return b"".join(source.read(PATH, start, length))


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (3, 7), (0, 256), (255, 2), (200, 256), (256, 256), (1023, 1), (900, 124), (0, 1024)]
)
def test_the_bytes_are_those_that_were_asked_for(source: Counting, start: int, length: int) -> None:
    assert read(Ahead(source), start, length) == CONTENT[start : start + length]


def test_what_lies_beside_is_not_asked_for_again(source: Counting) -> None:
    before = Ahead(source)
    for start in range(0, 1024, 8):
        assert before.size(PATH) == 1024
        assert read(before, start, 8) == CONTENT[start : start + 8]
    assert source.asked == [(0, 256), (256, 256), (512, 256), (768, 256)]
    assert source.sized == 1


def test_more_than_a_block_is_read_in_one_piece(source: Counting) -> None:
    assert read(Ahead(source), 100, 900) == CONTENT[100:1000]
    assert source.asked == [(100, 900)]


def test_what_was_read_longest_ago_is_forgotten(source: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST_BLOCKS", 2)
    before = Ahead(source)
    for start in (0, 256, 0, 512, 0, 256):
        read(before, start, 1)
    assert source.asked == [(0, 256), (256, 256), (512, 256), (256, 256)]


def test_who_comes_while_a_block_is_read_waits_for_it(source: Counting) -> None:
    before, found = Ahead(source), list[bytes]()
    threads = [threading.Thread(target=lambda: found.append(read(before, 10, 5))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT[10:15]] * 20
    assert source.asked == [(0, 256)]


def test_a_block_that_came_short_is_an_error_and_not_kept(source: Counting) -> None:
    before = Ahead(source)
    source.gives = 100
    with pytest.raises(OSError, match="is not as long as was told"):
        read(before, 0, 10)
    source.gives = 256
    assert read(before, 0, 10) == CONTENT[:10]
    assert before.size("data/" + "cd" * 32) is None
