"""Requests: what others want done, to which this operator may agree."""

from pathlib import Path

import ipywidgets as w

from fedikit.panel.desk import Desk, Request
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import bullets, button, column, heading, notice, paragraph, row
from fedikit.panel.words import plan_in_words
from fedikit.results.plan import Plan


class Requests(Page):
    """What waits for somebody's agreement."""

    name = "requests"
    title = "Requests"

    @classmethod
    def concerns(cls, desk: Desk) -> bool:
        return bool(desk.others())

    def enter(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        asked = [(desk, request) for desk in self.desk.others() if (request := desk.request())]
        nothing = [] if asked else [paragraph(self.text("Nobody asks for anything."))]
        self.show(heading(self.text(self.title)), *nothing, *(self._card(desk, request) for desk, request in asked))

    def _card(self, desk: Desk, request: Request) -> w.Widget:
        plan = Plan.model_validate_json((Path(request.record) / "plan.json").read_bytes())
        words = plan_in_words(plan, text=self.text)
        when = f"{request.asked.astimezone():%Y-%m-%d %H:%M}"
        agreed = request.order.model_copy(update={"approver": self.desk.who})
        parts: list[w.Widget] = [heading(self.text("{who} asks, since {when}", who=request.who, when=when), 3)]
        if words.lost:
            parts += [
                notice(self.text("This will be lost, and cannot be had back:"), "bad"),
                bullets(words.lost, "fk-lost"),
            ]
        parts.append(bullets([*words.changes, *words.kept, words.rest]))
        parts.append(
            row(
                button(self.text("Agree, and have it done"), lambda: self.ways.order(agreed), "fk-agree", kind="main"),
                button(self.text("Decline"), lambda: self._decline(desk), "fk-decline"),
            )
        )
        return column(*parts, classes=("fk-card", f"fk-request-{request.who}"))

    def _decline(self, desk: Desk) -> None:
        desk.forget_request()
        self.refresh()
