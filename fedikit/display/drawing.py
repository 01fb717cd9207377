"""Draws plans, reports, verdicts and status: as text for a terminal and a saved notebook, as HTML for a browser.

Words of hosts stand in it as plain text, never as markup: so nothing in them can become a link, or a style.
"""

import io
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from rich.console import Console, Group, RenderableType

from fedikit.display.markup import shown

NOTEBOOK_WIDTH = 112

DRAWN_BY = {"Plan": "plans", "Report": "outcomes", "Status": "states", "Verdict": "outcomes",
            "UpgradePlan": "upgrades", "UpgradeReport": "upgrades"}  # fmt: skip
"""The module of this room that draws a result, by the name of its kind: it is imported when there is one."""


def draw(value: object) -> RenderableType:
    """The drawing of a plan, report, verdict or status."""
    return Group(*_drawer("draw", value)(value))


def mimebundle(value: object) -> dict[str, str]:
    """The drawing as a notebook keeps it: plain text, and HTML that wraps and folds."""
    lines = (line.rstrip() for line in lines_of(value, NOTEBOOK_WIDTH))
    return {"text/plain": "\n".join(lines), "text/html": shown(*_drawer("html_of", value)(value))}


def lines_of(value: object, width: int = 100) -> Iterator[str]:
    """The drawing as plain lines."""
    console = Console(width=width, file=io.StringIO(), record=True, force_jupyter=False)
    console.print(draw(value))
    yield from console.export_text().splitlines()


def _drawer(how: str, value: object) -> Callable[[object], Iterator[Any]]:
    kind = type(value).__name__
    if kind not in DRAWN_BY:
        raise TypeError(f"{kind} has no drawing")
    drawer: Callable[[object], Iterator[Any]] = getattr(
        import_module(f"fedikit.display.{DRAWN_BY[kind]}"), f"{how}_{kind.lower()}"
    )
    return drawer
