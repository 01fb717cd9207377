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
    width = max(LEAST_WIDTH, outside.width) if outside.is_terminal else UNBROKEN
    shown = _coloured(outside) if outside.is_terminal else _plain
    for text in texts_of(value, whole=whole):
        yield from map(shown, wrapped(text, width))


def _plain(line: Text) -> str:
    """As Rich would write it, in a tenth of the time: hosts wait while a plan is printed."""
    line.expand_tabs()
    return line.plain


def _coloured(outside: Console) -> Callable[[Text], str]:
    inside = Console(
        file=io.StringIO(), width=UNBROKEN, highlight=False, force_terminal=True, color_system="auto",
        no_color=outside.no_color, legacy_windows=False,
    )  # fmt: skip

    def shown(line: Text) -> str:
        with inside.capture() as capture:
            inside.print(line, end="", soft_wrap=True)
        return capture.get()

    return shown
