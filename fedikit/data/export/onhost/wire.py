"""What goes back to the deployer: frames, each a letter, a length of four bytes, and as many bytes.

d  a piece of the data        o  an object begins, told in JSON        e  it ended
m  a measurement, in JSON     .  all is told, with the figures of it   !  trouble, in JSON
a  nothing yet, but somebody is at work
"""

import json
import os
import signal
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MARK = b"\nfedikit export\n"
"""What comes first, on a line of its own: a login may print before it."""
PIECE = 256 * 1024
ALIVE_SECONDS = 5.0


class Wire:
    """The way back. Who is not heard any more ends the whole process, with all that it started."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._turn = threading.Lock()

    def begin(self) -> None:
        self._write(MARK)

    def data(self, piece: bytes) -> None:
        """A piece of the data, of any length."""
        for start in range(0, len(piece), PIECE):
            self._frame(b"d", piece[start : start + PIECE])

    def tell(self, kind: bytes, told: dict[str, Any]) -> None:
        self._frame(kind, json.dumps(told).encode())

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Says now and then that somebody is at work, as long as it is entered."""
        ended = threading.Event()

        def say() -> None:
            while not ended.wait(ALIVE_SECONDS):
                self._frame(b"a", b"")

        threading.Thread(target=say, daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _frame(self, kind: bytes, payload: bytes) -> None:
        self._write(kind + struct.pack(">I", len(payload)) + payload)

    def _write(self, message: bytes) -> None:
        left = memoryview(message)
        with self._turn:
            while left:
                try:
                    left = left[os.write(self._sink, left) :]
                except OSError:
                    os.killpg(0, signal.SIGKILL)
