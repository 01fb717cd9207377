"""Texts as HTML: for notebooks, and wherever their outputs are shown. Lines wrap, and colours follow the theme.

Rule: what is shown is escaped here. Outputs bring the style along, for a saved notebook has nothing else.
"""

import html
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_HYPHENATED = re.compile(r"[^\s-]*-\S+")
"""Options, names of runs: a browser would break them behind each hyphen."""


def shown(*parts: str) -> str:
    """The parts as one output."""
    return unstyled(f"<style>{_style()}</style>", *parts)


def unstyled(*parts: str) -> str:
    """The same without the style: small, and plain unless another output on the page brings it."""
    return f'<div class="fk-shown">{"".join(parts)}</div>'


def styled(words: str, style: str = "") -> str:
    """Words in one of the styles, such as `bold red`."""
    classes = " ".join(f"fk-{name}" for name in style.split())
    inner = _HYPHENATED.sub(r'<span class="fk-word">\g<0></span>', html.escape(words))
    return f'<span class="{classes}">{inner}</span>' if classes else inner


def line(content: str) -> str:
    """A line of its own, of what is HTML already; where it is too long, it goes on further right."""
    return f'<div class="fk-line">{content}</div>'


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells that are HTML already; the first of each names what the others are about."""
    lines = (f'<th scope="row">{head}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) for head, *rest in rows)
    return f'<table class="fk-rows">{"".join(f"<tr>{cells}</tr>" for cells in lines)}</table>'


def fold(summary: str, lines: Iterable[str], *, is_open: bool) -> str:
    """Lines that fold away below their summary."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>{''.join(lines)}</details>"


def as_html(text: "Text") -> str:
    """A text of the terminal's with its styles as classes."""
    cuts = sorted({0, len(text), *(cut for span in text.spans for cut in (span.start, span.end))})
    return "".join(styled(text.plain[start:end], _style_at(text, start)) for start, end in pairwise(cuts))


def lines(text: "Text") -> str:
    """A text of the terminal's, each line on a line of its own."""
    return "".join(line(as_html(part)) for part in text.split("\n"))


def _style_at(text: "Text", place: int) -> str:
    styles = [text.style, *(span.style for span in text.spans if span.start <= place < span.end)]
    return " ".join(map(str, filter(None, styles)))


@cache
def _style() -> str:
    return files("fedikit.display").joinpath("shown.css").read_text("utf-8").partition("*/")[2].strip()
