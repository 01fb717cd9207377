"""Backups: of each application those that there are, how old, how large, whether proven; and the way back to one."""

from collections.abc import Iterator
from datetime import UTC, datetime

import ipywidgets as w

from fedikit.data.kept import Kept, applications_kept
from fedikit.errors import ConfigurationError, FedikitError
from fedikit.panel.amounts import age
from fedikit.panel.backup_words import backup_in_words, moment_of, proof_in_words
from fedikit.panel.order import Order
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.pages.services import latest, newest
from fedikit.panel.said import told
from fedikit.panel.widgets import Fold, Tone, column, heading, notice, paragraph, row
from fedikit.results.backup import ApplicationBackups, Backup, Backups
from fedikit.runbook.record import RunStatus

FILE = "backups.json"
NEWEST = 5
"""So many are shown at first."""


class BackupsPage(Page):
    """What is kept, as hosts listed it last."""

    name = "backups"
    title = "Backups"

    def seen(self) -> object:
        run = self.desk.newest_run()
        return (next(newest(self.desk, FILE), None), run and (run.folder, run.status), *self.desk.marks())

    def refresh(self) -> None:
        self.show(heading(self.text(self.title)), *self._parts())

    def _parts(self) -> Iterator[w.Widget]:
        try:
            chosen = self.desk.saved()
            if not chosen:
                yield paragraph(self.text("Nothing is chosen yet."))
                return
            kept = applications_kept(self.desk.deployment(chosen))
        except ConfigurationError as error:
            yield notice(error.text, "warn")
            return
        except FedikitError:
            yield paragraph(self.text("Nothing is backed up here. Your provider can change that."))
            return
        seen = latest(self.desk, FILE, Backups)
        yield from self._looked(seen[0] if seen else None)
        listed = {(one.host, one.application): one for one in seen[1].applications} if seen else {}
        yield from (self._card(one, listed.get((one.host, one.application))) for one in kept)

    def _looked(self, when: datetime | None) -> Iterator[w.Widget]:
        run = self.desk.newest_run()
        if run and run.runbook == "backup" and run.status is RunStatus.RUNNING:
            yield paragraph(self.text("The machines are being asked …"))
            return
        if when:
            yield paragraph(self.text("Looked at {when}.", when=age(when, datetime.now(UTC), text=self.text)))
        else:
            yield paragraph(self.text("Nobody has looked yet which backups there are."))
        see, now = self.text("See which backups there are"), self.text("Back up now")
        yield row(
            self.button(see, lambda: self._order(dry_run=True), "fk-list-backups", kind="plain" if when else "main"),
            self.button(now, lambda: self._order(dry_run=False), "fk-back-up"),
        )

    def _card(self, kept: Kept, listed: ApplicationBackups | None) -> w.Widget:
        title = self.text("{application} on {host}", application=spelt(kept.application), host=kept.host)
        parts = self._listed(kept, listed) if listed else ()
        return column(heading(title, 3), *parts, classes=("fk-card", f"fk-backups-{kept.application}"))

    def _listed(self, kept: Kept, listed: ApplicationBackups) -> Iterator[w.Widget]:
        if listed.error:
            yield notice(told(listed.error, text=self.text), "bad")
            return
        if listed.last and listed.last.failed:
            yield notice(self.text("The last attempt failed: {reason}", reason=listed.last.words), "bad")
        if listed.check and listed.check.failed:
            yield notice(self.text("Not all that is kept can be read: {reason}", reason=listed.check.error), "bad")
        if not listed.backups:
            yield paragraph(self.text("There is no backup yet."))
        yield from (self._backup(kept, one) for one in listed.backups[:NEWEST])
        if rest := listed.backups[NEWEST:]:
            older = self.text("All before")
            yield Fold(older, lambda: column(*(self._backup(kept, one) for one in rest)), "fk-older").widget

    def _backup(self, kept: Kept, backup: Backup) -> w.Widget:
        tone: Tone = "plain" if backup.proof is None else "bad" if backup.proof.failed else "good"
        parts = [
            paragraph(backup_in_words(backup, text=self.text)),
            notice(proof_in_words(backup.proof, text=self.text), tone, "fk-proof"),
        ]
        if self.desk.rights.may_change(f"{kept.application}.enable"):
            label = self.text("Go back to {when}", when=moment_of(backup, text=self.text))
            parts.append(self.button(label, lambda: self._restore(kept, backup), "fk-restore"))
        return column(*parts, classes=("fk-backup",))

    def _order(self, *, dry_run: bool) -> None:
        self.ways.order(Order(place=self.desk.place, runbook="backup", dry_run=dry_run))

    def _restore(self, kept: Kept, backup: Backup) -> None:
        order = Order(place=self.desk.place, runbook="restore", application=kept.application, backup=backup.id)
        self.ways.order(order)
