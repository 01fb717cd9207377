"""Your services: where each is, whether it was well when last looked at, and who may sign up."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import ipywidgets as w
from pydantic import ValidationError

from fedikit.errors import ConfigurationError, FedikitError
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.model.value import Value
from fedikit.panel.amounts import age, size
from fedikit.panel.backup_words import proof_in_words
from fedikit.panel.desk import Desk
from fedikit.panel.order import LOOKS
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import bullets, column, heading, link, notice, paragraph, row
from fedikit.results.check import CheckResult
from fedikit.results.services import address_of
from fedikit.results.status import Status
from fedikit.results.verdict import Verdict
from fedikit.runbook.record import RunStatus, record_folders

ValueT = TypeVar("ValueT", bound=Value)
SIGN_UPS = {
    "open": "Everybody may sign up.",
    "approved": "Who wants to sign up asks first, and you decide.",
    "none": "Nobody may sign up.",
}


class Services(Page):
    """What runs, or shall run."""

    name = "services"
    title = "Your services"

    def seen(self) -> object:
        files = [next(newest(self.desk, name), None) for name in ("verdict.json", "status.json")]
        return (*self.desk.marks(), *files, *self.desk.away.marks)

    def refresh(self) -> None:
        try:
            chosen = self.desk.chosen()
            deployment = self.desk.hosting.deployment(chosen)
        except ConfigurationError as error:
            self.show(*self._nothing_yet(error))
            return
        except FedikitError as error:
            self.show(heading(self.text(self.title)), notice(error.text, "bad"))
            return
        self.show(heading(self.text(self.title)), *self._elsewhere(), *self._shown(chosen, deployment), self._foot())

    def _elsewhere(self) -> Iterator[w.Widget]:
        """Where services are that have moved away."""
        try:
            name = self.desk.away.provider_there
        except FedikitError:
            return
        if name:
            words = "Your services are with {name} now. Here everything is closed, and kept for a way back."
            yield notice(self.text(words, name=name), "warn", "fk-moved-away")

    def _nothing_yet(self, error: ConfigurationError) -> Iterator[w.Widget]:
        yield heading(self.text(self.title))
        if self.desk.configuration.exists():
            yield notice(self.text("What was chosen has mistakes; the page “Choose” shows each where it is."), "warn")
            yield bullets([str(mistake) for mistake in error.mistakes])
        else:
            yield paragraph(self.text("Nothing is chosen yet."))
        yield self.button(self.text("Choose"), lambda: self.ways.go("choose"), "fk-to-choose", kind="main")

    def _shown(self, chosen: Configuration, deployment: Deployment) -> Iterator[w.Widget]:
        """The services; nothing of them once everything was taken away, whatever is chosen."""
        if is_taken_away(self.desk):
            yield paragraph(self.text("Everything was taken away. What is chosen comes back when it is done again."))
        else:
            yield from self._cards(chosen, deployment)

    def _cards(self, chosen: Configuration, deployment: Deployment) -> Iterator[w.Widget]:
        if not chosen.enabled():
            yield paragraph(self.text("No service is installed."))
        seen = latest_verdict(self.desk)
        for name in chosen.enabled():
            yield self._card(name, chosen, deployment, seen)

    def _card(
        self, name: str, chosen: Configuration, deployment: Deployment, seen: tuple[datetime, Verdict] | None
    ) -> w.Widget:
        address = address_of(name, deployment)
        registrations = SIGN_UPS.get(str(getattr(chosen.settings(name), "registrations", "")))
        parts = [heading(spelt(name), 3), self._health(name, seen)]
        parts += [paragraph(self.text(registrations))] if registrations else []
        parts += [paragraph(words) for words in (*self._room(name), *self._backups(name))]
        if address:
            parts.append(link(address, self.text("Open {address}", address=address), f"fk-open-{name}"))
        return column(*parts, classes=("fk-card", f"fk-service-{name}"))

    def _room(self, name: str) -> Iterator[str]:
        """How full the disks of its hosts were when they were asked last."""
        asked = latest_status(self.desk)
        for host in self.desk.hosting.placement.get(name, ()):
            if asked and host in asked.hosts and (disk := asked.hosts[host].disk):
                used, whole = size(disk.used, text=self.text), size(disk.size, text=self.text)
                yield self.text("Storage on {host}: {used} of {whole} used.", host=host, used=used, whole=whole)

    def _backups(self, name: str) -> Iterator[str]:
        """How old its newest backup is, by what its hosts said when they were asked last."""
        asked, now = latest_status(self.desk), datetime.now(UTC)
        for host in asked.hosts.values() if asked else ():
            for backups in host.backups:
                if backups.application == name and backups.newest:
                    when = age(backups.newest.ended, now, text=self.text)
                    yield self.text(
                        "Newest backup: {when}, {size}.", when=when, size=size(backups.newest.bytes, text=self.text)
                    )
                    yield proof_in_words(backups.proof, text=self.text)
                elif backups.application == name:
                    yield self.text("There is no backup yet.")

    def _health(self, name: str, seen: tuple[datetime, Verdict] | None) -> w.Widget:
        results = [result for result in seen[1].results if result.application == name] if seen else []
        if not seen or not results:
            return notice(self.text("Nobody has looked yet whether it is well."), "plain", "fk-health")
        when = age(seen[0], datetime.now(UTC), text=self.text)
        failed = _failed(results)
        if not failed:
            return notice(self.text("Well when last looked at: {when}.", when=when), "good", "fk-health")
        words = self.text.plural("{n} check failed {when}.", "{n} checks failed {when}.", len(failed), when=when)
        return notice(words, "bad", "fk-health")

    def _foot(self) -> w.Widget:
        return row(
            self.button(self.text("Choose"), lambda: self.ways.go("choose"), "fk-to-choose", kind="main"),
            self.button(self.text("See whether all is well"), lambda: self.ways.go("checks"), "fk-to-checks"),
        )


def _failed(results: list[CheckResult]) -> list[CheckResult]:
    return [result for result in results if not result.passed]


def is_taken_away(desk: Desk) -> bool:
    """Whether the last run that changed hosts took everything away; not, where no record can be read."""
    try:
        records = desk.runs()
    except FedikitError:
        return False
    others = [record for record in records if record.runbook not in LOOKS]
    changing = [record for record in others if (result := record.result) and result.dry_run is False]
    return bool(changing) and changing[-1].runbook == "remove" and changing[-1].status is RunStatus.SUCCEEDED


def latest_verdict(desk: Desk) -> tuple[datetime, Verdict] | None:
    """What the last checks saw whose verdict can be read, and when they ended."""
    return latest(desk, "verdict.json", Verdict)


def latest_status(desk: Desk) -> Status | None:
    """What hosts said of themselves last, as far as it can be read."""
    found = latest(desk, "status.json", Status)
    return found[1] if found else None


def latest(desk: Desk, name: str, kind: type[ValueT]) -> tuple[datetime, ValueT] | None:
    """The newest file of that name that can be read, and when it was written."""
    for file in newest(desk, name):
        try:
            return datetime.fromtimestamp(file.stat().st_mtime, UTC), kind.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue
    return None


def newest(desk: Desk, name: str) -> Iterator[Path]:
    """The files of that name in all records, the newest first; none if records cannot be looked into."""
    try:
        folders = record_folders(desk.records)
    except FedikitError:
        return
    yield from (file for folder in reversed(folders) if (file := folder / name).is_file())
