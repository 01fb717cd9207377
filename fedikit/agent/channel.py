"""The channel to the deployer: compressed JSON messages and raw blobs in, JSON lines out."""

import _thread  # without `threading`: what it has besides takes time to import
import json
import os
import time
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

CHUNK = 1 << 20


class Gone(Exception):
    """The deployer closed the channel, or the connection broke."""


class Channel:
    """Reads messages and blobs from `source`; writes JSON lines to the file descriptor `sink`.

    A message is a line with its length, then that many bytes of zlib-compressed JSON. A message that has `blobs`
    is followed by their raw bytes, one after the other.
    """

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._is_heard = True
        self._turn = _thread.allocate_lock()

    def receive(self) -> dict[str, Any]:
        line = self._source.readline()
        if not line.strip():
            raise Gone
        return unpack(self._read(int(line)))

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) < size:
            raise Gone
        return data

    def blob(self, size: int) -> Iterator[bytes]:
        """The next `size` raw bytes, in pieces."""
        left = size
        while left:
            piece = self._source.read(min(left, CHUNK))
            if not piece:
                raise Gone
            left -= len(piece)
            yield piece

    def send(self, message: dict[str, Any]) -> None:
        """Tells the deployer; once it is gone the work goes on untold."""
        if not self._is_heard:
            return
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        line = text.encode(errors="replace") + b"\n"  # names of files may be no text
        with self._turn:
            try:
                while line:
                    line = line[os.write(self._sink, line) :]
            except OSError:
                self._is_heard = False

    def show_life(self, seconds: float) -> None:
        """From now on, says now and then that the agent is alive, whatever it is at work on."""

        def show() -> None:
            while self._is_heard:
                time.sleep(seconds)
                self.send({"event": "alive"})

        _thread.start_new_thread(show, ())


def pack(message: dict[str, Any]) -> bytes:
    """A message with its length before it."""
    body = zlib.compress(json.dumps(message, separators=(",", ":")).encode())
    return b"%d\n" % len(body) + body


def unpack(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(zlib.decompress(body))
    return message
