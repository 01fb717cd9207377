"""Draws plans, reports, verdicts and status. One drawing serves terminal and notebook.

Words of hosts stand in it as plain text, never as markup: so nothing in them can become a link, or a style.
"""

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType

from fedikit.display.outcomes import draw_report, draw_status, draw_verdict
from fedikit.display.plans import draw_plan
from fedikit.results.plan import Plan
from fedikit.results.report import Report
from fedikit.results.status import Status
from fedikit.results.verdict import Verdict

NOTEBOOK_WIDTH = 112
HTML = '<pre style="white-space:pre;overflow-x:auto;line-height:1.35;font-family:monospace">{code}</pre>'


def draw(value: object) -> RenderableType:
    """The drawing of a plan, report, verdict or status."""
    match value:
        case Plan():
            return Group(*draw_plan(value))
        case Report():
            return Group(*draw_report(value))
        case Status():
            return Group(*draw_status(value))
        case Verdict():
            return Group(*draw_verdict(value))
    raise TypeError(f"{type(value).__name__} has no drawing")


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
