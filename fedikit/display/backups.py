"""Drawing backups: what is kept, and what came of making one."""

from collections.abc import Iterator, Mapping

from rich.text import Text

from fedikit.display import markup
from fedikit.display.outcomes import OUTCOMES
from fedikit.display.words import amount, plural, span
from fedikit.results.backup import ApplicationBackups, Backup, BackupReport, Backups, PartSaved, summed

SINGULAR = {"tables": "table", "rows": "row", "objects": "object", "files": "file"}
REASONS = {"now": "asked for", "restore": "before a restore", "schedule": ""}


def html_of_backups(backups: Backups) -> Iterator[str]:
    return map(markup.lines, draw_backups(backups))


def draw_backups(backups: Backups) -> Iterator[Text]:
    for one in backups.applications:
        where = f"  on {one.host}" + (f", to {one.repository}" if one.repository else "")
        yield Text.assemble((one.application, "bold"), (where, "dim"))
        yield from _lines_of_application(one)


def _lines_of_application(one: ApplicationBackups) -> Iterator[Text]:
    if one.error:
        yield Text(f"  {one.error}", style="bold red")
        return
    if one.last and one.last.failed:
        when = f"{one.last.ended:%Y-%m-%d %H:%M} UTC"
        yield Text(f"  ✗ the last attempt failed: {one.last.words}  ({when})", style="bold red")
    if one.check and one.check.failed:
        yield Text(f"  ✗ what is kept cannot all be read: {one.check.error}", style="bold red")
    yield from (Text(f"  ! {note}", style="yellow") for note in one.notes)
    yield from map(_line_of_backup, one.backups)
    if not one.backups:
        yield Text("  there is none yet", style="yellow")


def _line_of_backup(backup: Backup) -> Text:
    about = f"{span(max(0.0, backup.age.total_seconds())):>12} old  {amount(backup.bytes):>9}"
    parts = ", ".join(part.id for part in backup.parts)
    reason = f"  {REASONS[backup.reason]}" if REASONS.get(backup.reason) else ""
    return Text.assemble(
        f"  {backup.ended:%Y-%m-%d %H:%M}  {about}  {plural(len(backup.parts), 'part')}",
        (f"  {backup.id}{reason}  {parts}", "dim"),
        _proof_of(backup),
    )


def _proof_of(backup: Backup) -> Text:
    if backup.proof is None:
        return Text()
    when = f"{backup.proof.ended:%Y-%m-%d}"
    if backup.proof.failed:
        return Text(f"  ✗ the proof of {when} failed", style="bold red")
    return Text(f"  ✓ proven on {when}", style="green")


def html_of_backupreport(report: BackupReport) -> Iterator[str]:
    return map(markup.lines, draw_backupreport(report))


def draw_backupreport(report: BackupReport) -> Iterator[Text]:
    for one in report.applications:
        yield Text.assemble(
            (one.application, "bold"), (f"  on {one.host}  ", "dim"), (_word(one.outcome), OUTCOMES[one.outcome])
        )
        if one.error:
            yield Text(f"  {one.error}", style="red")
        if one.note:
            yield Text(f"  ! {one.note}", style="yellow")
        yield from map(_line_of_part, one.backup.parts if one.backup else ())
    done = [one.backup for one in report.applications if one.backup]
    size, added = sum(backup.bytes for backup in done), sum(backup.added for backup in done)
    words = f"{plural(len(done), 'backup')}: {amount(size)}, of which {amount(added)} were new."
    yield Text.assemble((words, "bold"), (f"  ({report.seconds:.1f} s, run {report.run})", "dim"))


def _word(outcome: str) -> str:
    return "backed up" if outcome == "changed" else outcome


def _line_of_part(part: PartSaved) -> Text:
    version = f", {part.version}" if part.version else ""
    about = f"{amount(part.bytes)}{version}"
    return Text.assemble(f"  {part.id}  {counted(part.counts)}", (f"  {about}", "dim"))


def counted(counts: Mapping[str, int]) -> str:
    """Counts in words: 12 tables, 3456 rows."""
    return ", ".join(
        plural(count, SINGULAR[name]) if name in SINGULAR else f"{count} {name}"
        for name, count in summed(counts).items()
    )
