"""Undo: take one service away, or all of them, or go back to the generation before. Data stays unless it is said."""

from collections.abc import Iterator

import ipywidgets as w

from fedikit.errors import FedikitError
from fedikit.panel.order import Order
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import column, heading, notice, paragraph


class Leave(Page):
    """What takes things away."""

    name = "leave"
    title = "Undo"

    def seen(self) -> object:
        return self.desk.marks()

    def refresh(self) -> None:
        stays = self.text(
            "You see first what would go. Data stays on the machines, unless you ask for its destruction."
        )
        self.show(heading(self.text(self.title)), paragraph(stays), *self._ways_out())

    def _ways_out(self) -> Iterator[w.Widget]:
        try:
            if not self.desk.saved():
                yield paragraph(self.text("Nothing is chosen yet."))
                return
            enabled = list(self.desk.chosen().enabled())
        except FedikitError as error:
            yield notice(error.text, "warn")
            enabled = []
        theirs = [name for name in enabled if self.desk.rights.may_change(f"{name}.enable")]
        yield column(*[self._one(name) for name in theirs], classes=("fk-card",))
        if len(theirs) == len(enabled):
            words = self.text("Take everything away")
            yield self.button(words, lambda: self._order("remove"), "fk-remove-all", kind="danger")
        if not (self.desk.operator and self.desk.operator.is_restricted):
            words = self.text("Go back to how machines were before the last change")
            yield self.button(words, lambda: self._order("rollback"), "fk-rollback", kind="danger")

    def _one(self, name: str) -> w.Widget:
        label = self.text("Take {application} away", application=spelt(name))
        return self.button(label, lambda: self._disable(name), f"fk-disable-{name}", kind="danger")

    def _disable(self, name: str) -> None:
        saved = self.desk.saved()
        document = {**saved, name: {**saved.get(name, {}), "enable": False}}
        self.ways.order(Order(place=self.desk.place, runbook="deploy", document=document))

    def _order(self, runbook: str) -> None:
        self.ways.order(Order.model_validate({"place": self.desk.place, "runbook": runbook}))
