"""Look: the plan in words, what would be lost first, and the button that has it done."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import ipywidgets as w
from pydantic import ValidationError

from fedikit.display.drawing import mimebundle
from fedikit.panel.away_words import MoveInWords, move_in_words
from fedikit.panel.backup_words import RestoreInWords, restore_in_words
from fedikit.panel.names_table import names_table
from fedikit.panel.order import LOOKS, Order
from fedikit.panel.pages.page import Page, told
from fedikit.panel.runner import order_of
from fedikit.panel.settings_changed import settings_chosen
from fedikit.panel.widgets import Fold, bullets, column, heading, markup, notice, paragraph, row
from fedikit.panel.words import PlanInWords, plan_in_words
from fedikit.results.migration import MigrationPlan
from fedikit.results.plan import Plan
from fedikit.results.restoring import RestorePlan
from fedikit.runbook.history import expected_seconds
from fedikit.runbook.record import Record, RunStatus

AnyPlan = Plan | RestorePlan | MigrationPlan
_PlanT = TypeVar("_PlanT", Plan, RestorePlan, MigrationPlan)
UNREADABLE_PLAN = "This plan cannot be read: it is damaged, or of another version. See again what would change."


class Look(Page):
    """The newest plan."""

    name = "look"
    title = "Look"

    def seen(self) -> object:
        newest = self.desk.newest_run()
        return (newest.folder, newest.status) if newest else None

    def refresh(self) -> None:
        record = self._newest()
        self.show(heading(self.text("What would change")), *(self._parts(record) if record else self._nothing()))

    def _newest(self) -> Record | None:
        """The newest run, if it only looked: a plan that something was done after is past."""
        runs = [record for record in self.desk.runs() if record.runbook not in LOOKS]
        order = order_of(runs[-1].folder) if runs else None
        return runs[-1] if order and order.dry_run else None

    def _nothing(self) -> Iterator[w.Widget]:
        yield paragraph(self.text("There is no plan to look at. Choose, and see what would change."))
        yield self.button(self.text("Choose"), lambda: self.ways.go("choose"), "fk-to-choose", kind="main")

    def _again(self, order: Order | None) -> Iterator[w.Widget]:
        if order:
            yield self.button(self.text("Ask again"), lambda: self.ways.order(order), "fk-look-again", kind="main")
        yield self.button(self.text("Choose"), lambda: self.ways.go("choose"), "fk-to-choose")

    def _parts(self, record: Record) -> Iterator[w.Widget]:
        if record.status is RunStatus.RUNNING:
            yield paragraph(self.text("The machines are being asked …"))
            return
        plan = any_plan_of(record)
        if plan is None:
            has_none = record.status is not RunStatus.SUCCEEDED
            yield notice(told(record, self.text) if has_none else self.text(UNREADABLE_PLAN), "bad")
            yield from self._again(order_of(record.folder))
            return
        parameters = record.parameters
        seconds = expected_seconds(self.desk.runs(), record.runbook, {**parameters, "dry_run": False})
        if isinstance(plan, RestorePlan):
            yield from self._restore(record, plan, restore_in_words(plan, text=self.text, seconds=seconds))
            return
        if isinstance(plan, MigrationPlan):
            yield from self._move(record, plan, move_in_words(plan, text=self.text))
            return
        order = order_of(record.folder)
        changed = settings_chosen(self.desk.saved(), order.document) if order and order.document else None
        yield from self._plan(record, plan, plan_in_words(plan, text=self.text, seconds=seconds, changed=changed))

    def _plan(self, record: Record, plan: Plan, words: PlanInWords) -> Iterator[w.Widget]:
        if words.lost:
            yield notice(self.text("This will be lost, and cannot be had back:"), "bad", "fk-lost")
            yield bullets(words.lost, "fk-lost")
        if words.refused:
            yield notice(self.text("This cannot be done:"), "bad", "fk-refused")
            yield bullets(words.refused, "fk-refused")
        yield bullets([*words.changes, *words.kept], "fk-changes")
        yield paragraph(" ".join(f"{part[:1].upper()}{part[1:]}." for part in (words.rest, words.effort) if part))
        typed = _typed(self.text("Type {domain} to destroy it", domain=self._domain)) if words.lost else None
        yield from self._deed(record, plan, typed)
        yield from self._exactly(record, plan)

    def _restore(self, record: Record, plan: RestorePlan, words: RestoreInWords) -> Iterator[w.Widget]:
        if words.refused:
            yield notice(self.text("This cannot be done:"), "bad", "fk-refused")
            yield bullets(words.refused, "fk-refused")
        if words.replaced:
            yield notice(self.text("This data will be replaced:"), "bad", "fk-lost")
            yield bullets(words.replaced, "fk-lost")
        yield bullets(words.meanwhile, "fk-changes")
        yield from self._deed(record, plan, _typed(self.text("Type {domain} to put it back", domain=self._domain)))
        yield from self._exactly(record, plan)

    def _move(self, record: Record, plan: MigrationPlan, words: MoveInWords) -> Iterator[w.Widget]:
        if words.refused:
            yield notice(self.text("This cannot be done:"), "bad", "fk-refused")
            yield bullets(words.refused, "fk-refused")
        titles = (self.text("What moves"), self.text("What happens meanwhile"), self.text("What stays behind"))
        for title, sentences in zip(titles, (words.moves, words.meanwhile, words.stays), strict=True):
            if sentences:
                yield heading(title, 3)
                yield bullets(sentences, "fk-changes")
        if words.names:
            yield from self._names(words)
        label = self.text("Type {domain} to have it moved", domain=self._domain)
        yield from self._deed(record, plan, None if plan.is_rehearsal else _typed(label))
        yield from self._exactly(record, plan)

    def _names(self, words: MoveInWords) -> Iterator[w.Widget]:
        yield heading(self.text("Names"), 3)
        yield paragraph(
            self.text("Once the other side serves, these names are to be set where you bought your domain:")
        )
        yield names_table(words.names, text=self.text)

    def _exactly(self, record: Record, plan: AnyPlan) -> Iterator[w.Widget]:
        yield Fold(
            self.text("The exact plan"), lambda: markup(mimebundle(plan)["text/html"], "fk-printed"), "fk-exact"
        ).widget
        yield Fold(self.text("The command that does the same"), lambda: self._command(record, plan), "fk-same").widget

    @property
    def _domain(self) -> str:
        return str(self.desk.saved().get("domain", self.desk.hosting.name))

    def _deed(self, record: Record, plan: AnyPlan, typed: w.Text | None) -> Iterator[w.Widget]:
        """The button that has it done; where something is `typed`, it waits for that."""
        order = order_of(record.folder)
        if order is None or not plan.has_changes or (not isinstance(plan, MigrationPlan) and plan.is_refused):
            yield from self._again(order)
            return
        others = ", ".join(self.desk.rights.approvers)
        label = self.text("Ask {who} to agree", who=others) if others else ""

        def do() -> None:
            wanted = order.model_copy(
                update={"dry_run": False, "agreed": plan.digest, "confirmed": typed.value if typed else ""}
            )
            if others:
                self.desk.ask(wanted, record.folder)
                self.ways.say(self.text("{who} can agree to it now.", who=others))
            else:
                self.ways.order(wanted)

        deed = self.button(
            label or self.text("Do it"), do, "fk-do", kind="danger" if typed or order.runbook == "remove" else "main"
        )
        if typed:
            domain = self._domain
            deed.disabled = True
            typed.observe(lambda change: setattr(deed, "disabled", change["new"] != domain), "value")
            yield column(typed)
        yield row(deed, self.button(self.text("Not now"), lambda: self.ways.go(_before(order)), "fk-not-now"))
        if isinstance(plan, Plan):
            yield from self._destroying(order, plan)

    def _destroying(self, order: Order, plan: Plan) -> Iterator[w.Widget]:
        """For those who may: the same, with the data of what leaves."""
        keeps = any(change.data and change.action == "keep" for host in plan.hosts.values() for change in host.changes)
        if keeps and self.desk.rights.may_purge and not order.purge:
            purging = order.model_copy(update={"purge": True})
            label = self.text("See what it would be to destroy that data, too")
            yield self.button(label, lambda: self.ways.order(purging), "fk-purge")

    def _command(self, record: Record, plan: AnyPlan) -> w.Widget:
        parameters = {**record.parameters, "dry_run": False, "agreed": plan.digest}
        words = " ".join(f"{name}={_word(value)}" for name, value in parameters.items() if value not in ([], "", None))
        return paragraph(f"fedikit run {record.runbook} {words}", "fk-command")


def _typed(words: str) -> w.Text:
    """Where a word is typed by who means it."""
    typed = w.Text(description=words, continuous_update=True)
    typed.add_class("fk-typed")
    return typed


def plan_of(record: Path) -> Plan | None:
    """The plan that a run made; None if there is none, or it cannot be read."""
    return _read(record / "plan.json", Plan)


def restore_of(record: Path) -> RestorePlan | None:
    """The restore that a run planned; None if there is none, or it cannot be read."""
    return _read(record / "restore.json", RestorePlan)


def move_of(record: Path) -> MigrationPlan | None:
    """The move that a run planned; None if there is none, or it cannot be read."""
    return _read(record / "migration.json", MigrationPlan)


def _read(file: Path, kind: type[_PlanT]) -> _PlanT | None:
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def any_plan_of(record: Record) -> AnyPlan | None:
    """What a run planned, by its runbook."""
    match record.runbook:
        case "restore":
            return restore_of(record.folder)
        case "migrate":
            return move_of(record.folder)
    return plan_of(record.folder)


def _before(order: Order) -> str:
    """The page that the plan was asked for on."""
    return {"restore": "backups", "migrate": "away"}.get(order.runbook, "choose")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
