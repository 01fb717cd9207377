"""The verbs of backups: having one made now, and what is kept."""

import click

from fedikit.cli.options import deployment_of, options
from fedikit.cli.output import finish, listening, present


@click.group()
def backup() -> None:
    """Back up the data of applications now, and list what is kept. By night, hosts do it by themselves."""


@backup.command()
@options("configuration", "environment", "application", "limit")
@click.option("--anew", is_flag=True, help="What is there now counts, whatever was backed up under its name before.")
@options("json")
def now(
    configuration: str | None, environment: str, application: tuple[str, ...], limit: tuple[str, ...], anew: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Have the hosts make a backup now. They go on by themselves if you leave."""
    from fedikit.data.backups import make_backup

    deployment = deployment_of(environment, configuration)
    with listening() as tell:
        report = make_backup(deployment, application, limit=limit, reason="anew" if anew else "now", tell=tell)
    present(report, as_json=as_json)
    finish(report.succeeded)


@backup.command("list")
@options("configuration", "environment", "application", "limit", "json")
def list_(
    configuration: str | None, environment: str, application: tuple[str, ...], limit: tuple[str, ...], as_json: bool
) -> None:
    """List the backups that are kept, and what failed last. Changes nothing."""
    from fedikit.data.backups import list_backups

    deployment = deployment_of(environment, configuration)
    with listening() as tell:
        kept = list_backups(deployment, application, limit=limit, tell=tell)
    present(kept, as_json=as_json)
    finish(not kept.has_errors)
