"""Draws plans, reports, verdicts, status and events; nothing else prints. One drawing serves terminal and notebook."""

import difflib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fedikit.results.plan import HostPlan, Plan, PlannedChange
from fedikit.results.report import HostReport, Report
from fedikit.results.status import HostStatus, Status

if TYPE_CHECKING:
    from fedikit.verify import Verdict

NOTES_SHOWN = 5
SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "run": ("▸", "cyan"),
    "adopt": ("=", "cyan"),
    "delete": ("-", "red"),
    "restore": ("<", "magenta"),
    "release": ("=", "magenta"),
    "keep": ("·", "magenta"),
    "blocked": ("✗", "bold red"),
}
WORDS = {
    "adopt": "is there already; fedikit's from now on",
    "restore": "back to what was there before",
    "release": "was there before; stays",
}
OUTCOMES = {"changed": "green", "same": "dim", "failed": "bold red", "skipped": "yellow"}
DIFF_LINES = 40
NEW_FILE_LINES = 10
DETAIL_WIDTH = 48
NOTEBOOK_WIDTH = 112
HTML = '<pre style="white-space:pre;overflow-x:auto;line-height:1.35;font-family:monospace">{code}</pre>'


def draw(value: object) -> RenderableType:
    """The drawing of a plan, report, verdict or status."""
    match value:
        case Plan():
            return Group(*_plan(value))
        case Report():
            return Group(*_report(value))
        case Status():
            return Group(*_status(value))
    from fedikit.verify import Verdict  # slow to import, and no plan needs it

    if isinstance(value, Verdict):
        return Group(*_verdict(value))
    raise TypeError(f"{type(value).__name__} has no drawing")


def mimebundle(value: object) -> dict[str, str]:
    """The drawing as a notebook keeps it: plain text and HTML."""
    console = Console(
        record=True, width=NOTEBOOK_WIDTH, file=io.StringIO(), color_system="truecolor", force_jupyter=False
    )
    console.print(draw(value))
    html = console.export_html(code_format=HTML, inline_styles=True, clear=False)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    return {"text/plain": "\n".join(lines), "text/html": html}


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _grid(*ratios: str) -> Table:
    table = Table.grid(padding=(0, 1))
    for style in ratios:
        table.add_column(style=style, no_wrap=style == "bold")
    return table


# Plans


def _plan(plan: Plan) -> Iterator[RenderableType]:
    width = max((len(name) for name in plan.hosts), default=4)
    for host in plan.hosts.values():
        yield from _host_plan(host, width)
    yield _plan_summary(plan)


def _host_plan(host: HostPlan, width: int) -> Iterator[Text]:
    name = Text(f"{host.host:<{width}}  ", style="bold")
    if host.error:
        yield _hang(name, Text(host.error, style="bold red"))
        return
    lines = list(_lines_of_changes(host))
    if host.note:
        lines.insert(0, Text(f"! {host.note}", style="yellow"))
    if host.kept:
        lines.append(Text(f"  kept since it left: {', '.join(host.kept)}", style="magenta"))
    if not host.changes:
        but = " but fedikit's own record" if host.unfinished else ""
        lines.append(Text(f"  nothing to change{but}", style="dim"))
    for number, line in enumerate(lines):
        yield _hang(name if number == 0 else Text(" " * (width + 2)), line)


def _hang(left: Text, right: Text) -> Text:
    """Text beside a name; its further lines stand under its first one."""
    lines = right.split("\n")
    indent = Text("\n" + " " * len(left))
    return Text.assemble(left, indent.join(lines))


def _lines_of_changes(host: HostPlan) -> Iterator[Text]:
    packages = [change for change in host.changes if change.id.startswith("package:")]
    for action in dict.fromkeys(change.action for change in packages):
        yield _package_line(host, [change for change in packages if change.action == action])
    for change in host.changes:
        if change not in packages:
            yield _change_line(change, _sizes_of_images(host))
            yield from _difference(change)


def _package_line(host: HostPlan, changes: list[PlannedChange]) -> Text:
    action = changes[0].action
    names = [change.id.removeprefix("package:") for change in changes]
    note = WORDS.get(action, "")
    if action in ("create", "update"):
        versions = {deb.name: deb.version for deb in host.debs}
        names = [f"{name} {versions[name]}" if name in versions else name for name in names]
        rest = host.bytes_to_send - sum(_sizes_of_images(host).values())
        note = f"({plural(len(host.debs), 'package')}, {megabytes(rest)} to send)"
    elif action == "delete" and host.leaving_packages:
        others = len(set(host.leaving_packages) - set(names))
        note = f"(and {plural(others, 'package')} that came with it)" if others else ""
    return _signed(action, "package", ", ".join(names), note)


def _signed(action: str, kind: str, what: str, note: str) -> Text:
    sign, style = SIGNS[action]
    return Text.assemble((f"{sign} {kind:<9} ", style), what, (f"  {note}" if note else "", "dim"))


def _sizes_of_images(host: HostPlan) -> dict[str, int]:
    """How much is to be sent, by the id of the image; of layers that several share, one has them all."""
    sizes: Counter[str] = Counter()
    for image in host.images:
        sizes[f"image:{image.reference}"] += image.size
    return sizes


