"""Drawing renamings: host by host, and what to do where one is in the way."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.display.words import plural
from fedikit.results.renaming import HostRenaming, Renaming

NO_HOST = "No host knows a deployment of that name: fedikit status of the old file says what is there."


def html_of_renaming(renaming: Renaming) -> Iterator[str]:
    return map(markup.lines, draw_renaming(renaming))


def draw_renaming(renaming: Renaming) -> Iterator[Text]:
    width = max(map(len, renaming.hosts), default=4)
    for host in renaming.hosts.values():
        words, style = _words(host, renaming)
        yield Text.assemble((f"{host.host:<{width}}  ", "bold"), (words, style))
    if renaming.is_unknown:
        yield Text(NO_HOST, style="bold red")
    elif renaming.is_refused:
        yield Text("Nothing is renamed while something is in the way.", style="bold")


def _words(host: HostRenaming, renaming: Renaming) -> tuple[str, str]:
    if host.error:
        return host.error, "bold red"
    if host.busy:
        return f"is being changed by {host.busy}", "yellow"
    items = plural(host.items, "item")
    match host.state:
        case "ready":
            return f"~ {renaming.former} becomes {renaming.name}, with {items}", "yellow"
        case "done":
            return f"{items} of {renaming.name}, nothing of {renaming.former}", "dim"
        case "both":
            return f"✗ has deployments of both names: remove the one that is not wanted, {renaming.name}", "bold red"
        case _:
            return "has neither", "dim"
