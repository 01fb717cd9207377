"""Results as lines for a terminal, as wide as it is, in its colours; for a pipe or a file whole and plain."""

import io
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from fedikit.display.drawing import texts_of
from fedikit.display.lines import wrapped

LEAST_WIDTH = 30
UNBROKEN = 1_000_000


def printed(value: object, *, whole: bool = False) -> Iterator[str]:
    """The drawing of a result, line by line, with the escapes of its colours where standard output is a terminal."""
    outside = Console(highlight=False)
    drawn = _coloured(outside) if outside.is_terminal else _plain
    for text in texts_of(value, whole=whole):
        yield from drawn(text)


def _plain(text: Text) -> Iterator[str]:
    """As Rich would write it, in a tenth of the time: hosts wait while a plan is printed."""
    text.expand_tabs()
    return (line.rstrip() for line in text.plain.split("\n"))


def _coloured(outside: Console) -> Callable[[Text], Iterator[str]]:
    width = max(LEAST_WIDTH, outside.width)
    inside = Console(
        file=io.StringIO(), width=UNBROKEN, highlight=False, force_terminal=True, color_system="auto",
        no_color=outside.no_color, legacy_windows=False,
    )  # fmt: skip

    def shown(line: Text) -> str:
        with inside.capture() as capture:
            inside.print(line, end="", soft_wrap=True)
        return capture.get()

    return lambda text: map(shown, wrapped(text, width))
