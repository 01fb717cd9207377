"""Names that somebody sets by hand, as a table: each word in a field of its own, to be copied whole."""

import html
from collections.abc import Sequence

import ipywidgets as w

from fedikit.errors import visible
from fedikit.panel.texts import Texts
from fedikit.panel.widgets import markup, plain


def names_table(rows: Sequence[Sequence[str]], *, text: Texts) -> w.HTML:
    """The table. `rows`: name, type, address, and where the name leads now."""
    return markup(names_html(rows, text=text), "fk-names")


def names_html(rows: Sequence[Sequence[str]], *, text: Texts) -> str:
    """The same as HTML."""
    heads = [text("Name"), text("Type"), text("Address"), text("Leads to now")]
    first = "".join(f'<th scope="col">{plain(head)}</th>' for head in heads)
    lines = "".join(f"<tr>{''.join(map(_cell, heads, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{first}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(head: str, words: str) -> str:
    """`data-head` is what stands above it where there is no room for heads."""
    above, value, label = (html.escape(visible(each), quote=True) for each in (head, words, f"{head}: {words}"))
    field = f'<input type="text" readonly value="{value}" size="{max(6, len(words))}" aria-label="{label}">'
    return f'<td data-head="{above}">{field}</td>'
