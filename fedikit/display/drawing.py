"""Draws plans, reports, verdicts and status: as text for a terminal and a saved notebook, as HTML for a browser.

Words of hosts stand in it as plain text, never as markup: so nothing in them can become a link, or a style.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from rich.text import Text

from fedikit.display.lines import wrapped
from fedikit.display.markup import shown

NOTEBOOK_WIDTH = 112

DRAWN_BY = {
    "BackupReport": "backups",
    "Backups": "backups",
    "Diagnosis": "findings",
    "DnsPlan": "findings",
    "Export": "export",
    "MigrationPlan": "migration",
    "MigrationReport": "migration",
    "NamesFound": "findings",
    "Plan": "plans",
    "Proof": "proofs",
    "Proofs": "proofs",
    "Renaming": "renaming",
    "Report": "outcomes",
    "RestorePlan": "restoring",
    "RestoreReport": "restoring",
    "Services": "services",
    "Status": "states",
    "UpgradePlan": "upgrades",
    "UpgradeReport": "upgrades",
    "Verdict": "outcomes",
}
"""The module of this room that draws a result, by the name of its kind: it is imported when there is one."""


def texts_of(value: object, *, whole: bool = False) -> Iterator[Text]:
    """The drawing of a plan, report, verdict or status; `whole`: nothing is cut short, where something would be."""
    return _drawer("draw_whole" if whole else "draw", value)(value)


def summary_of(plan: object) -> Text:
    """What a plan comes to, in one line."""
    summary: Callable[[object], Text] = _drawer("summary_of", plan)  # type: ignore[assignment]
    return summary(plan)


def mimebundle(value: object) -> dict[str, str]:
    """The drawing as a notebook keeps it: plain text, and HTML that wraps and folds."""
    return {
        "text/plain": "\n".join(lines_of(value, NOTEBOOK_WIDTH)),
        "text/html": shown(*_drawer("html_of", value)(value)),
    }


def lines_of(value: object, width: int = 100) -> Iterator[str]:
    """The drawing as plain lines."""
    return (line.plain for text in texts_of(value) for line in wrapped(text, width))


def _drawer(how: str, value: object) -> Callable[[object], Iterator[Any]]:
    kind = type(value).__name__
    if kind not in DRAWN_BY:
        raise TypeError(f"{kind} has no drawing")
    drawer: Callable[[object], Iterator[Any]] = getattr(
        import_module(f"fedikit.display.{DRAWN_BY[kind]}"), f"{how}_{kind.lower()}"
    )
    return drawer
