"""Progress: the run that goes on, or went on last, for every visitor alike; it needs nobody to look."""

import html
import time
from datetime import UTC, datetime

import ipywidgets as w

from fedikit.display.timeline import timeline_svg
from fedikit.panel.amounts import duration
from fedikit.panel.away_words import names_to_set, phase_in_words, phases_in_words
from fedikit.panel.log import Log
from fedikit.panel.names_table import names_html
from fedikit.panel.order import LOOKS
from fedikit.panel.pages.look import move_of
from fedikit.panel.pages.page import Page, told
from fedikit.panel.runner import Runner, cancel, runner_of
from fedikit.panel.widgets import Fold, heading, markup, paragraph, plain, row
from fedikit.runbook.history import remaining_seconds
from fedikit.runbook.record import Record, RunStatus

STEPS = {
    "pre-checks": "Reading what was chosen",
    "plan": "Asking the machines what would change",
    "apply": "Making the changes",
    "verify": "Looking at the services from outside",
}


class Progress(Page):
    """One run."""

    name = "progress"
    title = "Progress"

    _log: Log | None = None
    _said: w.HTML | None = None

    def enter(self) -> None:
        if self._said is None:
            self._make()
        super().enter()

    def seen(self) -> object:
        newest = self.desk.newest_run()
        is_moving = newest and newest.status is RunStatus.RUNNING
        return time.monotonic() if is_moving else newest and (newest.folder, newest.status)

    def refresh(self) -> None:
        newest = self.desk.newest_run()
        if newest is None:
            self.show(heading(self.text(self.title)), paragraph(self.text("Nothing was done yet.")))
            self._make()
            return
        if self._log is None or self._log.record != newest.folder:
            self._log = Log(newest.folder)
            self._earlier = [record for record in self.desk.runs() if record.folder != newest.folder]
        self._log.read_on()
        self._draw(newest, self._log)

    def _make(self) -> None:
        """The parts, which stay while what they say changes, so that no focus is lost and no fold shuts."""
        self._said = markup("", "fk-run-state")
        self._bar = markup("", "fk-run-bar")
        self._names = markup("", "fk-names")
        self._phases = markup("", "fk-phases")
        self._picture = markup("", "fk-timeline")
        self._picture.tabbable = True  # it may be wider than the page, and is moved by the keyboard, too
        self._lines = markup("", "fk-log")
        self._folded = Fold(self.text("What happens"), self._log_shown, "fk-log-fold").widget
        self._cancel = self.button(self.text("Stop"), self._stop, "fk-cancel", kind="danger")
        self._next = self.button(self.text("Go on"), lambda: self.ways.go("look"), "fk-next", kind="main")
        self._away = self.button(self.text("Move away"), lambda: self.ways.go("away"), "fk-to-away", kind="main")
        self._home = self.button(self.text("Your services"), lambda: self.ways.go("services"), "fk-home")
        self._buttons = row(self._cancel, self._next, self._away, self._home)

    def _draw(self, record: Record, log: Log) -> None:
        runner = runner_of(record.folder)
        runs = record.status is RunStatus.RUNNING
        assert self._said
        self._said.value = f'<p role="status">{plain(self._sentence(record, log, runner))}</p>'
        self._bar.value = self._bar_of(record, log) if runs else ""
        self._show_names(self._names_of(record, log) if runs else "")
        self._phases.value = self._phases_of(record, log, runner)
        self._picture.value = timeline_svg(log.events, text=self.text, now=datetime.now(UTC) if runs else None)
        self._lines.value = self._log_of(log)
        self._cancel.layout.display = "" if runs else "none"
        self._next.layout.display = "none" if runs or not _is_look(runner) else ""
        is_moved = record.runbook == "migrate" and not runs and not _is_look(runner) and self.desk.rights.may_leave
        self._away.layout.display = "" if is_moved else "none"
        self._home.layout.display = "none" if runs or _is_look(runner) else ""
        if not self.widget.children or self._said not in self.widget.children:
            parts: list[w.Widget] = [
                self._said,
                self._bar,
                self._names,
                self._buttons,
                self._phases,
                self._picture,
                self._folded,
            ]
            self.show(heading(self.text(self.title)), *parts)

    def _sentence(self, record: Record, log: Log, runner: Runner | None) -> str:
        if record.status is not RunStatus.RUNNING:
            return told(record, self.text)
        if runner and runner.cancelled_by:
            return self.text("Stopping: what machines are at, they bring to its end.")
        who = runner.who if runner else self.text("Somebody")
        phase = phase_in_words(log.at, text=self.text) if record.runbook == "migrate" else ""
        step = phase or self.text(STEPS.get(log.at, "Beginning"))
        return self.text("{step} … ({who} began this; it goes on if you close the page.)", step=step, who=who)

    def _names_of(self, record: Record, log: Log) -> str:
        """What somebody has to set, while a move waits for it."""
        plan = move_of(record.folder) if (record.runbook, log.at) == ("migrate", "names") else None
        rows = list(names_to_set(plan, text=self.text)) if plan else []
        if not rows:
            return ""
        words = self.text("Set these names where you bought your domain; visitors find you again then:")
        return f"<p>{plain(words)}</p>{names_html(rows, text=self.text)}"

    def _phases_of(self, record: Record, log: Log, runner: Runner | None) -> str:
        """Of a move, how far it is and what is yet to come."""
        plan = move_of(record.folder) if record.runbook == "migrate" and not _is_look(runner) else None
        lines = phases_in_words(plan, log.events, text=self.text) if plan else ()
        items = "".join(f"<li>{plain(line)}</li>" for line in lines)
        return f"<ol>{items}</ol>" if items else ""

    def _show_names(self, content: str) -> None:
        """Only what is another: who copies from there keeps their place."""
        if self._names.value != content:
            self._names.value = content

    def _bar_of(self, record: Record, log: Log) -> str:
        now = datetime.now(UTC)
        left = remaining_seconds(record, self._earlier, now)
        begun = datetime.fromisoformat(log.events[0]["time"]) if log.events else now
        elapsed = max(0.0, (now - begun).total_seconds())
        words = self.text("{time} so far", time=duration(elapsed, text=self.text))
        named = f'aria-label="{html.escape(self.text(self.title))}"'
        if left is None:
            return f"<progress {named}></progress> <span>{html.escape(words)}</span>"
        words += ", " + self.text("{time} left or so", time=duration(left, text=self.text))
        share = elapsed / (elapsed + left) if elapsed + left else 1.0
        return f'<progress {named} max="1" value="{share:.3f}"></progress> <span>{html.escape(words)}</span>'

    def _log_shown(self) -> w.Widget:
        self._lines = markup(self._log_of(self._log) if self._log else "", "fk-log")
        return self._lines

    def _log_of(self, log: Log) -> str:
        title = self.text("As of {time}", time=f"{datetime.now():%H:%M:%S}")
        lines = "\n".join(map(plain, log.lines()))
        return f"<p>{html.escape(title)}</p><pre>{lines}</pre>"

    def _stop(self) -> None:
        if self._log:
            cancel(self._log.record, self.desk.who or self.text("the provider"))
        self.refresh()


def _is_look(runner: Runner | None) -> bool:
    return bool(runner and runner.dry_run and runner.runbook not in LOOKS)
