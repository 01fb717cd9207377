"""Drawing upgrades: what would come host by host, and what came of it."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.outcomes import OUTCOMES
from fedikit.display.pending import lines_of_others, lines_of_pending, named
from fedikit.display.words import megabytes, plural
from fedikit.results.pending import NewerPackage
from fedikit.results.upgrading import HostUpgrade, HostUpgraded, UpgradePlan, UpgradeReport


def html_of_upgradeplan(plan: UpgradePlan) -> Iterator[str]:
    return map(markup.lines, draw_upgradeplan(plan))


def draw_upgradeplan(plan: UpgradePlan) -> Iterator[Text]:
    for host in plan.hosts.values():
        yield Text(host.host, style="bold")
        yield from _lines_of_host(host, plan)
    yield Text(_sentence(plan), style="bold")


def _lines_of_host(host: HostUpgrade, plan: UpgradePlan) -> Iterator[Text]:
    if host.error:
        yield Text(f"  {host.error}", style="bold red")
        return
    if host.note:
        yield Text(f"  ! {host.note}", style="yellow")
    yield from map(_line_of_package, host.packages)
    yield from (Text(f"  · {name} stays: {why}", style="magenta") for name, why in host.staying.items())
    yield from _lines_of_restarts(host, plan)
    if not plan.has_work(host):
        yield Text("  nothing to upgrade", style="dim")


def _line_of_package(package: NewerPackage) -> Text:
    security = ("  for security", "bold cyan") if package.security else ""
    return Text.assemble(("  ↑ ", "cyan"), f"{package.name} {package.was or 'new'} → {package.becomes}", security)


def _lines_of_restarts(host: HostUpgrade, plan: UpgradePlan) -> Iterator[Text]:
    pending = host.pending
    if pending.units:
        yield Text(f"  ↻ restarts {named(pending.units)}: old code runs there", style="yellow")
    if pending.other_units and plan.restart_others:
        yield Text(f"  ↻ restarts {named(pending.other_units)}, not fedikit's: old code runs there", style="yellow")
        pending = pending.model_copy(update={"other_units": ()})
    yield from lines_of_others(pending)
    if pending.reboot:
        what = "reboots" if plan.reboot else "should reboot, and does not unless asked to"
        yield Text(f"  ↻ {what}: {pending.reboot}", style="yellow")


def _sentence(plan: UpgradePlan) -> str:
    if plan.is_noop:
        return "Nothing to upgrade."
    count = sum(len(host.packages) for host in plan.hosts.values())
    hosts = sum(plan.has_work(host) for host in plan.hosts.values())
    size = sum(host.bytes_to_send for host in plan.hosts.values())
    return f"{plural(count, 'package')} on {plural(hosts, 'host')}, one after the other; {megabytes(size)} to send."


def html_of_upgradereport(report: UpgradeReport) -> Iterator[str]:
    return map(markup.lines, draw_upgradereport(report))


def draw_upgradereport(report: UpgradeReport) -> Iterator[Text]:
    for host in report.hosts.values():
        yield Text.assemble(
            (f"{host.host}  ", "bold"), (host.outcome, OUTCOMES[host.outcome]), f"  {', '.join(_done(host))}"
        )
        if host.error:
            yield Text(f"  {host.error}", style="red" if host.outcome == "failed" else "yellow")
        yield from lines_of_pending(host.left)
    outcomes = Counter(host.outcome for host in report.hosts.values())
    words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    yield Text.assemble((f"upgrade: {words}.", "bold"), (f"  ({report.seconds:.1f} s, run {report.run})", "dim"))


def _done(host: HostUpgraded) -> Iterator[str]:
    if host.packages:
        yield plural(len(host.packages), "package")
    if host.restarted:
        yield f"restarted {named(host.restarted)}"
    if host.rebooted:
        yield "rebooted"
    if host.checks:
        yield f"{plural(host.checks, 'check')} held"
