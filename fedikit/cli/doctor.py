"""The verb that says what stands in the way, and what `apply` says of it before it asks."""

from typing import TYPE_CHECKING

import click

from fedikit.cli.options import load, options
from fedikit.cli.output import finish, present

if TYPE_CHECKING:
    from fedikit.remote.sessions import Sessions
    from fedikit.results.plan import Plan


@click.command()
@options("configuration", "environment", "limit", "json")
def doctor(configuration: str | None, environment: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Say what stands in the way, with a remedy. Looks at hosts, names and this machine; changes nothing."""
    from fedikit.doctor.examine import diagnose

    hosting, wanted = load(environment, configuration)
    diagnosis = diagnose(hosting, hosting.deployment(wanted), limit=limit)
    present(diagnosis, as_json=as_json)
    finish(diagnosis.is_clear)


def say_what_stands_in_the_way(plan: "Plan", sessions: "Sessions") -> None:
    """Says, on standard error, what would make this plan fail, or what is checked after it."""
    from fedikit.display.drawing import lines_of
    from fedikit.doctor.examine import foresee

    diagnosis = foresee(plan, sessions=sessions)
    if not diagnosis.is_clear:
        click.echo("\n".join(lines_of(diagnosis)), err=True)
