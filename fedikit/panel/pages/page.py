"""What every page has: a desk, words, and a way to the other pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import ipywidgets as w

from fedikit.panel.desk import Desk
from fedikit.panel.order import Order
from fedikit.panel.texts import Texts
from fedikit.panel.widgets import Kind, button, close
from fedikit.panel.words import run_in_words
from fedikit.runbook.record import Record, RunStatus


@dataclass(frozen=True)
class Ways:
    """Where a page can lead."""

    go: Callable[[str], None]
    """To the page of that name."""
    order: Callable[[Order], None]
    """Has something done: to the run, once it has begun, or to the reason why not."""
    say: Callable[[str], None]
    """Tells the visitor something, above the page."""
    attempt: Callable[[Callable[[], object]], bool]
    """Does something, and tells the visitor why it did not work; says whether it did."""


class Page:
    """One page. It is drawn when somebody comes to look, and again when what it is drawn from has moved.

    Drawn seldom: whoever uses a keyboard loses their place when what they are at is made anew.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, desk: Desk, text: Texts, ways: Ways) -> None:
        self.desk, self.text, self.ways = desk, text, ways
        self.widget = w.VBox([])
        self.widget.add_class("fk-page")
        self.widget.add_class(f"fk-page-{self.name}")
        self._seen: object = None

    @classmethod
    def concerns(cls, desk: Desk) -> bool:
        """Whether there is anything on it for them."""
        return True

    def enter(self) -> None:
        """Somebody comes to look."""
        self._seen = self.seen()
        self.refresh()

    def glance(self) -> None:
        """Every second: draws the page again if what it is drawn from is another than when it was drawn last."""
        seen = self.seen()
        if seen != self._seen:
            self._seen = seen
            self.refresh()

    def seen(self) -> object:
        """What it is drawn from, in short; quickly found out."""
        return None

    def refresh(self) -> None:
        """Draws the page from what is there now."""

    def show(self, *parts: w.Widget) -> None:
        """Shows these parts; those before them are gone."""
        before = self.widget.children
        self.widget.children = parts
        for part in before:
            if part not in parts:
                close(part)

    def button(self, label: str, act: Callable[[], object], *classes: str, kind: Kind = "plain") -> w.Button:
        """A button that says why, if what it does does not work."""
        return button(label, lambda: self.ways.attempt(act), *classes, kind=kind)


def told(record: Record, text: Texts) -> str:
    """A run in a sentence, also one whose record is damaged."""
    if record.status is not RunStatus.UNREADABLE:
        try:
            return run_in_words(record, text=text).sentence
        except ValueError:  # of a folder whose name does not say when it began
            pass
    return text("The record {name} cannot be read: it is damaged, or of another version.", name=record.folder.name)
