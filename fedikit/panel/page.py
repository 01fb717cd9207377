"""The panel as one widget: its pages, the way between them, and who is at work."""

import asyncio
import html
import os
import sys
import traceback
from collections.abc import Callable
from importlib.resources import files

import ipywidgets as w

from fedikit.errors import FedikitError
from fedikit.panel.desk import Desk
from fedikit.panel.order import Order, Place
from fedikit.panel.pages.away import AwayPage
from fedikit.panel.pages.backups import BackupsPage
from fedikit.panel.pages.checks import Checks
from fedikit.panel.pages.choose import Choose
from fedikit.panel.pages.history import History
from fedikit.panel.pages.leave import Leave
from fedikit.panel.pages.look import Look
from fedikit.panel.pages.page import Page, Ways
from fedikit.panel.pages.progress import Progress
from fedikit.panel.pages.requests import Requests
from fedikit.panel.pages.services import Services
from fedikit.panel.runner import start
from fedikit.panel.texts import Texts
from fedikit.panel.widgets import button, classed, column, markup, plain
from fedikit.remote.session import OPERATOR
from fedikit.runbook.record import RunStatus

PAGES: tuple[type[Page], ...] = (
    Services, Choose, Look, Progress, Checks, BackupsPage, History, Leave, AwayPage, Requests,
)  # fmt: skip
GLANCE_SECONDS = 1.0


def show(
    configuration: str = "", environment: str = "", *, panel: str = "", operator: str = "", language: str = "en"
) -> w.Widget:
    """The panel of an operator in `panel.toml`, or, without one, the provider's on these two files.

    Mistakes in the files that are needed are shown in its place.
    """
    text = Texts(language)
    try:
        desk = Desk.at(Place(configuration=configuration, environment=environment, panel=panel, operator=operator))
    except FedikitError as error:
        return markup(f'<p class="fk-bad" role="alert">✘ {html.escape(error.text)}</p>')
    if desk.who:
        os.environ[OPERATOR] = desk.who
    return Panel(desk, text).widget


class Panel:
    """One visitor's view."""

    def __init__(self, desk: Desk, text: Texts) -> None:
        self.desk, self.text = desk, text
        ways = Ways(self.go, self.order, self.say, self.attempt)
        self.pages = {page.name: page(desk, text, ways) for page in PAGES if page.concerns(desk)}
        self._tabs = {name: self._tab(page) for name, page in self.pages.items()}
        self._told = markup("", "fk-told")
        self._body = w.VBox([])
        style = markup(f"<style>{files('fedikit.panel').joinpath('panel.css').read_text('utf-8')}</style>")
        title = markup(f"<h1>{html.escape(self.text(Services.title))}</h1>", "fk-title")
        navigation = classed(w.Box(list(self._tabs.values())), "fk-navigation")
        self.widget = column(style, title, navigation, self._told, self._body, classes=("fk-desk",))
        self._at = ""
        self.go("services")
        self.attempt(self._join)
        self._watching = asyncio.ensure_future(self._watch())

    @property
    def page(self) -> Page:
        """The page that is looked at."""
        return self.pages[self._at]

    def go(self, name: str) -> None:
        """Shows another page."""
        self._told.value = ""
        if name == "choose" and isinstance(page := self.pages[name], Choose) and self._at in ("history", "look"):
            page.start_over()
        self._at = name
        for each, tab in self._tabs.items():
            (tab.add_class if each == name else tab.remove_class)("fk-here")
        self.attempt(self.page.enter)
        self._body.children = (self.page.widget,)

    def order(self, order: Order) -> None:
        """Has it done by a process of its own, and shows how it goes on."""
        self.say(self.text("One moment …"))
        self._ordering = asyncio.ensure_future(self._order(order))

    def close(self) -> None:
        """Ends the watching."""
        self._watching.cancel()

    def say(self, words: str, *, is_bad: bool = False) -> None:
        """Tells the visitor something, above the page."""
        sign, kind = ("✘ ", "fk-bad") if is_bad else ("", "fk-plain")
        lines = "\n".join(map(plain, words.splitlines()))
        self._told.value = f'<p class="{kind}" role="status" style="white-space:pre-line">{sign}{lines}</p>'

    def attempt(self, act: Callable[[], object]) -> bool:
        """Does something, and tells the visitor why it did not work; says whether it did."""
        try:
            act()
        except FedikitError as error:
            self.say(error.text, is_bad=True)
        except OSError as error:
            self.say(self.text("The panel's machine refused it: {reason}", reason=error), is_bad=True)
        except Exception:
            traceback.print_exc(file=sys.__stderr__)  # the server's log; what the kernel prints goes to the browser
            words = "That did not work, and the panel is to blame. Your provider finds the reason in its log."
            self.say(self.text(words), is_bad=True)
        else:
            return True
        return False

    async def _order(self, order: Order) -> None:
        try:
            await asyncio.to_thread(start, order)
        except (FedikitError, OSError) as error:
            self.say(error.text if isinstance(error, FedikitError) else str(error), is_bad=True)
        else:
            self.attempt(lambda: self._follow(order))

    def _follow(self, order: Order) -> None:
        if order.place.operator != self.desk.who:
            self.go("requests")
            self.say(self.text("It has begun; {who} sees how it goes on.", who=order.place.operator))
        else:
            self.go(_page_of(order))

    async def _watch(self) -> None:
        """Has the page look around. It sends nothing as long as nothing has moved, so that a kernel may rest."""
        while True:
            await asyncio.sleep(GLANCE_SECONDS)
            self.attempt(lambda: self.page.glance())

    def _join(self) -> None:
        """Shows the run that goes on, if there is one."""
        newest = self.desk.newest_run()
        if newest and newest.status is RunStatus.RUNNING:
            self.go("progress")

    def _tab(self, page: Page) -> w.Button:
        return button(self.text(page.title), lambda: self.go(page.name), "fk-tab", f"fk-tab-{page.name}")


def _page_of(order: Order) -> str:
    """Where it is seen how an order goes on."""
    if order.runbook == "verify" or not order.dry_run:
        return "progress"
    return "backups" if order.runbook == "backup" else "look"
