"""Drawing migrations: what would travel from where to where, and how far it has come."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.backups import counted
from fedikit.display.words import amount, plural, span
from fedikit.model.host import MovedSite
from fedikit.results.migration import ApplicationMigration, MigrationPlan, MigrationReport, Moved, PhaseDone, Room

WHAT_HAPPENS = {
    "secrets": "secrets that must stay what they are, sealed to the new side's key",
    "stage": "the new side is set up; nothing runs there yet",
    "copy": "a first copy, while the old side serves",
    "close": "the old side is closed: from here on nobody can write",
    "differences": "what has changed since is copied, and compared",
    "save": "what is not copied while it serves is backed up, as it stands still",
    "parts": "the environment is applied, with these at rest: servers know them in their new place",
    "put-back": "that backup is restored there, and compared",
    "open": "the new side may run",
    "start": "the new side starts, and is looked at: from here on people can write again",
    "names": "names lead to the new side",
    "verify": "everything is looked at from outside",
    "afterwards": "what no copy holds is made anew, such as timelines",
    "leave": "what was left goes from its host, and its data is kept there",
    "reopen": "the old side is opened again: nobody wrote to the new one",
}


def html_of_migrationplan(plan: MigrationPlan) -> Iterator[str]:
    return map(markup.lines, draw_migrationplan(plan))


def draw_migrationplan(plan: MigrationPlan) -> Iterator[Text]:
    for one in plan.applications:
        yield _line_of_way(plan, one)
        yield from _lines_of_application(one)
    yield from map(_line_of_site, plan.sites)
    if plan.secrets:
        yield Text.assemble(("secrets that travel  ", "bold"), ", ".join(plan.secrets))
    for name in plan.names:
        yield Text.assemble("  ", (name.name, "cyan"), f"  {', '.join(name.found) or 'leads nowhere'} → ",
                            ", ".join(name.wanted))  # fmt: skip
    if plan.names:
        yield Text(f"  names: {_who_sets(plan)}", style="dim")
    yield from () if plan.has_errors else _lines_of_phases(plan)
    yield summary_of_migrationplan(plan)


def _line_of_way(plan: MigrationPlan, one: ApplicationMigration) -> Text:
    if plan.is_move and one.source == one.target:
        return Text.assemble(
            (one.application, "bold"), (f"  stays on {one.source}, and its data goes elsewhere", "dim")
        )
    ends = [one.source, one.target]
    if not plan.is_move:
        ends = [f"{one.source} of {plan.source.name}", f"{one.target} of {plan.target.name}"]
    here, there = ends if plan.direction == "there" else reversed(ends)
    return Text.assemble((one.application, "bold"), (f"  {here}", "dim"), "  → ", (there, "dim"))


def _line_of_site(site: MovedSite) -> Text:
    until = f"{site.source} passes its visitors on" if site.source else "its certificate is issued"
    when = "until" if site.source else "once"
    return Text.assemble("  ", (site.domain, "cyan"), f"  comes to {site.target}; {until} {when} its name leads there")


def _who_sets(plan: MigrationPlan) -> str:
    if plan.sets_names:
        return f"fedikit sets them; others may remember the old ones for {span(plan.ttl)}"
    return "you set them, and it waits; others remember the old ones for their TTL: lower that a day before"


def _lines_of_phases(plan: MigrationPlan) -> Iterator[Text]:
    for number, phase in enumerate(plan.left, 1):
        words = WHAT_HAPPENS[phase]
        if plan.is_move:
            words = words.replace("old side", "old host").replace("new side", "new host")
        if plan.direction == "back" and phase != "reopen":
            words = words.replace("old side", "NEW").replace("new side", "old side").replace("NEW", "new side")
        yield Text.assemble(f"  {number:>2}. ", (f"{phase:<13}", "cyan"), words)
    if plan.predicted is not None:
        yield Text(f"  a rehearsal: nobody could write for about {plan.predicted:.1f} s", style="dim")


def _sides(plan: MigrationPlan) -> tuple[str, str]:
    names = (plan.source.name, plan.target.name)
    return names if plan.direction == "there" else (names[1], names[0])


def _lines_of_application(one: ApplicationMigration) -> Iterator[Text]:
    yield from map(_line_of_part, one.parts)
    yield from map(_line_of_room, one.room)
    yield from (Text(f"  ! {note}", style="yellow") for note in one.notes)
    if one.error:
        yield Text(f"  {one.error}", style="bold red")


def _line_of_part(part: Moved) -> Text:
    if part.there is None:
        return Text.assemble(("  → ", "green"), part.id)
    words = ", ".join(filter(None, (counted(part.there.counts), amount(part.there.bytes))))
    return Text.assemble(("  → ", "green"), f"{part.id}  {words}, as of its last backup")


def _line_of_room(room: Room) -> Text:
    comes = "how much comes is not known yet" if room.comes is None else f"{amount(room.comes)} come"
    needed = f", {amount(room.needs)} needed in all" if room.needs else ""
    words = f"  room on {room.host} ({', '.join(room.paths)}): {comes}{needed}, {amount(room.free)} free"
    return Text(words, style="bold red" if room.is_short else "dim")


def summary_of_migrationplan(plan: MigrationPlan) -> Text:
    """What a migration would do, in one line."""
    here, there = _sides(plan)
    if plan.has_errors:
        return Text("Not every application can be carried over: nothing is done.", style="bold red")
    if plan.is_move:
        return Text(_summary_of_move(plan), style="bold")
    if plan.is_noop:
        return Text("Nothing is left to do: it has ended.", style="bold")
    if plan.left == ("reopen",):
        return Text(f"{there} opens again; nobody has written to {here}.", style="bold")
    size = sum(one.bytes for one in plan.applications)
    what = f"{plural(len(plan.applications), 'application')} from {here} to {there}"
    what = f"{what}, {amount(size)}" if size else what
    return Text(f"A rehearsal: {what}." if plan.is_rehearsal else f"{what}.", style="bold")


def _summary_of_move(plan: MigrationPlan) -> str:
    if plan.is_noop:
        return "No data has to move. Whatever else is to change, fedikit apply does."
    if plan.left == ("reopen",):
        return "They are where they are to be again: what was closed is opened, and the move is over."
    size = sum(one.bytes for one in plan.applications)
    what = f"{plural(len(plan.applications), 'application')} within {plan.target.name}"
    return f"{what}, {amount(size)}." if size else f"{what}."


def html_of_migrationreport(report: MigrationReport) -> Iterator[str]:
    return map(markup.lines, draw_migrationreport(report))


def draw_migrationreport(report: MigrationReport) -> Iterator[Text]:
    yield from map(_line_of_phase, report.phases)
    for name, words in report.compared.items():
        if not words:
            yield Text.assemble("  ", ("=", "green"), f" {name} is on both sides the same: rows, objects, files")
        yield from (Text(f"  ✗ {name}: {difference}", style="bold red") for difference in words)
    if report.error:
        yield Text(report.error, style="bold red")
    yield from _lines_of_window(report)
    if report.advice:
        yield Text(f"→ {report.advice}", style="yellow" if report.error else "green")
    word = "failed" if report.error else "rehearsed" if report.is_rehearsal else "done"
    yield Text.assemble(
        (f"migration {report.id}: {word}.", "bold"), (f"  ({report.seconds:.1f} s, run {report.run})", "dim")
    )


def _line_of_phase(done: PhaseDone) -> Text:
    mark, style = ("✗", "bold red") if done.failed else ("✓", "green")
    detail = f"  {done.detail}" if done.detail else ""
    return Text.assemble((f"{mark} ", style), f"{done.phase:<12}{done.seconds:8.1f} s", (detail, "dim"))


def _lines_of_window(report: MigrationReport) -> Iterator[Text]:
    foretold = f"{report.predicted:.1f} s" if report.predicted is not None else ""
    if report.read_only is not None:
        before = f"; {foretold} by the rehearsal" if foretold else ""
        yield Text(f"nobody could write for {report.read_only:.1f} s{before}", style="bold")
    elif report.is_rehearsal and foretold:
        yield Text(f"nobody could write for about {foretold}", style="bold")
