"""fedikit: one small JSON file becomes running fediverse services on ordinary Debian machines over SSH.

    configuration = fedikit.load_configuration("configuration.json")
    environment = fedikit.load_environment("environment.toml")
    deployment = environment.deployment(configuration)
    plan = fedikit.make_plan(deployment)
    report = fedikit.apply_plan(plan)
    verdict = fedikit.verify_deployment(deployment)

Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedikit.apply import Report, apply_plan
    from fedikit.errors import ConfigurationError, FedikitError
    from fedikit.model.load import load_configuration, load_environment
    from fedikit.plan import Plan, load_plan
    from fedikit.planning import make_plan, make_removal, make_rollback
    from fedikit.status import Status, read_status
    from fedikit.verify import Verdict, verify_deployment

__version__ = "0.1.0"
__all__ = [
    "ConfigurationError", "FedikitError", "Plan", "Report", "Status", "Verdict", "apply_plan", "load_configuration",
    "load_environment", "load_plan", "make_plan", "make_removal", "make_rollback", "read_status", "verify_deployment",
]  # fmt: skip
_ROOMS = {
    "apply": ("Report", "apply_plan"),
    "errors": ("ConfigurationError", "FedikitError"),
    "model.load": ("load_configuration", "load_environment"),
    "plan": ("Plan", "load_plan"),
    "planning": ("make_plan", "make_removal", "make_rollback"),
    "status": ("Status", "read_status"),
    "verify": ("Verdict", "verify_deployment"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"fedikit.{room}"), name)
    raise AttributeError(f"fedikit has no {name}")
