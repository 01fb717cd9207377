"""A run in plain words: who did what and when, how it ended, and what to do now."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from fedikit.panel.amounts import duration, moment
from fedikit.panel.away_words import phase_in_words
from fedikit.panel.said import told
from fedikit.panel.texts import Texts
from fedikit.runbook.record import Record, RunResult, RunStatus


@dataclass(frozen=True)
class RunInWords:
    """What became of a run."""

    what: str
    """Who did what, and when."""
    ended: str
    """How it ended, or how far it is."""
    do: str = ""
    """What to do now; empty where nothing is to be done."""

    @property
    def sentence(self) -> str:
        """All in one."""
        return f"{self.what}: {self.ended}" + (f"; {self.do}" if self.do else "")


def run_in_words(record: Record, *, text: Texts, who: str = "", zone: tzinfo | None = None) -> RunInWords:
    """The run in words. `who`: the operator, if not the system's user; `zone`: in which times are told."""
    result = record.result
    began = result.started if result else _began(record)
    return RunInWords(
        what=_what(record, who or (result.user if result else ""), moment(began.astimezone(zone), text=text), text),
        ended=_ended(result, text) if result else _so_far(record, text),
        do=_advice(record, text),
    )


def step_in_words(step: str, *, text: Texts) -> str:
    """What a step of a run is called."""
    names = {
        "pre-checks": "reading your choices",
        "plan": "asking the hosts",
        "fetch": "fetching software",
        "apply": "changing the hosts",
        "act": "changing the hosts",
        "verify": "checking the services",
    }
    return phase_in_words(step, text=text) or text(names.get(step, step))


def _what(record: Record, who: str, when: str, text: Texts) -> str:
    is_trial = record.result.dry_run if record.result else record.parameters.get("dry_run")
    sentences = {
        "deploy": "{who} changed the services on {when}",
        "remove": "{who} removed the services on {when}",
        "rollback": "{who} took the last change back on {when}",
        "verify": "{who} checked the services on {when}",
        "backup": "{who} had backups made on {when}",
        "restore": "{who} put data back from a backup on {when}",
        "migrate": "{who} moved everything to another provider on {when}",
        "rehearse": "{who} rehearsed the move to another provider on {when}",
        "back": "{who} came back from another provider on {when}",
    }
    if is_trial and record.runbook == "backup":
        return text("{who} looked at the backups on {when}", who=who or text("Somebody"), when=when)
    if is_trial:
        return text("{who} looked at what would change on {when}", who=who or text("Somebody"), when=when)
    sentence = sentences.get(_kind(record))
    if sentence is None:
        return text("{who} ran {runbook} on {when}", who=who or text("Somebody"), runbook=record.runbook, when=when)
    return text(sentence, who=who or text("Somebody"), when=when)


def _kind(record: Record) -> str:
    """The runbook, or what it was that it did, if it does several things."""
    ways = ("rehearse", "back") if record.runbook == "migrate" else ()
    return next((way for way in ways if record.parameters.get(way)), record.runbook)


def _ended(result: RunResult, text: Texts) -> str:
    took, step = duration(result.seconds, text=text), step_in_words(result.failed_step, text=text)
    if result.has_succeeded:
        return text("done in {duration}", duration=took)
    match result.status:
        case RunStatus.INTERRUPTED:
            return text("stopped after {duration}", duration=took)
        case RunStatus.TIMED_OUT:
            return text("given up after {duration}, at the step “{step}”", duration=took, step=step)
        case RunStatus.KERNEL_DIED:
            return text("it broke off after {duration}, at the step “{step}”", duration=took, step=step)
    reason = told(_bare(result.reason.partition("\n")[0], result.failed_step), text=text)
    if not result.failed_step:
        return text("failed: {reason}", reason=reason)
    return text("failed at the step “{step}”: {reason}", step=step, reason=reason)


def _bare(reason: str, step: str) -> str:
    """Without the runbook and the step, which are told already."""
    head, found, rest = reason.partition(f"{step} failed: ")
    return rest if found else head


def _so_far(record: Record, text: Texts) -> str:
    step = step_in_words(_step_of(record), text=text)
    if record.status is RunStatus.RUNNING:
        return text("going on, at the step “{step}”", step=step) if step else text("going on")
    return text("it broke off at the step “{step}”", step=step) if step else text("it broke off")


def _step_of(record: Record) -> str:
    return next((event["step"] for event in reversed(record.events) if event["event"] == "StepStarted"), "")


def _began(record: Record) -> datetime:
    times = [event["time"] for event in record.events[:1]]
    return datetime.fromisoformat(times[0]) if times else _named(record.folder.name)


def _named(folder: str) -> datetime:
    return datetime.strptime(folder.partition("-")[0], "%Y%m%dT%H%M%S%z")


def _advice(record: Record, text: Texts) -> str:
    if record.status in (RunStatus.SUCCEEDED, RunStatus.RUNNING):
        return ""
    step = record.result.failed_step if record.result else _step_of(record)
    if record.runbook == "migrate" and step not in ("", "pre-checks", "plan"):
        return text("see on the page “Move away” how it stands; it goes on where it stopped")
    if step in ("apply", "act"):
        return text("start it again once the cause is mended: it goes on where it stopped. Or take the change back")
    if step == "verify":
        return text("check again in a minute. If it still fails, take the change back")
    if step == "pre-checks":
        return text("nothing was changed: mend what is named, and start again")
    return text("nothing was changed: start it again once the cause is mended")
