"""Drawing what was found before anything is done: diagnoses, names, what would change at a DNS server."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.words import plural
from fedikit.results.diagnosis import Diagnosis, Finding
from fedikit.results.names import DnsChange, DnsPlan, NameFound, NamesFound

STATES = {"well": ("✓ ", "green"), "note": ("! ", "yellow"), "obstacle": ("✗ ", "bold red")}
ACTIONS = {
    "create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"), "same": ("=", "dim"),
    "leave": ("·", "magenta"), "refused": ("✗", "bold red"),
}  # fmt: skip


def draw_diagnosis(diagnosis: Diagnosis) -> Iterator[Text]:
    width = max((len(finding.host) for finding in diagnosis.findings), default=0)
    matters = max((len(finding.matter) for finding in diagnosis.findings), default=0)
    for finding in diagnosis.findings:
        yield from _finding(finding, width, matters)
    count = len(diagnosis.obstacles)
    verb = "stands" if count == 1 else "stand"
    words = f"{plural(count, 'matter')} {verb} in the way." if count else "Nothing stands in the way."
    yield Text(words, style="bold red" if count else "bold")


def html_of_diagnosis(diagnosis: Diagnosis) -> Iterator[str]:
    return map(markup.lines, draw_diagnosis(diagnosis))


def _finding(finding: Finding, width: int, matters: int) -> Iterator[Text]:
    sign, style = STATES[finding.state]
    quiet = "dim" if finding.state == "well" else ""
    seen = " ".join(finding.seen.split())
    yield Text.assemble(
        (sign, style), (f"{finding.host:<{width}}  ", "bold"), f"{finding.matter:<{matters}}  ", (seen, quiet)
    )
    if finding.remedy:
        yield Text(f"    → {finding.remedy}")


# Names


def draw_namesfound(found: NamesFound) -> Iterator[Text]:
    width = max((len(name.name) for name in found.names), default=0)
    for name in found.names:
        yield _name(name, width)
    if not found.names:
        yield Text("There are no names to set.", style="bold")
    elif found.lead_there:
        yield Text("All names lead to the hosts.", style="bold")
    else:
        yield from draw_lacking(found)


def html_of_namesfound(found: NamesFound) -> Iterator[str]:
    return map(markup.lines, draw_namesfound(found))


def draw_lacking(found: NamesFound) -> Iterator[Text]:
    """The records of the names that do not lead to the hosts, to be set as they stand there."""
    lacking = {name.name for name in found.lacking}
    yield Text(f"{plural(len(lacking), 'name')} to set, in the zone of the domain:", style="bold red")
    for record in found.records:
        if record.name in lacking:
            yield Text(f"  {record.name}. {found.ttl} IN {record.type} {record.address}")


def _name(name: NameFound, width: int) -> Text:
    sign = STATES["well" if name.leads_there else "obstacle"]
    words = f"leads to {', '.join(name.found)}" if name.leads_there else name.seen
    return Text.assemble(sign, f"{name.name:<{width}}  ", (words, "dim" if name.leads_there else "red"))


# A DNS server


def draw_dnsplan(plan: DnsPlan) -> Iterator[Text]:
    for change in (change for zone in plan.zones for change in zone.changes):
        yield _change(change)
    for record in plan.elsewhere:
        words = f"{record.type} {record.address}: in no zone of the environment's; set it yourself"
        yield Text.assemble(("! ", "yellow"), f"{record.name}  {words}")
    count = sum(change.changes for zone in plan.zones for change in zone.changes)
    if plan.refused:
        yield Text(f"{plural(len(plan.refused), 'name')} of somebody else: nothing will be changed.", style="bold red")
    else:
        words = f"{plural(count, 'record')} would change at {plan.server}." if count else "Nothing to change."
        yield Text(words, style="bold")


def html_of_dnsplan(plan: DnsPlan) -> Iterator[str]:
    return map(markup.lines, draw_dnsplan(plan))


def _change(change: DnsChange) -> Text:
    before, after = ", ".join(change.before), ", ".join(change.after)
    values = after if change.before == change.after or not before else before if not after else f"{before} → {after}"
    why = f"  {change.why}" if change.why else ""
    sign, style = ACTIONS[change.action]
    return Text.assemble((f"{sign} ", style), f"{change.name}  {change.type} {values}", (why, style))
