"""A field as an ipywidgets control: labelled, and with nothing but its entry as its value; and what folds them away."""

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as widgets

from fedikit.panel.fields import (
    Choice,
    Entry,
    Field,
    Json,
    Line,
    Lines,
    LongText,
    Part,
    Secret,
    Switch,
    parts_of,
)
from fedikit.panel.texts import Texts

CHOICES = {
    "open": "everybody",
    "approved": "whom an administrator approves",
    "none": "nobody",
    "blocklist": "all that are not blocked",
    "allowlist": "only those that are allowed",
}
"""What the choices of the data model are called."""


def control(field: Field, title: str, text: Texts) -> Any:
    """The control in which a field is filled in, without its entry yet. Text is told of when the field is left."""
    if isinstance(field, Switch):
        return widgets.Checkbox(description=title, indent=False)
    if isinstance(field, Choice):
        return widgets.Dropdown(description=title, options=[_option(field, value, text) for value in field.choices])
    if isinstance(field, Secret):
        return widgets.Password(description=title, continuous_update=False)
    is_long = isinstance(field, LongText | Lines | Json)
    sort = widgets.Textarea if is_long else widgets.Text
    return sort(description=title, continuous_update=False, placeholder=_placeholder(field))


def show(made: Any, entry: Entry, text: Texts) -> None:
    """Puts an entry into a control. A choice that is none is shown as what it is."""
    if isinstance(made, widgets.Dropdown) and entry not in [value for _, value in made.options]:
        made.options = ((str(entry) or text("please choose"), entry), *made.options)
    made.value = entry


def box(children: Iterable[Any], *names: str) -> Any:
    """Controls below each other, by which style sheets and browsers' tests find them."""
    made = widgets.VBox(list(children))
    for name in names:
        made.add_class(name)
    return made


def _option(field: Choice, value: Any, text: Texts) -> tuple[str, Entry]:
    if value is None:
        return text("no choice"), field.shown(value)
    if isinstance(value, bool):
        return text("yes") if value else text("no"), field.shown(value)
    return text(CHOICES.get(value, str(value))), field.shown(value)


def _placeholder(field: Field) -> str:
    """An example, or else what holds if nothing is entered."""
    usual = field.shown(field.default) if isinstance(field, Line | Lines) else ""
    return "\n".join(field.examples) or str(usual)


class Fold:
    """What is built when it is first opened, and can be shut again. It knows the paths that it holds."""

    def __init__(self, build: Callable[[], list[Any]], parts: Iterable[Part]) -> None:
        self.holds = frozenset(inner.path for part in parts for inner in parts_of(part))
        self.box = box([], "fk-fold")
        self._build: Callable[[], list[Any]] | None = build
        self.is_open = True
        self.turn(is_open=False)

    def turn(self, *, is_open: bool) -> None:
        """Opens or shuts it."""
        self.is_open = is_open
        if is_open and self._build:
            build, self._build = self._build, None
            self.box.children = tuple(build())
        self.box.layout.display = None if is_open else "none"


class ButtonFold(Fold):
    """A fold with a button of its own, which says what it would do."""

    def __init__(self, build: Callable[[], list[Any]], parts: Iterable[Part], *, opens: str, shuts: str) -> None:
        self._opens, self._shuts = opens, shuts
        self.button = widgets.Button()
        self.button.add_class("fk-fold-button")
        super().__init__(build, parts)

    def turn(self, *, is_open: bool) -> None:
        super().turn(is_open=is_open)
        self.button.description = self._shuts if is_open else self._opens
        self.button.icon = "caret-down" if is_open else "caret-right"
