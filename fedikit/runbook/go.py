"""The button below a dry run's plan: it asks once more, has exactly this plan applied, and shows how that goes on.

The work is done by a process of its own, so that neither other cells, nor a closed tab, nor a restarted kernel stop it.
All is in one output of the cell, which in the end is text and HTML, as any other.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedikit.display.markup import line, shown, styled
from fedikit.display.progress import live_line
from fedikit.errors import FedikitError
from fedikit.remote.session import user_name
from fedikit.runbook.detached import Keeper, RunOrder, cancel, launch
from fedikit.runbook.follow import event_of
from fedikit.runbook.history import remaining_seconds
from fedikit.runbook.parameters import RUNBOOKS, RunbookParameters
from fedikit.runbook.past import PastRun
from fedikit.runbook.progress import bar, time_left
from fedikit.runbook.record import RunStatus, list_records, read_events, read_record
from fedikit.runbook.summary import NothingDone

if TYPE_CHECKING:
    from fedikit.results.migration import MigrationPlan
    from fedikit.results.plan import Plan
    from fedikit.results.restoring import RestorePlan

    AnyPlan = Plan | RestorePlan | MigrationPlan

_GLANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Offer(NothingDone):
    """A step that a dry run leaves out, and the button for it."""

    go: "Go"

    def _ipython_display_(self) -> None:
        self.go.show()


def offer(plan: "AnyPlan", parameters: RunbookParameters, records: Path) -> Offer | None:
    """The button, if there is something to be done that can be."""
    is_ours = type(parameters) in RUNBOOKS.values()
    return Offer("apply", Go(plan, parameters, records)) if is_ours and plan.has_changes else None


class Go:
    """A question, and what comes of it."""

    def __init__(self, plan: "AnyPlan", parameters: RunbookParameters, records: Path) -> None:
        self._plan = plan
        self._records = records
        self._name = plan.deployment.name
        agreed = {"dry_run": False, "agreed": plan.digest}
        if getattr(parameters, "purge", False) and hasattr(parameters, "confirm"):
            agreed["confirm"] = self._name
        self._parameters = parameters.model_copy(update=agreed)
        self._order = RunOrder(
            runbook=parameters.runbook, parameters=self._parameters.model_dump(mode="json"), records=str(records)
        )

    def show(self) -> None:
        """Puts the button below what the cell has shown."""
        import ipywidgets as w
        from IPython.display import display

        self._said = w.HTML()
        self._box = w.VBox().add_class("fk-go")
        self._ask()
        view = {
            **self._box._repr_mimebundle_(),
            "text/plain": f"{NothingDone('apply')!r}. To apply it: {self._command}",
        }
        self._handle = display(view, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    @property
    def _command(self) -> str:
        """What does the same in a terminal, if it is given the same parameters."""
        return f"fedikit run {self._order.runbook} … dry_run=false agreed={self._plan.digest}"

    # The question

    def _ask(self) -> None:
        self._say(repr(NothingDone("apply")))
        self._put(_button("Go: apply this plan", self._ask_again, "fk-go-button"))

    def _ask_again(self) -> None:
        import ipywidgets as w

        yes = _button("Yes, apply it", self._begin, "fk-go-yes")
        no = _button("No", self._ask, "fk-go-no")
        if not self._plan.may_lose_data:
            self._say(f"Really? {self._what}")
            self._put(w.HBox([yes, no]))
            return
        self._say(f"Really? {self._what} Data may be lost: type {self._name} if that is meant.", "bold red")
        typed = w.Text(description="Environment").add_class("fk-go-typed")
        yes.disabled = True
        typed.observe(lambda change: setattr(yes, "disabled", change["new"] != self._name), "value")
        self._put(typed, w.HBox([yes, no]))

    @property
    def _what(self) -> str:
        from fedikit.display.drawing import summary_of  # slow to import, and needed only when it is asked

        return summary_of(self._plan).plain.partition("  (")[0]

    # The run

    def _begin(self) -> None:
        self._say("One moment …")
        self._put()
        threading.Thread(target=self._run, name="go", daemon=True).start()

    def _run(self) -> None:
        try:
            record = launch("fedikit.runbook.own_process", self._order)
        except (FedikitError, OSError) as error:
            self._ask()
            self._say(f"✘ nothing was changed: {error}", "bold red")
            return
        self._follow(record)
        self._end(PastRun(read_record(record)))

    def _follow(self, record: Path) -> None:
        earlier = [other for other in list_records(self._records) if other.folder != record]
        self._put(_button("Stop", lambda: self._stop(record), "fk-go-stop"))
        ended, began = threading.Event(), datetime.now(UTC)
        words, offset = "beginning …", 0
        while read_record(record).status is RunStatus.RUNNING:
            events, offset = read_events(record, offset)
            words = next(filter(None, (live_line(event_of(event)) for event in reversed(events))), words)
            now = datetime.now(UTC)
            left = remaining_seconds(read_record(record), earlier, now)
            progress = bar() if left is None else bar((now - began).total_seconds(), left)
            self._said.value = shown(progress, styled(f"{words}{time_left(left)}"))
            ended.wait(_GLANCE_SECONDS)

    def _stop(self, record: Path) -> None:
        cancel(record, Keeper, user_name())

    def _end(self, past: PastRun) -> None:
        """The question is answered: what is left of it is what it came to."""
        self._handle.update({"text/plain": repr(past), "text/html": past._repr_html_()}, raw=True)
        self._box.close()

    # What is seen

    def _say(self, words: str, style: str = "") -> None:
        self._said.value = f'<div role="status">{shown(line(styled(words, style)))}</div>'

    def _put(self, *parts: Any) -> None:
        self._box.children = (self._said, *parts)


def _button(label: str, act: Callable[[], None], name: str) -> Any:
    import ipywidgets as w

    made = w.Button(description=label, layout=w.Layout(width="auto", align_self="flex-start")).add_class(name)
    made.on_click(lambda _: act())
    return made
