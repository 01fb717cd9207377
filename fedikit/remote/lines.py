"""Lines out of a contact: none too long, and none waited for longer than is said."""

import time
from collections.abc import Callable

from fedikit.remote.spoken import LINE_BYTES

Read = Callable[[float], bytes]


class TooLong(Exception):
    """A line that does not end."""


class Lines:
    """Splits what a contact reads into lines."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._pieces: list[bytes] = []
        self._size = 0
        self._whole: list[bytes] = []

    def next(self, seconds: float) -> bytes:
        """The next line with its end, the rest without one when there is no more, in the end nothing.

        Raises TimeoutError if it is not there after so many seconds, TooLong.
        """
        deadline = time.monotonic() + seconds
        while not self._whole:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            piece = self._read(left)
            if not piece:
                return self._rest()
            self._take(piece)
        return self._whole.pop()

    def _take(self, piece: bytes) -> None:
        *ended, rest = piece.split(b"\n")
        if ended:
            first = b"".join([*self._pieces, ended[0]])
            self._whole = [line + b"\n" for line in reversed([first, *ended[1:]])]
            self._pieces, self._size = [], 0
        self._pieces.append(rest)
        self._size += len(rest)
        if self._size > LINE_BYTES:
            raise TooLong

    def _rest(self) -> bytes:
        rest = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return rest
