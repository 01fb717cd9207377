"""Move away: by the file of another provider, everything goes there with all its data; rehearsed first, and back."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import ipywidgets as w

from fedikit.data.migration.sides import pairs_of
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.panel.amounts import age, listed
from fedikit.panel.away import Stage
from fedikit.panel.away_words import misfits_in_words, names_to_set, outcome_in_words
from fedikit.panel.desk import Desk
from fedikit.panel.names_table import names_table
from fedikit.panel.order import Order
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.pages.services import latest
from fedikit.panel.said import said
from fedikit.panel.widgets import Fold, Kind, bullets, classed, column, heading, link, notice, paragraph, row
from fedikit.results.migration import MigrationPlan, MigrationReport
from fedikit.results.services import address_of
from fedikit.runbook.record import RunStatus

MOST = 9
"""So many reasons are told why a file cannot be taken."""


class AwayPage(Page):
    """The way to another provider."""

    name = "away"
    title = "Move away"

    _unfit: tuple[str, ...] = ()

    @classmethod
    def concerns(cls, desk: Desk) -> bool:
        return desk.rights.may_leave

    def seen(self) -> object:
        run = self.desk.newest_run()
        return (run and (run.folder, run.status), *self.desk.marks(), *self.desk.away.marks)

    def refresh(self) -> None:
        self.show(heading(self.text(self.title)), *self._refusal(), *self._parts())

    def _parts(self) -> Iterator[w.Widget]:
        try:
            if not self.desk.saved():
                yield paragraph(self.text("Nothing is chosen yet."))
                return
            stage, other = self.desk.away.stage, self.desk.away.other
        except FedikitError as error:
            yield notice(error.text, "bad")
            return
        if stage == "brought" and other is None:
            yield from self._begin()
        else:
            yield from self._at(stage, self.desk.away.name)

    def _at(self, stage: Stage, name: str) -> Iterator[w.Widget]:
        says: dict[Stage, str] = {
            "brought": "Your services are here. You brought the file of {name}.",
            "under-way": "The move to {name} has begun, and is not at its end.",
            "there": "Your services are with {name} now. Here everything is closed, and kept for a way back.",
            "coming-back": "Your services are on their way back from {name}.",
        }
        yield notice(self.text(says[stage], name=name), "good" if stage == "there" else "plain", f"fk-stage-{stage}")
        run = self.desk.newest_run()
        if run and run.runbook == "migrate" and run.status is RunStatus.RUNNING:
            yield paragraph(self.text("It is being worked on; the page “Progress” says how far it is."))
            yield self.button(self.text("See how it goes on"), lambda: self.ways.go("progress"), "fk-to-progress")
            return
        yield from self._outcome()
        yield from self._names(stage)
        if self.desk.away.other:
            yield from self._deeds(stage)
        else:
            yield paragraph(self.text("You had their file forgotten. To come back after all, bring it again."))
            yield row(self._upload(self.text("Bring the file again")))

    # Before: a file is brought

    def _begin(self) -> Iterator[w.Widget]:
        yield paragraph(
            self.text(
                "Everything that runs here can go to another provider, with all data: domain, accounts, posts and "
                "files stay what they are."
            )
        )
        yield bullets(
            [
                self.text("Ask the new provider for a file with which you move in. Treat it like a password."),
                self.text("Bring that file here. You see what would go where, and can rehearse it."),
                self.text("Nothing is closed here before you have seen the plan and typed your domain."),
            ]
        )
        yield row(self._upload(self.text("Bring the file of the new provider")))

    def _upload(self, label: str) -> w.FileUpload:
        upload = w.FileUpload(multiple=False, description=label, tooltip=label)
        upload.observe(self._uploaded, "value")
        return classed(upload, "fk-button", "fk-upload")

    def _uploaded(self, change: Any) -> None:
        if self.ways.attempt(lambda: self._keep(change["new"])):
            self.ways.say("")
        self.enter()

    def _keep(self, files: Sequence[Any]) -> None:
        self.desk.rights.require_may_leave()
        try:
            for file in files:
                self.desk.away.keep(bytes(file["content"]))
        except ConfigurationError as error:
            self._unfit = tuple(f"{each.path}: {said(each.message, text=self.text)}" for each in error.mistakes[:MOST])

    def _refusal(self) -> Iterator[w.Widget]:
        """Why what was brought last was not taken."""
        unfit, self._unfit = self._unfit, ()
        if unfit:
            yield notice(self.text("That file cannot be taken. Ask the new provider for another one."), "bad")
            yield paragraph(self.text("Pass these lines on to them:"))
            yield bullets(unfit, "fk-refused")

    # What came of it, and what is to be done

    def _outcome(self) -> Iterator[w.Widget]:
        if last := latest(self.desk, "migrated.json", MigrationReport):
            when, report = last
            yield paragraph(self.text("Last worked on {when}.", when=age(when, datetime.now(UTC), text=self.text)))
            words = outcome_in_words(report, text=self.text)
            yield from (notice(each, "bad" if report.error else "good", "fk-outcome") for each in words if each)

    def _names(self, stage: Stage) -> Iterator[w.Widget]:
        """What somebody still has to set, as long as services wait for it."""
        journal, last = self.desk.away.journal, latest(self.desk, "migration.json", MigrationPlan)
        if stage != "under-way" or last is None or not journal or "start" not in journal.done:
            return
        if rows := tuple(names_to_set(last[1], text=self.text)):
            yield paragraph(self.text("Set these names where you bought your domain; visitors find you again then:"))
            yield names_table(rows, text=self.text)

    def _deeds(self, stage: Stage) -> Iterator[w.Widget]:
        journal = self.desk.away.journal
        is_rehearsed = journal is not None and journal.predicted is not None
        kinds: tuple[Kind, Kind] = ("plain", "main") if is_rehearsed else ("main", "plain")
        rehearse = self._deed(self.text("Rehearse it"), "fk-rehearse", rehearse=True, kind=kinds[0])
        move = self._deed(self.text("See what would move"), "fk-move", kind=kinds[1])
        on = self._deed(self.text("Go on with it"), "fk-move", kind="main")
        back = self._deed(self.text("Go back to this provider"), "fk-back", back=True)
        if stage == "brought":
            yield from self._told(self._misfits()) or (self._what_a_rehearsal_is(), row(rehearse, move))
            yield self._another_file()
        elif stage == "under-way":
            yield row(on, back)
        elif stage == "coming-back":
            yield row(self._deed(self.text("Go on with the way back"), "fk-back", back=True, kind="main"))
        else:
            yield from self._there()
            is_over = journal is None or "afterwards" in journal.done
            yield row(*([] if is_over else [on]), back)
            if is_over:
                yield from self._for_good()

    def _what_a_rehearsal_is(self) -> w.Widget:
        words = (
            "A rehearsal does everything but the switch, and says for how long nobody could write. Nobody notices it."
        )
        return paragraph(self.text(words))

    def _misfits(self) -> list[str]:
        """What could not go there, as far as both files say that; no host is asked."""
        assert self.desk.away.other
        try:
            chosen = self.desk.chosen()
            pairs_of(self.desk.hosting.deployment(chosen), self.desk.away.other.deployment(chosen))
        except ConfigurationError as error:
            return [str(each) for each in error.mistakes[:MOST]]
        except FedikitError as error:
            return [line.strip() for line in error.headline.splitlines()[1:]] or [error.headline]
        return []

    def _told(self, misfits: list[str]) -> tuple[w.Widget, ...]:
        if not misfits:
            return ()
        words = self.text("The new provider does not take all of it:")
        lines = Fold(self.text("For the new provider, word for word"), lambda: bullets(misfits), "fk-word-for-word")
        return notice(words, "bad"), bullets(misfits_in_words(misfits, text=self.text), "fk-refused"), lines.widget

    def _deed(self, label: str, name: str, *, kind: Kind = "plain", **how: bool) -> w.Button:
        order = Order.model_validate({"place": self.desk.place, "runbook": "migrate", **how})
        return self.button(label, lambda: self.ways.order(order), name, kind=kind)

    def _there(self) -> Iterator[w.Widget]:
        other = self.desk.away.other
        assert other
        try:
            chosen = self.desk.chosen()
            deployment = other.deployment(chosen)
        except FedikitError as error:
            yield notice(error.text, "warn")
            return
        for name in chosen.enabled():
            hosts = [host for host, state in deployment.hosts.items() if name in state.applications]
            words = self.text(
                "{application} is on {hosts}.", application=spelt(name), hosts=listed(hosts, text=self.text)
            )
            address = address_of(name, deployment)
            links = [link(address, self.text("Open {address}", address=address))] if address else []
            yield column(paragraph(words), *links, classes=("fk-card",))
        yield paragraph(
            self.text("What you choose on the other pages is for what is here, and no longer for what serves.")
        )

    def _another_file(self) -> w.Widget:
        label = self.text("Another file")
        return Fold(
            label, lambda: column(self._upload(self.text("Bring another file")), self._forget()), "fk-other"
        ).widget

    def _for_good(self) -> Iterator[w.Widget]:
        words = (
            "Your provider deletes what is here once you ask for it. The file that you brought holds keys: have it "
            "forgotten. To come back after all, you would bring it again."
        )

        def make() -> w.Widget:
            return column(paragraph(self.text(words)), self._forget())

        yield Fold(self.text("If you do not want to come back"), make, "fk-for-good").widget

    def _forget(self) -> w.Button:
        return self.button(
            self.text("Forget the file that I brought"), self._forgotten, "fk-forget-file", kind="danger"
        )

    def _forgotten(self) -> None:
        self.desk.rights.require_may_leave()
        self.desk.away.forget()
        self.enter()
