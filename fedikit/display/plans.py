"""Drawing plans: host by host, item by item; what is refused or would be lost comes first."""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from fedikit.display import markup
from fedikit.display.words import megabytes, plural
from fedikit.model.item import class_of
from fedikit.results.backups_left import backups_left_by
from fedikit.results.endangered import endangered_by
from fedikit.results.plan import HostPlan, Plan, PlannedChange
from fedikit.results.upgrade import Upgrade

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
    "release": "stays",
}
DIFF_LINES = 40
PACKAGES_NAMED = 20
NEW_FILE_LINES = 10
HOSTS_UNFOLDED = 2
"""So few hosts stand open in a notebook."""


def draw_plan(plan: Plan) -> Iterator[Text]:
    return _drawn(plan, whole=False)


def draw_whole_plan(plan: Plan) -> Iterator[Text]:
    """The same with every line of what differs."""
    return _drawn(plan, whole=True)


def _drawn(plan: Plan, *, whole: bool) -> Iterator[Text]:
    width = max((len(name) for name in plan.hosts), default=4)
    for host in plan.hosts.values():
        yield from _host_plan(host, width, whole=whole)
    yield from _lines_of_moves(plan)
    yield summary_of_plan(plan)


def html_of_plan(plan: Plan) -> Iterator[str]:
    """The plan in one sentence, then a fold for each host."""
    yield markup.lines(summary_of_plan(plan))
    yield from map(markup.lines, _lines_of_moves(plan))
    yield from (_html_of_host(host, is_few=len(plan.hosts) <= HOSTS_UNFOLDED) for host in plan.hosts.values())


def _html_of_host(host: HostPlan, *, is_few: bool) -> str:
    lines = _lines_of_host(host)
    if len(lines) == 1 and host.is_noop:
        return markup.lines(Text.assemble((host.host, "bold"), lines[0]))
    is_open = is_few or bool(host.error) or host.is_blocked or host.may_lose_data
    parts = [*map(markup.lines, lines), *_html_of_cut(host)]
    return markup.fold(markup.as_html(_brief(host)), parts, is_open=is_open)


def _html_of_cut(host: HostPlan) -> Iterator[str]:
    """What is too long to stand there folds out below."""
    for change in host.changes:
        if len(_lines_that_differ(change)) > _shown_of(change):
            lines = map(markup.lines, _difference(change, whole=True))
            yield markup.fold(markup.styled(f"all of {_name(change)}"), lines, is_open=False)


def _lines_of_moves(plan: Plan) -> Iterator[Text]:
    refused = "\n".join(words for host in plan.hosts.values() for words in host.refused)
    yield from (Text(f"! {words}.", style="yellow") for words in plan.moves if words not in refused)
    yield from (Text(f"{one.words}.", style="yellow" if one.lack else "") for one in endangered_by(plan))
    yield from (Text(f"{words}.") for words in backups_left_by(plan))


def _host_plan(host: HostPlan, width: int, *, whole: bool) -> Iterator[Text]:
    name = Text(f"{host.host:<{width}}  ", style="bold")
    for number, line in enumerate(_lines_of_host(host, whole=whole)):
        yield _hang(name if number == 0 else Text(" " * (width + 2)), line)


def _lines_of_host(host: HostPlan, *, whole: bool = False) -> list[Text]:
    if host.error:
        return [Text(host.error, style="bold red")]
    lines = [Text(f"✗ {words}", style="bold red") for words in host.refused]
    lines += [Text(f"! {words}", style="yellow") for words in host.people]
    lines += map(_upgrade_line, host.upgrades)
    lines += _lines_of_changes(host, whole=whole)
    if host.note:
        lines.insert(0, Text(f"! {host.note}", style="yellow"))
    if host.kept:
        lines.append(Text(f"  kept since it left: {', '.join(host.kept)}", style="magenta"))
    if not host.changes:
        but = " but fedikit's own record" if host.unfinished else ""
        lines.append(Text(f"  nothing to change{but}", style="dim"))
    return lines


def _brief(host: HostPlan) -> Text:
    """The host's name, and how much of what would change there."""
    counts = Counter(change.action for change in host.changes)
    parts = [(f"  {SIGNS[action][0]} {count} {action}", SIGNS[action][1]) for action, count in counts.items()]
    if host.error:
        parts = [("  ✗ cannot be planned", "bold red")]
    elif host.refused:
        parts.insert(0, ("  ✗ refused", "bold red"))
    elif host.may_lose_data:
        parts.insert(0, ("  ! data may be lost", "bold red"))
    return Text.assemble((host.host, "bold"), *parts)


