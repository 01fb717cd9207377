"""fedikit: one small JSON file becomes running fediverse services on ordinary Debian machines over SSH.

    configuration = fedikit.load_configuration("configuration.json")
    environment = fedikit.load_environment("environment.toml")
    deployment = environment.deployment(configuration)
    plan = fedikit.make_plan(deployment)
    report = fedikit.apply_plan(plan)
    verdict = fedikit.verify_deployment(deployment)

Names are imported when they are first used.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedikit.apply import apply_plan
    from fedikit.data.backups import list_backups, make_backup
    from fedikit.data.carrying_out import apply_restore
    from fedikit.data.migration.carrying_out import apply_migration
    from fedikit.data.migration.moving import apply_move
    from fedikit.data.migration.planning import make_migration
    from fedikit.data.migration.planning_moves import load_move, make_move
    from fedikit.data.migration.sides import load_sides
    from fedikit.data.planning import make_restore
    from fedikit.data.safeguard import apply_safely
    from fedikit.environment.load import load_configuration, load_environment
    from fedikit.errors import ConfigurationError, FedikitError
    from fedikit.plan import load_plan, make_plan, make_removal, make_rollback, save_plan
    from fedikit.remote.sessions import Sessions
    from fedikit.results.backup import BackupReport, Backups
    from fedikit.results.migration import MigrationPlan, MigrationReport
    from fedikit.results.plan import Plan
    from fedikit.results.report import Report
    from fedikit.results.restoring import RestorePlan, RestoreReport
    from fedikit.results.status import Status
    from fedikit.results.upgrading import UpgradePlan, UpgradeReport
    from fedikit.results.verdict import Verdict
    from fedikit.status import read_status
    from fedikit.upgrade import apply_upgrade, make_upgrade
    from fedikit.verify import verify_deployment, verify_rollback

__version__ = "0.1.0"
__all__ = [
    "BackupReport", "Backups", "ConfigurationError", "FedikitError", "MigrationPlan", "MigrationReport", "Plan",
    "Report", "RestorePlan", "RestoreReport", "Sessions", "Status", "UpgradePlan", "UpgradeReport", "Verdict",
    "apply_migration", "apply_move", "apply_plan", "apply_restore", "apply_safely", "apply_upgrade", "list_backups",
    "load_configuration", "load_environment", "load_move", "load_plan", "load_sides", "make_backup", "make_migration",
    "make_move", "make_plan", "make_removal", "make_restore", "make_rollback", "make_upgrade", "read_status",
    "save_plan", "verify_deployment", "verify_rollback",
]  # fmt: skip
_ROOMS = {
    "apply": ("apply_plan",),
    "data.backups": ("list_backups", "make_backup"),
    "data.carrying_out": ("apply_restore",),
    "data.migration.carrying_out": ("apply_migration",),
    "data.migration.moving": ("apply_move",),
    "data.migration.planning": ("make_migration",),
    "data.migration.planning_moves": ("load_move", "make_move"),
    "data.migration.sides": ("load_sides",),
    "data.planning": ("make_restore",),
    "data.safeguard": ("apply_safely",),
    "errors": ("ConfigurationError", "FedikitError"),
    "environment.load": ("load_configuration", "load_environment"),
    "plan": ("load_plan", "make_plan", "make_removal", "make_rollback", "save_plan"),
    "remote.sessions": ("Sessions",),
    "results.backup": ("BackupReport", "Backups"),
    "results.migration": ("MigrationPlan", "MigrationReport"),
    "results.plan": ("Plan",),
    "results.report": ("Report",),
    "results.restoring": ("RestorePlan", "RestoreReport"),
    "results.status": ("Status",),
    "results.upgrading": ("UpgradePlan", "UpgradeReport"),
    "results.verdict": ("Verdict",),
    "status": ("read_status",),
    "upgrade": ("apply_upgrade", "make_upgrade"),
    "verify": ("verify_deployment", "verify_rollback"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"fedikit.{room}"), name)
    raise AttributeError(f"fedikit has no {name}")


if "IPython" in sys.modules:
    from IPython import get_ipython

    from fedikit.display.notebook import register

    if (shell := get_ipython()) is not None:
        register(shell)
