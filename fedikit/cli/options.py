"""What the verbs are given: the options that they share, and the files that these name."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fedikit.environment.environment import Environment
    from fedikit.model.configuration import Configuration
    from fedikit.model.deployment import Deployment

CONFIGURATION = "configuration.json"
ENVIRONMENT = "FEDIKIT_ENVIRONMENT"
"""The variable that names the provider's file where no option does; for runbooks, `runbook.arguments` reads it."""

_SHARED: dict[str, Callable[[Any], Any]] = {
    "configuration": click.argument("configuration", required=False, type=click.Path()),
    "environment": click.option(
        "--environment", "-e", required=True, type=click.Path(), envvar=ENVIRONMENT, show_envvar=True,
        help="The provider's file: hosts and policies.",
    ),
    "lock": click.option(
        "--lock", type=click.Path(dir_okay=False), help="Use exactly the images and packages of this lock."
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else."),
    "limit": click.option("--limit", multiple=True, metavar="HOST", help="Only these hosts; may be given again."),
    "application": click.option(
        "--application", multiple=True, metavar="NAME", help="Only this application; may be given again."
    ),
    "diff": click.option("--diff", is_flag=True, help="Show every line of what differs in files."),
    "yes": click.option("--yes", "-y", is_flag=True, help="Do it without asking."),
    "purge": click.option("--purge", is_flag=True, help="Data that left the configuration goes too, for good."),
    "consent": click.option(
        "--consent", multiple=True, metavar="NAME",
        help="Let this become what the plan refuses: a new domain, say; may be given again.",
    ),
    "confirm": click.option(
        "--confirm", metavar="NAME", help="The environment's name: needed to purge where nobody can be asked."
    ),
    "names_within": click.option(
        "--names-within", "minutes", default=60.0, show_default=True, metavar="MINUTES",
        help="How long to wait for names that somebody sets by hand.",
    ),
    "drift": click.option(
        "--drift", type=click.Choice(["restore", "keep"]), default="restore", show_default=True,
        help="Files of ours that somebody edited: restore (the edition is saved on the host) or keep them.",
    ),
}  # fmt: skip


def options(*names: str) -> Callable[[Any], Any]:
    """The options that several verbs share, by their names there."""

    def decorate(command: Any) -> Any:
        for name in reversed(names):
            command = _SHARED[name](command)
        return command

    return decorate


def load(environment: str, configuration: str | None) -> "tuple[Environment, Configuration]":
    from fedikit.environment.load import load_both

    return load_both(Path(environment), Path(configuration or CONFIGURATION))


def deployment_of(environment: str, configuration: str | None, lock: str | None = None) -> "Deployment":
    wanted_in, wanted = load(environment, configuration)
    deployment = wanted_in.deployment(wanted)
    if lock is None:
        return deployment
    from fedikit.lock import load_lock

    return deployment.locked(load_lock(Path(lock)))


def environment_of(path: str) -> "Environment":
    from fedikit.environment.load import load_environment

    return load_environment(Path(path))