def _upgrade_line(upgrade: Upgrade) -> Text:
    """What operators look for first: which version comes."""
    versions = f"{upgrade.software} {upgrade.was} → {upgrade.becomes}"
    if upgrade.is_backwards:
        return Text(f"! {versions}: older than what runs, which may not read what the newer one wrote", style="yellow")
    return Text(f"↑ {versions}", style="bold cyan")


def _hang(left: Text, right: Text) -> Text:
    """Text beside a name; its further lines stand under its first one."""
    if "\n" not in right.plain:
        return Text().append_text(left).append_text(right)
    lines = right.split("\n")
    indent = Text("\n" + " " * len(left))
    return Text.assemble(left, indent.join(lines))


def _lines_of_changes(host: HostPlan, *, whole: bool) -> Iterator[Text]:
    yield from _lines_of_packages(host)
    for change in host.changes:
        if not class_of(change.id).is_told_together:
            yield _change_line(change, _sizes_of_images(host))
            yield from _difference(change, whole=whole)


def _lines_of_packages(host: HostPlan) -> Iterator[Text]:
    """Packages that meet the same fate on a line; also those that nobody asked for by name."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for change in host.changes:
        if class_of(change.id).is_told_together:
            arrives = change.action in ("create", "update")
            groups.setdefault((change.action, () if arrives else change.reasons), []).append(_name(change))
    for (action, reasons), names in groups.items():
        yield _package_line(host, action, reasons, names)
    named = {name for names in groups.values() for name in names}
    if not any(action == "delete" for action, _ in groups) and host.leaving_packages:
        yield _signed("delete", "package", _some(host.leaving_packages), "nobody asks for it any more")
    staying: dict[str, list[str]] = {}
    for name, reason in host.staying_packages.items():
        if name not in named:
            staying.setdefault(reason, []).append(name)
    for reason, names in staying.items():
        yield _signed("release", "package", _some(names), f"{reason}, stays")


def _name(change: PlannedChange) -> str:
    return change.id.partition(":")[2]


def _package_line(host: HostPlan, action: str, reasons: tuple[str, ...], names: list[str]) -> Text:
    words = [*reasons, *([WORDS[action]] if action in WORDS else [])]
    if action in ("create", "update"):
        versions = {deb.name: deb.version for deb in host.debs}
        names = [f"{name} {versions[name]}" if name in versions else name for name in names]
        rest = host.bytes_to_send - sum(_sizes_of_images(host).values())
        words.append(f"({plural(len(host.debs), 'package')}, {megabytes(rest)} to send)")
    elif action == "delete" and (others := [name for name in host.leaving_packages if name not in names]):
        words.append(f"and what came with it: {_some(others)}")
    return _signed(action, "package", ", ".join(names), ", ".join(words))


def _some(names: Sequence[str]) -> str:
    """The names, if they are not too many; all of them are in the plan as JSON."""
    rest = len(names) - PACKAGES_NAMED
    return ", ".join(names[:PACKAGES_NAMED]) + (
        f" and {plural(rest, 'package')} more (--json names all)" if rest > 0 else ""
    )


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
        words.append(
            "edited by hand; the edition is saved on the host" if class_of(change.id).is_text else "changed by hand"
        )
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


def _difference(change: PlannedChange, *, whole: bool) -> Iterator[Text]:
    """The changed lines of a file; of a new one, its text."""
    styles = {"+": "green", "-": "red", "@": "dim"}
    lines = _lines_that_differ(change)
    shown = len(lines) if whole else _shown_of(change)
    for line in lines[:shown]:
        yield Text(f"    {line}", style=styles.get(line[:1], ""))
    if len(lines) > shown:
        yield Text(f"    … {plural(len(lines) - shown, 'line')} more (--diff shows all)", style="dim")


def _lines_that_differ(change: PlannedChange) -> list[str]:
    if change.action == "create" and change.after:
        return [f"+{line}" for line in change.after.splitlines()]
    return _unified(change)


def _shown_of(change: PlannedChange) -> int:
    """How many of these lines are shown at first."""
    return NEW_FILE_LINES if change.action == "create" else DIFF_LINES


def summary_of_plan(plan: Plan) -> Text:
    """The plan in one sentence, and how long it took to make."""
    hosts = plan.hosts.values()
    failed = sum(bool(host.error) or host.is_blocked for host in hosts)
    same = sum(host.is_noop for host in hosts)
    changing = len(hosts) - failed - same
    verb = {"apply": "would change", "remove": "would be cleared", "rollback": "would go back"}[plan.purpose]
    parts = [f"{plural(changing, 'host')} {verb}", f"{same} {'is' if same == 1 else 'are'} as wanted"]
    if failed:
        parts.append(f"{failed} cannot be planned")
    if plan.is_refused:
        parts.append("and nothing is changed while something is refused")
    return Text.assemble((", ".join(parts) + ".", "bold"), (f"  ({plan.seconds:.1f} s, one contact per host)", "dim"))
