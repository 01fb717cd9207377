"""Drawing restores: which data would take the place of which, and what came of it."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.backups import counted
from fedikit.display.outcomes import OUTCOMES
from fedikit.display.pending import named
from fedikit.display.words import amount, plural, span
from fedikit.results.restoring import Amount, ApplicationRestore, PartReplaced, RestorePlan, RestoreReport


def html_of_restoreplan(plan: RestorePlan) -> Iterator[str]:
    return map(markup.lines, draw_restoreplan(plan))


def draw_restoreplan(plan: RestorePlan) -> Iterator[Text]:
    for one in plan.applications:
        yield Text.assemble((one.application, "bold"), (f"  on {one.host}", "dim"))
        yield from _lines_of_application(one, saves=plan.saves)
    yield summary_of_restoreplan(plan)


def _lines_of_application(one: ApplicationRestore, *, saves: bool) -> Iterator[Text]:
    if one.error or not one.backup:
        yield Text(f"  {one.error}", style="bold red")
        return
    backup = one.backup
    when = f"{backup.ended:%Y-%m-%d %H:%M} UTC, {span(max(0.0, backup.age.total_seconds()))} old"
    yield Text.assemble("  ", (f"← backup {backup.id}", "cyan"), f"  of {when}, {amount(backup.bytes)}")
    yield from map(_line_of_part, one.parts)
    kept = "a backup is made of it before" if saves else "and no backup is made of it before"
    yield Text(f"  what was written since is replaced; {kept}", style="yellow" if saves else "bold red")
    if one.interrupted:
        what = "this goes on with it" if one.interrupted == backup.id else "this gives it up"
        yield Text(f"  ! a restore of {one.interrupted} was cut off here; {what}", style="yellow")
    yield from (Text(f"  ! {note}", style="yellow") for note in one.notes)
    if one.free < one.bytes:
        yield Text(f"  ! {amount(one.bytes)} to fetch, but {amount(one.free)} free there", style="bold yellow")
    if one.stop:
        yield Text(f"  ↻ stands still meanwhile: {named(one.stop)}", style="yellow")
    if one.after:
        yield Text(f"  ▶ afterwards: {', '.join(one.after)}", style="cyan")


def _line_of_part(part: PartReplaced) -> Text:
    was = "nothing" if part.absent else _words(part.was) if part.was else "what is there"
    if part.becomes is None:
        return Text(f"  · {part.id}  stays: {was}", style="dim")
    return Text.assemble(("  ~ ", "yellow"), f"{part.id}  {was} → {_words(part.becomes)}")


def _words(there: Amount) -> str:
    counts = counted(there.counts)
    return f"{counts}, {amount(there.bytes)}" if counts else amount(there.bytes)


def summary_of_restoreplan(plan: RestorePlan) -> Text:
    """Which data would be replaced, in one line."""
    if plan.has_errors:
        return Text("Not every application can be restored: nothing is done.", style="bold red")
    parts = sum(part.becomes is not None for one in plan.applications for part in one.parts)
    size = sum(one.bytes for one in plan.applications)
    words = f"{plural(parts, 'part')} of {plural(len(plan.applications), 'application')} replaced"
    return Text(f"{words}; {amount(size)} to fetch.", style="bold")


def html_of_restorereport(report: RestoreReport) -> Iterator[str]:
    return map(markup.lines, draw_restorereport(report))


def draw_restorereport(report: RestoreReport) -> Iterator[Text]:
    for one in report.applications:
        word = "restored" if one.outcome == "changed" else one.outcome
        checks = f"  {plural(one.checks, 'check')} held" if one.checks else ""
        yield Text.assemble(
            (one.application, "bold"), (f"  on {one.host}  ", "dim"), (word, OUTCOMES[one.outcome]), checks
        )
        if one.error:
            yield Text(f"  {one.error}", style="red" if one.outcome == "failed" else "yellow")
        yield from (Text(f"  ✗ not as in the backup: {words}", style="bold red") for words in one.differences)
        if one.before:
            yield Text(f"  what was there before is backup {one.before}", style="dim")
    done = sum(one.outcome == "changed" for one in report.applications)
    words = f"restored: {done} of {plural(len(report.applications), 'application')}."
    yield Text.assemble((words, "bold"), (f"  ({report.seconds:.1f} s, run {report.run})", "dim"))
