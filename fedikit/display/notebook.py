"""Registers the drawings with IPython: results then draw themselves when they are the last line of a cell.

By name, so that nothing is imported until there is something to draw.
"""

from typing import TYPE_CHECKING, Any

from fedikit.display.unknown_names import explain_names

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

DRAWN = {
    "BackupReport": "backup",
    "Backups": "backup",
    "MigrationPlan": "migration",
    "MigrationReport": "migration",
    "Plan": "plan",
    "Proof": "proof",
    "Proofs": "proof",
    "Report": "report",
    "RestorePlan": "restoring",
    "RestoreReport": "restoring",
    "Services": "services",
    "Status": "status",
    "UpgradePlan": "upgrading",
    "UpgradeReport": "upgrading",
    "Verdict": "verdict",
}
"""The results that have a drawing, and the module of `fedikit.results` that they are in."""


def register(shell: "InteractiveShell") -> None:
    """Has a running IPython draw results: text for a terminal or a saved notebook, HTML for a browser."""
    assert shell.display_formatter
    formatter = shell.display_formatter.mimebundle_formatter
    for name, module in DRAWN.items():
        formatter.for_type_by_name(f"fedikit.results.{module}", name, _mimebundle)
    explain_names(shell)


def _mimebundle(value: object, include: Any = None, exclude: Any = None) -> dict[str, str]:
    from fedikit.display.drawing import mimebundle  # slow to import, and needed only where somebody looks

    return mimebundle(value)
