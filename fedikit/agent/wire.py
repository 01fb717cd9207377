"""Values as D-Bus has them on the wire, little end first: each at a multiple of its own size."""

import struct
from collections.abc import Callable

TEXTS = ("s", "o", "g")
SIZES = {"y": 1, "n": 2, "q": 2, "i": 4, "u": 4, "h": 4, "b": 4, "x": 8, "t": 8, "d": 8}
"""What numbers take, in bytes."""


class Strange(OSError):
    """It said what is not understood here."""


class Writer:
    """Writes values."""

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        self.data += bytes(-len(self.data) % size)

    def number(self, number: int) -> None:
        self.align(4)
        self.data += struct.pack("<I", number)

    def text(self, text: str) -> None:
        self.number(len(text.encode()))
        self.data += text.encode() + b"\0"

    def signature(self, text: str) -> None:
        self.data += bytes([len(text)]) + text.encode() + b"\0"

    def variant(self, signature: str, write: Callable[[], None]) -> None:
        self.signature(signature)
        write()

    def array(self, element: int, write: Callable[[], None]) -> None:
        """An array; `element` is what its elements are aligned to."""
        self.number(0)
        at = len(self.data)
        self.align(element)
        start = len(self.data)
        write()
        self.data[at - 4 : at] = struct.pack("<I", len(self.data) - start)


class Reader:
    """Reads values in the same way; raises Strange where there are none such."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def align(self, size: int) -> None:
        self.at += -self.at % size

    def number(self, size: int = 4) -> int:
        self.align(size)
        return int.from_bytes(self._piece(size), "little")

    def text(self) -> str:
        return self._words(self.number())

    def signature(self) -> str:
        return self._words(self.number(1))

    def value(self) -> str:
        """A variant, in systemd's own words; of a list only whether it is there."""
        try:
            return self._of(self.signature())
        except (IndexError, RecursionError) as error:
            raise Strange("a value of no kind") from error

    def _of(self, shape: str) -> str:
        if shape in TEXTS:
            return self.text() if shape != "g" else self.signature()
        if shape == "b":
            return "yes" if self.number() else "no"
        if shape in SIZES:
            return str(self.number(SIZES[shape]))
        if shape.startswith("a"):
            return self._list(shape[1])
        if shape.startswith("("):
            return self._row(shape[1:-1])
        raise Strange(f"a value of the kind {shape}")

    def _list(self, element: str) -> str:
        size = self.number()
        self.align(SIZES.get(element) or (8 if element in "({" else 1 if element in "gv" else 4))
        self._piece(size)
        return "there" if size else ""

    def _row(self, kinds: str) -> str:
        self.align(8)
        parts = []
        while kinds:
            first, kinds = _first_of(kinds)
            parts.append(self._of(first))
        return " ".join([parts[0], *(f'"{part}"' for part in parts[1:])]) if any(parts) else ""

    def _words(self, size: int) -> str:
        return self._piece(size + 1)[:size].decode(errors="replace")

    def _piece(self, size: int) -> bytes:
        piece = self._data[self.at : self.at + size]
        if len(piece) < size:
            raise Strange("a message that ends too early")
        self.at += size
        return piece


def _first_of(kinds: str) -> tuple[str, str]:
    """The first of some kinds of values, and the others."""
    if kinds[0] == "a":
        element, others = _first_of(kinds[1:])
        return f"a{element}", others
    depth = 0
    for end, sign in enumerate(kinds, 1):
        depth += (sign in "({") - (sign in ")}")
        if depth == 0:
            return kinds[:end], kinds[end:]
    raise Strange(f"values of the kinds {kinds}")
