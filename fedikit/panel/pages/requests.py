"""Requests: what others want done, to which this operator may agree."""

from collections.abc import Iterator
from pathlib import Path

import ipywidgets as w

from fedikit.panel.away_words import move_in_words
from fedikit.panel.backup_words import restore_in_words
from fedikit.panel.desk import Desk
from fedikit.panel.order import Request
from fedikit.panel.pages.look import UNREADABLE_PLAN, move_of, plan_of, restore_of
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import bullets, column, heading, notice, paragraph, row
from fedikit.panel.words import plan_in_words
from fedikit.results.migration import MigrationPlan
from fedikit.results.plan import Plan
from fedikit.results.restoring import RestorePlan


class Requests(Page):
    """What waits for somebody's agreement."""

    name = "requests"
    title = "Requests"

    @classmethod
    def concerns(cls, desk: Desk) -> bool:
        return bool(desk.others())

    def seen(self) -> object:
        return [(desk.who, desk.mark_of_request()) for desk in self.desk.others()]

    def refresh(self) -> None:
        asked = [(desk, request) for desk in self.desk.others() if (request := desk.request())]
        nothing = [] if asked else [paragraph(self.text("Nobody asks for anything."))]
        self.show(heading(self.text(self.title)), *nothing, *(self._card(desk, request) for desk, request in asked))

    def _card(self, desk: Desk, request: Request) -> w.Widget:
        when = f"{request.asked.astimezone():%Y-%m-%d %H:%M}"
        title = heading(self.text("{who} asks, since {when}", who=request.who, when=when), 3)
        decline = self.button(self.text("Decline"), lambda: self._decline(desk), "fk-decline")
        told = self._told(request)
        parts = (
            [*told, self._answer(request, decline)] if told else [notice(self.text(UNREADABLE_PLAN), "bad"), decline]
        )
        return column(title, *parts, classes=("fk-card", f"fk-request-{request.who}"))

    def _told(self, request: Request) -> list[w.Widget]:
        """What is asked for, in words; nothing if that cannot be read."""
        record = Path(request.record)
        if request.order.runbook == "restore":
            restore = restore_of(record)
            return list(self._restore(restore)) if restore else []
        if request.order.runbook == "migrate":
            move = move_of(record)
            return list(self._move(move)) if move else []
        plan = plan_of(record)
        return list(self._plan(plan)) if plan else []

    def _plan(self, plan: Plan) -> Iterator[w.Widget]:
        words = plan_in_words(plan, text=self.text)
        if words.lost:
            yield notice(self.text("This will be lost, and cannot be had back:"), "bad")
            yield bullets(words.lost, "fk-lost")
        yield bullets([*words.changes, *words.kept, words.rest])

    def _restore(self, plan: RestorePlan) -> Iterator[w.Widget]:
        words = restore_in_words(plan, text=self.text)
        yield notice(self.text("This data will be replaced:"), "bad")
        yield bullets(words.replaced, "fk-lost")
        yield bullets(words.meanwhile)

    def _move(self, plan: MigrationPlan) -> Iterator[w.Widget]:
        words = move_in_words(plan, text=self.text)
        yield notice(self.text("Everything is moved, with all data:"), "warn")
        yield bullets([*words.moves, *words.meanwhile, *words.stays])

    def _answer(self, request: Request, decline: w.Widget) -> w.Widget:
        agreed = request.order.model_copy(update={"approver": self.desk.who})
        label = self.text("Agree, and have it done")
        return row(self.button(label, lambda: self.ways.order(agreed), "fk-agree", kind="main"), decline)

    def _decline(self, desk: Desk) -> None:
        desk.forget_request()
        self.refresh()
