"""Drawing how something ended: reports and verdicts."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.words import plural
from fedikit.results.report import HostReport, Report, Returned
from fedikit.results.verdict import Verdict

DETAIL_WIDTH = 48
OUTCOMES = {"changed": "green", "same": "dim", "failed": "bold red", "skipped": "yellow"}


def draw_report(report: Report) -> Iterator[Text]:
    rows = [_row(host) for host in report.hosts.values()]
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        for cell, width in zip(row, widths, strict=True):
            cell.pad_right(width - cell.cell_len)
        yield Text(" ").join(row)
    yield from _below_hosts(report)


def html_of_report(report: Report) -> Iterator[str]:
    yield markup.table([markup.as_html(cell) for cell in _row(host)] for host in report.hosts.values())
    yield from map(markup.lines, _below_hosts(report))


def _row(host: HostReport) -> tuple[Text, ...]:
    return (
        Text(host.host, style="bold"),
        Text(host.outcome, style=OUTCOMES[host.outcome]),
        Text(_done(host)),
        Text(f"{host.seconds:.1f} s"),
    )


def _below_hosts(report: Report) -> Iterator[Text]:
    for host in report.hosts.values():
        yield from _details(host)
    yield from map(_way_back, report.returned)
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


def _way_back(returned: Returned) -> Text:
    place = f"{returned.application} on {returned.host}"
    if returned.error:
        again = f"fedikit restore --application {returned.application} --at {returned.backup}, then fedikit rollback"
        return Text(f"{place} could not go back: {returned.error}\n  → {again}", style="red")
    since = f"; what was written since is in the backup {returned.before}" if returned.before else ""
    return Text(
        f"{place} is back at its former version, with its data of the backup {returned.backup}{since}", "yellow"
    )


# Verdicts


def html_of_verdict(verdict: Verdict) -> Iterator[str]:
    return map(markup.lines, draw_verdict(verdict))


def draw_verdict(verdict: Verdict) -> Iterator[Text]:
    width = max((len(result.application) for result in verdict.results), default=0)
    following = {other.name for result in verdict.results for other in verdict.followers_of(result)}
    for result in (result for result in verdict.results if result.name not in following):
        sign = ("✓ ", "green") if result.passed else ("✗ ", "bold red")
        detail = " ".join(result.detail.split())
        shown = detail if len(detail) <= DETAIL_WIDTH or not result.passed else f"{detail[: DETAIL_WIDTH - 1]}…"
        about = (f"  {shown}, {result.seconds:.1f} s", "dim" if result.passed else "red")
        yield Text.assemble(sign, (f"{result.application:<{width}}  ", "bold"), result.name, about)
        if followers := verdict.followers_of(result):
            verb = "needs" if len(followers) == 1 else "need"
            why = f"of {result.application}" if result.is_closed else f"{verb} this name, and"
            yield Text(f"    {plural(len(followers), 'more check')} {why} failed for it", style="red")
    failed = sum(not result.passed for result in verdict.results)
    count = plural(len(verdict.results), "check")
    words = f"{count} held." if verdict.results else "There was nothing to check."
    yield Text(f"{failed} of {count} failed." if failed else words, style="bold red" if failed else "bold")
