"""Your services: where each is, whether it was well when last looked at, and who may sign up."""

from collections.abc import Iterator
from datetime import UTC, datetime

import ipywidgets as w

from fedikit.errors import ConfigurationError, FedikitError
from fedikit.model.check import NodeInfo, TlsIsValid
from fedikit.model.configuration import Configuration
from fedikit.model.deployment import Deployment
from fedikit.panel.amounts import age, size
from fedikit.panel.owners import spelt
from fedikit.panel.pages.page import Page
from fedikit.panel.widgets import bullets, button, column, heading, link, notice, paragraph, row
from fedikit.results.check import CheckResult
from fedikit.results.status import Status
from fedikit.results.verdict import Verdict
from fedikit.runbook.record import Record

SIGN_UPS = {
    "open": "Everybody may sign up.",
    "approved": "Who wants to sign up asks first, and you decide.",
    "none": "Nobody may sign up.",
}


class Services(Page):
    """What runs, or shall run."""

    name = "services"
    title = "Your services"

    def enter(self) -> None:
        self.refresh()

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
        self.show(heading(self.text(self.title)), *self._cards(chosen, deployment), self._foot())

    def _nothing_yet(self, error: ConfigurationError) -> Iterator[w.Widget]:
        yield heading(self.text(self.title))
        if self.desk.saved():
            yield notice(self.text("What was chosen has mistakes; the page “Choose” shows each where it is."), "warn")
            yield bullets([str(mistake) for mistake in error.mistakes])
        else:
            yield paragraph(self.text("Nothing is chosen yet."))
        yield button(self.text("Choose"), lambda: self.ways.go("choose"), "fk-to-choose", kind="main")

    def _cards(self, chosen: Configuration, deployment: Deployment) -> Iterator[w.Widget]:
        if not chosen.enabled():
            yield paragraph(self.text("No service is installed."))
        seen = latest_verdict(self.desk.runs())
        for name in chosen.enabled():
            yield self._card(name, chosen, deployment, seen)

    def _card(
        self, name: str, chosen: Configuration, deployment: Deployment, seen: tuple[datetime, Verdict] | None
    ) -> w.Widget:
        address = address_of(name, deployment)
        registrations = SIGN_UPS.get(str(getattr(chosen.settings(name), "registrations", "")))
        parts = [heading(spelt(name), 3), self._health(name, seen)]
        parts += [paragraph(self.text(registrations))] if registrations else []
        parts += [paragraph(words) for words in self._room(name)]
        if address:
            parts.append(link(address, self.text("Open {address}", address=address), f"fk-open-{name}"))
        return column(*parts, classes=("fk-card", f"fk-service-{name}"))

    def _room(self, name: str) -> Iterator[str]:
        """How full the disks of its hosts were when they were asked last."""
        asked = latest_status(self.desk.runs())
        for host in self.desk.hosting.placement.get(name, ()):
            if asked and host in asked.hosts and (disk := asked.hosts[host].disk):
                used, whole = size(disk.used, text=self.text), size(disk.size, text=self.text)
                yield self.text("Storage on {host}: {used} of {whole} used.", host=host, used=used, whole=whole)

    def _health(self, name: str, seen: tuple[datetime, Verdict] | None) -> w.Widget:
        results = [result for result in seen[1].results if result.application == name] if seen else []
        if not seen or not results:
            return notice(self.text("Nobody has looked yet whether it is well."), "plain", "fk-health")
        when = age(seen[0], datetime.now(UTC), text=self.text)
        failed = _failed(results)
        if not failed:
            return notice(self.text("Well, as of {when}.", when=when), "good", "fk-health")
        words = self.text.plural("{n} check failed {when}.", "{n} checks failed {when}.", len(failed), when=when)
        return notice(words, "bad", "fk-health")

    def _foot(self) -> w.Widget:
        return row(
            button(self.text("Choose"), lambda: self.ways.go("choose"), "fk-to-choose", kind="main"),
            button(self.text("See whether all is well"), lambda: self.ways.go("checks"), "fk-to-checks"),
        )


def _failed(results: list[CheckResult]) -> list[CheckResult]:
    return [result for result in results if not result.passed]


def latest_verdict(records: list[Record]) -> tuple[datetime, Verdict] | None:
    """What the last checks saw, and when they ended."""
    for record in reversed(records):
        file = record.folder / "verdict.json"
        if file.exists():
            return datetime.fromtimestamp(file.stat().st_mtime, UTC), Verdict.model_validate_json(file.read_bytes())
    return None


def latest_status(records: list[Record]) -> Status | None:
    """What hosts said of themselves last."""
    for record in reversed(records):
        file = record.folder / "status.json"
        if file.exists():
            return Status.model_validate_json(file.read_bytes())
    return None


def address_of(application: str, deployment: Deployment) -> str:
    """The web address of an application; nothing if it has none. Where its media are is no address of it."""
    own = [check for check in deployment.checks if check.application == application]
    sites = [check.domain for kind in (NodeInfo, TlsIsValid) for check in own if isinstance(check, kind)]
    return f"https://{sites[0]}" if sites else ""
