"""Results as lines for a terminal, as wide as it is, in its colours; for a pipe or a file whole and plain."""

import io
from collections.abc import Iterator

from rich.console import Console

from fedikit.display.drawing import texts_of
from fedikit.display.lines import wrapped

LEAST_WIDTH = 30
UNBROKEN = 1_000_000


def printed(value: object, *, whole: bool = False) -> Iterator[str]:
    """The drawing of a result, line by line, with the escapes of its colours where standard output is a terminal."""
    outside = Console(highlight=False)
    width = max(LEAST_WIDTH, outside.width) if outside.is_terminal else UNBROKEN
    inside = Console(
        file=io.StringIO(), width=UNBROKEN, highlight=False, force_terminal=outside.is_terminal,
        color_system="auto" if outside.is_terminal else None, no_color=outside.no_color,
        legacy_windows=False,
    )  # fmt: skip
    for text in texts_of(value, whole=whole):
        for line in wrapped(text, width):
            with inside.capture() as capture:
                inside.print(line, end="", soft_wrap=True)
            yield capture.get()
