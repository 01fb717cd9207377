"""The parts that pages are made of: headings, notices, buttons and folds that a keyboard and a screen reader find.

Rule: what comes from people, hosts or files is escaped here, once, before it becomes HTML.
"""

import html
from collections.abc import Callable, Sequence
from typing import Any, Literal

import ipywidgets as w

from fedikit.errors import visible

Tone = Literal["plain", "good", "warn", "bad"]
Kind = Literal["plain", "main", "danger"]
"""What a button is: one of several, what is usually wanted here, or what takes something away."""
SIGNS: dict[Tone, str] = {"plain": "", "good": "✔ ", "warn": "! ", "bad": "✘ "}
"""What says it besides the colour."""


def plain(words: str) -> str:
    """Words as HTML: nothing in them is markup, and no character hides or moves others."""
    return html.escape(visible(words))


def markup(content: str, *classes: str) -> w.HTML:
    """HTML as it is: for what was escaped already."""
    return classed(w.HTML(content), *classes)


def heading(text: str, level: int = 2) -> w.HTML:
    return markup(f"<h{level}>{plain(text)}</h{level}>", "fk-heading")


def paragraph(text: str, *classes: str) -> w.HTML:
    return markup(f"<p>{plain(text)}</p>", *classes)


def notice(text: str, tone: Tone = "plain", *classes: str) -> w.HTML:
    """A sentence that stands out; its sign says of which sort it is, its colour too."""
    return markup(f"<p>{SIGNS[tone]}{plain(text)}</p>", "fk-notice", f"fk-{tone}", *classes)


def bullets(lines: Sequence[str], *classes: str) -> w.HTML:
    items = "".join(f"<li>{plain(line)}</li>" for line in lines)
    return markup(f"<ul>{items}</ul>", *classes)


def link(address: str, label: str, *classes: str) -> w.HTML:
    """A link that opens beside the panel, and does not tell the other page where it came from."""
    href = html.escape(address, quote=True)
    return markup(
        f'<a class="fk-link" href="{href}" target="_blank" rel="noopener noreferrer">{plain(label)}</a>', *classes
    )


def button(label: str, act: Callable[[], object], *classes: str, kind: Kind = "plain") -> w.Button:
    made = w.Button(description=label, tooltip=label)
    made.on_click(lambda _: act())
    return classed(made, "fk-button", f"fk-button-{kind}", *classes)


def row(*children: w.Widget) -> w.Box:
    """Side by side, where there is room."""
    return classed(w.Box(list(children)), "fk-row")


def column(*children: w.Widget, classes: Sequence[str] = ()) -> w.VBox:
    return classed(w.VBox(list(children)), "fk-column", *classes)


class Fold:
    """A part that opens and closes by a button, made when it is first opened."""

    def __init__(self, label: str, make: Callable[[], w.Widget], *classes: str) -> None:
        self._label, self._make = label, make
        self._button = button(f"▸ {label}", self.turn, "fk-fold", *classes)
        self._body = w.VBox([])
        self.widget = column(self._button, self._body)

    @property
    def is_open(self) -> bool:
        return bool(self._body.children)

    def turn(self) -> None:
        """Opens what is closed, closes what is open."""
        before = self._body.children
        self._body.children = () if self.is_open else (self._make(),)
        for part in before:
            close(part)
        self._button.description = f"{'▾' if self.is_open else '▸'} {self._label}"


def close(widget: w.Widget) -> None:
    """Forgets a widget and all that is in it, here and in the browser, where it would stay for good."""
    for part in getattr(widget, "children", ()):
        close(part)
    for name in ("layout", "style"):
        if part := getattr(widget, name, None):
            part.close()
    widget.close()


def classed(widget: Any, *classes: str) -> Any:
    for name in classes:
        widget.add_class(name)
    return widget
