"""Drawing what is pending on a host: newer packages, units that run old code, a reboot."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from fedikit.display.words import plural
from fedikit.results.pending import NewerPackage, Pending

NAMED = 8
"""So many packages or units are named; the others are counted."""


def lines_of_pending(pending: Pending) -> Iterator[Text]:
    """A line for each of what there is; nothing if all is up to date."""
    if pending.ours:
        yield Text(f"  ↑ newer: {_packages(pending.ours)}: fedikit upgrade", style="cyan")
    yield from lines_of_others(pending)
    if pending.units:
        yield Text(f"  ↻ run old code: {named(pending.units)}: fedikit upgrade restarts them", style="yellow")
    if pending.reboot:
        yield Text(f"  ↻ should reboot: {pending.reboot}", style="yellow")


def lines_of_others(pending: Pending) -> Iterator[Text]:
    """What is not fedikit's: counted and named, for whoever looks after the machine."""
    if pending.others:
        yield Text(f"  · not fedikit's, and newer: {_packages(pending.others)}", style="dim")
    if pending.other_units:
        yield Text(f"  · not fedikit's, and run old code: {named(pending.other_units)}", style="dim")


def named(names: Sequence[str]) -> str:
    """The first of them by name."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _packages(packages: Sequence[NewerPackage]) -> str:
    """How many, how many of them for security's sake, and which; those come first."""
    safety = sum(one.security for one in packages)
    names = [one.name for one in sorted(packages, key=lambda one: not one.security)]
    count = plural(len(packages), "package") + (f", {safety} for security" if safety else "")
    return f"{count} ({named(names)})"
