"""Draws plans, reports, verdicts and status. One drawing serves terminal and notebook.

Words of hosts stand in it as plain text, never as markup: so nothing in them can become a link, or a style.
"""

import io
from collections.abc import Callable, Iterator
from importlib import import_module

from rich.console import Console, Group, RenderableType

NOTEBOOK_WIDTH = 112
HTML = '<pre style="white-space:pre;overflow-x:auto;line-height:1.35;font-family:monospace">{code}</pre>'


DRAWN_BY = {"Plan": "plans", "Report": "outcomes", "Status": "outcomes", "Verdict": "outcomes"}
"""The module of this room that draws a result, by the name of its kind: it is imported when there is one."""


def draw(value: object) -> RenderableType:
    """The drawing of a plan, report, verdict or status."""
    kind = type(value).__name__
    if kind not in DRAWN_BY:
        raise TypeError(f"{kind} has no drawing")
    drawer: Callable[[object], Iterator[RenderableType]] = getattr(
        import_module(f"fedikit.display.{DRAWN_BY[kind]}"), f"draw_{kind.lower()}"
    )
    return Group(*drawer(value))


def mimebundle(value: object) -> dict[str, str]:
    """The drawing as a notebook keeps it: plain text and HTML."""
    console = Console(
        record=True, width=NOTEBOOK_WIDTH, file=io.StringIO(), color_system="truecolor", force_jupyter=False
    )
    console.print(draw(value))
    html = console.export_html(code_format=HTML, inline_styles=True, clear=False)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    return {"text/plain": "\n".join(lines), "text/html": html}


def lines_of(value: object, width: int = 100) -> Iterator[str]:
    """The drawing as plain lines."""
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(draw(value))
    yield from console.export_text().splitlines()
