"""History: every run, who did it and how it ended, how long runs took, and the way back to what was chosen before."""

import json
from collections.abc import Iterator

import ipywidgets as w

from fedikit.display.timeline import durations_svg
from fedikit.panel.desk import Earlier
from fedikit.panel.pages.page import Page, told
from fedikit.panel.widgets import Fold, column, heading, link, markup, paragraph, row
from fedikit.runbook.history import durations
from fedikit.runbook.record import Record, RunStatus

NEWEST = 20
"""So many runs are shown at first."""


class History(Page):
    """What was done."""

    name = "history"
    title = "History"

    def seen(self) -> object:
        newest = self.desk.newest_run()
        return (newest.folder, newest.status, *self.desk.marks()) if newest else self.desk.marks()

    def refresh(self) -> None:
        records = self.desk.runs()[::-1]
        parts: list[w.Widget] = [heading(self.text(self.title))]
        parts += [] if records else [paragraph(self.text("Nothing was done yet."))]
        if took := durations(records[::-1], "deploy"):
            parts.append(markup(durations_svg(took, text=self.text), "fk-durations"))
        parts += map(self._run, records[:NEWEST])
        if rest := records[NEWEST:]:
            parts.append(Fold(self.text("All before"), lambda: column(*map(self._run, rest)), "fk-older").widget)
        self.show(*parts, *self._earlier())

    def _run(self, record: Record) -> w.Widget:
        notebook = record.folder / f"{record.runbook}.ipynb"
        parts: list[w.Widget] = [paragraph(told(record, self.text))]
        if record.status is not RunStatus.RUNNING and notebook.exists():
            parts.append(self._link(record))
        return column(*parts, classes=("fk-card", f"fk-run-{record.status}"))

    def _link(self, record: Record) -> w.Widget:
        """The executed notebook: served to operators as a page, a file for the provider."""
        if self.desk.operator:
            return link(f"records/{record.folder.name}", self.text("Open the record"), "fk-record")
        return paragraph(self.text("The record: {path}", path=record.folder), "fk-record")

    def _earlier(self) -> Iterator[w.Widget]:
        earlier = self.desk.earlier()
        if not earlier:
            return
        yield heading(self.text("What was chosen before"), 3)
        yield paragraph(
            self.text("To go back, choose it again: you see what would change first. Data is not brought back.")
        )
        for choice in earlier[:NEWEST]:
            yield self._choice(choice)

    def _choice(self, choice: Earlier) -> w.Widget:
        words = self.text("Until {time}", time=f"{choice.until.astimezone():%Y-%m-%d %H:%M}")
        without = {key: value for key, value in choice.document.items() if key != "initialUser"}
        shown = json.dumps(without, indent=2, ensure_ascii=False)
        again = self.button(self.text("Choose this again"), lambda: self._again(choice), "fk-again")
        fold = Fold(self.text("What it was"), lambda: paragraph(shown, "fk-command"))
        return column(row(paragraph(words), again), fold.widget, classes=("fk-card",))

    def _again(self, choice: Earlier) -> None:
        self.desk.keep_draft(choice.document)
        self.ways.go("choose")
