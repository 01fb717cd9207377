"""What every page has: a desk, words, and a way to the other pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import ipywidgets as w

from fedikit.panel.desk import Desk
from fedikit.panel.order import Order
from fedikit.panel.texts import Texts


@dataclass(frozen=True)
class Ways:
    """Where a page can lead."""

    go: Callable[[str], None]
    """To the page of that name."""
    order: Callable[[Order], None]
    """Has something done: to the run, once it has begun, or to the reason why not."""
    say: Callable[[str], None]
    """Tells the visitor something, above the page."""


class Page:
    """One page. It is made when it is first looked at, and told when something has moved."""

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, desk: Desk, text: Texts, ways: Ways) -> None:
        self.desk, self.text, self.ways = desk, text, ways
        self.widget = w.VBox([])
        self.widget.add_class("fk-page")
        self.widget.add_class(f"fk-page-{self.name}")

    @classmethod
    def concerns(cls, desk: Desk) -> bool:
        """Whether there is anything on it for them."""
        return True

    def enter(self) -> None:
        """Somebody comes to look."""

    def refresh(self) -> None:
        """A run began, went on or ended, or a file changed."""

    def show(self, *parts: w.Widget) -> None:
        self.widget.children = parts