def _change_line(change: PlannedChange, sizes: Mapping[str, int]) -> Text:
    kind, _, name = change.id.partition(":")
    reasons = [reason for reason in change.reasons if reason not in ("absent", "content", "has not run")]
    counts = _counts(change)
    words = [*filter(None, (change.title, counts)), *reasons]
    words += [f"{megabytes(sizes[change.id])} to send"] if sizes.get(change.id) else []
    if change.drift and change.action != "keep":
        words.append("edited by hand; the edition is saved on the host" if kind == "file" else "changed by hand")
    if "content" in change.reasons and change.before is None and change.after is None:
        words.append("content (secret)")
    words += [WORDS[change.action]] if change.action in WORDS else []
    return _signed(change.action, kind, name, ", ".join(words))


def _unified(change: PlannedChange) -> list[str]:
    if change.before is None or change.after is None:
        return []
    lines = difflib.unified_diff(change.before.splitlines(), change.after.splitlines(), lineterm="", n=1)
    return list(lines)[2:]


def _counts(change: PlannedChange) -> str:
    first = Counter(line[:1] for line in _unified(change))
    return f"+{first['+']} −{first['-']}" if first else ""


def _difference(change: PlannedChange) -> Iterator[Text]:
    """The changed lines of a file; of a new one, its text."""
    styles = {"+": "green", "-": "red", "@": "dim"}
    lines = _unified(change)
    if change.action == "create" and change.after:
        lines = [f"+{line}" for line in change.after.splitlines()]
    shown = NEW_FILE_LINES if change.action == "create" else DIFF_LINES
    for line in lines[:shown]:
        yield Text(f"    {line}", style=styles.get(line[:1], ""))
    if len(lines) > shown:
        yield Text(f"    … {plural(len(lines) - shown, 'line')} more", style="dim")


def _plan_summary(plan: Plan) -> Text:
    hosts = plan.hosts.values()
    failed = sum(bool(host.error) or host.is_blocked for host in hosts)
    same = sum(host.is_noop for host in hosts)
    changing = len(hosts) - failed - same
    verb = {"apply": "would change", "remove": "would be cleared", "rollback": "would go back"}[plan.purpose]
    parts = [f"{plural(changing, 'host')} {verb}", f"{same} {'is' if same == 1 else 'are'} as wanted"]
    if failed:
        parts.append(f"{failed} cannot be planned")
    return Text.assemble((", ".join(parts) + ".", "bold"), (f"  ({plan.seconds:.1f} s, one contact per host)", "dim"))


# Reports


def _report(report: Report) -> Iterator[RenderableType]:
    table = _grid("bold", "", "", "")
    for host in report.hosts.values():
        table.add_row(host.host, Text(host.outcome, style=OUTCOMES[host.outcome]), _done(host), f"{host.seconds:.1f} s")
    yield table
    for host in report.hosts.values():
        yield from _details(host)
    outcomes = Counter(host.outcome for host in report.hosts.values())
    words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    yield Text.assemble(
        (f"{report.purpose}: {words}.", "bold"), (f"  ({report.seconds:.1f} s, run {report.run})", "dim")
    )


def _done(host: HostReport) -> str:
    if host.outcome == "same":
        return "nothing to change"
    counts = Counter(item.action for item in host.items if not item.failed)
    words = ", ".join(f"{count} {action}" for action, count in counts.items()) or "nothing done"
    return f"{words}; generation {host.generation}" if host.outcome == "changed" and host.generation else words


def _details(host: HostReport) -> Iterator[Text]:
    if host.error:
        yield Text(f"{host.host}: {host.error}", style="red" if host.outcome == "failed" else "yellow")
    for item in host.items:
        if item.kept:
            yield Text(f"{host.host}: {item.id} {item.kept}", style="magenta")
        if item.saved:
            yield Text(f"{host.host}: somebody's edition of {item.id} was saved as {item.saved}", style="magenta")


# Verdicts


def _verdict(verdict: "Verdict") -> Iterator[RenderableType]:
    width = max((len(result.application) for result in verdict.results), default=0)
    for result in verdict.results:
        sign = ("✓ ", "green") if result.passed else ("✗ ", "bold red")
        detail = " ".join(result.detail.split())
        shown = detail if len(detail) <= DETAIL_WIDTH or not result.passed else f"{detail[: DETAIL_WIDTH - 1]}…"
        about = (f"  {shown}, {result.seconds:.1f} s", "dim" if result.passed else "red")
        yield Text.assemble(sign, (f"{result.application:<{width}}  ", "bold"), result.name, about)
    failed = sum(not result.passed for result in verdict.results)
    count = plural(len(verdict.results), "check")
    words = f"{count} held." if verdict.results else "There was nothing to check."
    yield Text(f"{failed} of {count} failed." if failed else words, style="bold red" if failed else "bold")


# Status


def _status(status: Status) -> Iterator[RenderableType]:
    for host in status.hosts.values():
        yield Text.assemble((host.host, "bold"), "  ", *_host_status(host))
        for generation in reversed(host.generations):
            current = "*" if generation.number == host.generation else " "
            words = f"{generation.time}  {plural(generation.items, 'item'):<9} {generation.note}, by {generation.who}"
            yield Text(f"  {current} generation {generation.number:<3} {words}", style="" if current == "*" else "dim")
        for note in host.notes[-NOTES_SHOWN:]:
            yield Text(f"    {note.time}  {note.who} {note.note}", style="dim")


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
    if host.neighbours:
        parts.append((f"  other deployments here: {', '.join(host.neighbours)}", "dim"))
    return parts


def lines_of(value: object, width: int = 100) -> Iterator[str]:
    """The drawing as plain lines."""
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(draw(value))
    yield from console.export_text().splitlines()
