"""Breaking lines that are too long: between words, and going on further right."""

import io
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

HANG = 4
"""How much further right a line goes on."""


def wrapped(text: Text, width: int) -> Iterator[Text]:
    """The lines of a text, none wider than that."""
    for line in text.split("\n", allow_blank=True):
        line.rstrip()
        yield from [line] if line.cell_len <= width else _broken(line, width)


def _broken(line: Text, width: int) -> Iterator[Text]:
    measure = Console(width=width, file=io.StringIO())
    first = line.wrap(measure, width)[0]
    yield first
    rest = line[len(first.plain) :]
    rest = rest[_leading(rest) :]
    indent = " " * min(_leading(line) + HANG, width // 2)
    yield from (Text.assemble(indent, part) for part in rest.wrap(measure, width - len(indent)))


def _leading(text: Text) -> int:
    return len(text.plain) - len(text.plain.lstrip())
