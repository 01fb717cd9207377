"""Drawing what hosts say of themselves: generations, the last run, and how well all is."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.pending import lines_of_pending
from fedikit.display.words import plural, span
from fedikit.model.item import class_of
from fedikit.results.backup import BackupHealth
from fedikit.results.health import CertificateHealth, DiskHealth, Drift, Health, UnitHealth
from fedikit.results.status import Generation, HostStatus, Moves, Status

NOTES_SHOWN = 5
FEW_NAMED = 3
"""So many items of a sort are named in a status of all generations."""


def html_of_status(status: Status) -> Iterator[str]:
    return map(markup.lines, draw_status(status))


def draw_status(status: Status) -> Iterator[Text]:
    return _drawn(status, named=FEW_NAMED)


def draw_whole_status(status: Status) -> Iterator[Text]:
    """The same with every item that a generation has otherwise than the one before."""
    return _drawn(status, named=None)


def _drawn(status: Status, *, named: int | None) -> Iterator[Text]:
    for host in status.hosts.values():
        yield Text.assemble((host.host, "bold"), "  ", *_host_status(host))
        for words in host.closed:
            yield Text(f"  ! {words}", style="yellow")
        for generation in reversed(host.generations):
            yield from _generation_lines(generation, named, is_current=generation.number == host.generation)
        if host.health:
            yield from _health_lines(host, host.health)
            yield from lines_of_pending(host.health.pending)
        for note in host.notes[-NOTES_SHOWN:]:
            yield Text(f"    {note.time}  {note.who} {note.note}", style="dim")


def _generation_lines(generation: Generation, named: int | None, *, is_current: bool) -> Iterator[Text]:
    sign, style = ("*", "") if is_current else (" ", "dim")
    words = f"{generation.time}  {plural(generation.items, 'item'):<9} {generation.note}, by {generation.who}"
    yield Text(f"  {sign} generation {generation.number:<3} {words}", style=style)
    for moved in _moved(generation.moves, named) if generation.moves else ():
        yield Text(f"      {moved}", style=style)


def _moved(moves: Moves, named: int | None) -> Iterator[str]:
    """What came, became another or went: how many, and by name the first of them, or all that are known."""
    signs = (
        ("+", moves.added, moves.counts.added),
        ("~", moves.changed, moves.counts.changed),
        ("-", moves.removed, moves.counts.removed),
    )
    for sign, ids, count in signs:
        names = [_plain(identity) for identity in ids[:named]]
        if count:
            yield f"{sign} {count}: {', '.join(names)}" + f" and {count - len(names)} more" * (count > len(names))


def _plain(identity: str) -> str:
    kind, _, name = identity.partition(":")
    return f"{kind} {class_of(identity).plain_name(name)}"


def _host_status(host: HostStatus) -> Iterable[str | tuple[str, str]]:
    if host.error:
        return [(host.error, "bold red")]
    states = Counter(host.items.values())
    parts: list[str | tuple[str, str]] = [
        ", ".join(f"{count} {state}" for state, count in states.items()) or "owns nothing"
    ]
    if host.busy:
        parts.append((f"  is being changed by {host.busy}", "yellow"))
    elif host.last_run and host.last_run.state != "done":
        ended = "was interrupted" if host.last_run.state == "running" else f"failed at {host.last_run.item}"
        parts.append((f"  the last run {host.last_run.run} {ended} {host.last_run.message}", "yellow"))
    if host.last_run:
        parts.append((f"  {_sheltered(host.last_run.unit)}", "dim"))
    if host.disk:
        parts.append((f"  {host.disk.free / 1e9:.1f} of {host.disk.size / 1e9:.1f} GB free for data", "dim"))
    if host.neighbours:
        parts.append((f"  other deployments here: {', '.join(host.neighbours)}", "dim"))
    return parts


def _sheltered(unit: str) -> str:
    return f"last changed in {unit}" if unit else "the last change ran within a login, and would have ended with it"


# Health


def _health_lines(host: HostStatus, health: Health) -> Iterator[Text]:
    """What is not well, each on a line; then the rest in one."""
    ill = [part for part in (*health.parts, *host.backups) if not part.is_well]
    for words in [*map(_words_of_drift, health.drift), *map(_words_of, ill)]:
        yield Text(f"  ✗ {words}", style="bold red")
    if host.is_unfinished:
        yield Text("  ✗ the last apply did not come to its end", style="bold red")
    elif host.is_well:
        yield Text(f"  ✓ all is well: {', '.join(_counts(host, health))}", style="green")


def _words_of(part: UnitHealth | DiskHealth | CertificateHealth | BackupHealth) -> str:
    match part:
        case BackupHealth():
            return f"backups of {part.application}: {'; '.join(filter(None, (part.words, part.doubt)))}"
        case UnitHealth():
            return _words_of_unit(part)
        case DiskHealth():
            return f"disk of {part.place} is nearly full: {part.free / 1e9:.1f} of {part.size / 1e9:.1f} GB free"
        case CertificateHealth(expires=None):
            return f"certificate of {part.site} cannot be read"
        case CertificateHealth():
            left = part.left.total_seconds()
            when = f"expires in {span(left)}, and was not renewed" if left > 0 else "has expired"
            return f"certificate of {part.site} {when}"


def _words_of_unit(unit: UnitHealth) -> str:
    since = f" for {span(unit.seconds)}" if unit.seconds else ""
    again = f", started again {unit.restarts} times" if unit.restarts else ""
    reasons = f" ({', '.join(unit.reasons)})" if unit.reasons else ""
    return f"unit {unit.name} is {unit.state}{since}{again}{reasons}: journalctl --unit {unit.name}"


def _words_of_drift(drift: Drift) -> str:
    return f"{_plain(drift.id)} was changed: {', '.join(drift.reasons)}"


def _counts(host: HostStatus, health: Health) -> Iterator[str]:
    yield plural(len(health.units), "unit")
    restarts = sum(unit.restarts for unit in health.units)
    if restarts:
        yield f"started again {restarts} times"
    yield "nothing was changed by hand"
    for certificate in health.certificates:
        yield f"certificate of {certificate.site} for {certificate.left.days} days"
    for backup in host.backups:
        age = f"{span(backup.newest.age.total_seconds())} old" if backup.newest else "due"
        proven = f", proven {backup.proof.ended:%Y-%m-%d}" if backup.proof else ""
        yield f"backup of {backup.application} {age}{proven}"
