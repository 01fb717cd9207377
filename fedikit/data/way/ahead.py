"""Reading ahead: who asks for a few bytes of a file will ask for those beside them, and the way there is long."""

import threading
from collections import OrderedDict
from collections.abc import Iterator

from fedikit.data.way.source import Source

BLOCK = 1 << 20
"""What is read at once, in bytes; who asks for more is handed on to the source."""
MOST_BLOCKS = 64
_DOORS = 16


class Ahead:
    """A source of which the blocks that were read last are kept: files of a repository never change."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sizes: dict[str, int] = {}
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._keeping = threading.Lock()
        self._reading = tuple(threading.Lock() for _ in range(_DOORS))

    def sizes(self, kind: str) -> dict[str, int]:
        return self._source.sizes(kind)

    def size(self, path: str) -> int | None:
        size = self._sizes.get(path)
        if size is None and (size := self._source.size(path)) is not None:
            self._sizes[path] = size
        return size

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        if length > BLOCK:
            yield from self._source.read(path, start, length)
            return
        for number in range(start // BLOCK, -(-(start + length) // BLOCK)):
            begins = number * BLOCK
            yield self._block(path, number)[max(0, start - begins) : start + length - begins]

    def close(self) -> None:
        self._source.close()

    def _block(self, path: str, number: int) -> bytes:
        """The block; who comes while it is read waits for it."""
        with self._reading[hash((path, number)) % _DOORS]:
            block = self._kept(path, number)
            if block is None:
                block = self._fetched(path, number)
                self._keep(path, number, block)
            return block

    def _fetched(self, path: str, number: int) -> bytes:
        """Raises OSError for a file that is not as long as was told."""
        length = min(BLOCK, (self.size(path) or 0) - number * BLOCK)
        block = b"".join(self._source.read(path, number * BLOCK, length))
        if len(block) != length:
            raise OSError(0, "the file is not as long as was told")
        return block

    def _kept(self, path: str, number: int) -> bytes | None:
        with self._keeping:
            if (path, number) in self._blocks:
                self._blocks.move_to_end((path, number))
            return self._blocks.get((path, number))

    def _keep(self, path: str, number: int, block: bytes) -> None:
        with self._keeping:
            self._blocks[path, number] = block
            while len(self._blocks) > MOST_BLOCKS:
                self._blocks.popitem(last=False)
