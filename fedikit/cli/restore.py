"""The verb that puts the data of applications back from a backup."""

import click

from fedikit.cli.options import deployment_of, options
from fedikit.cli.output import finish, listening, present, require_consent


@click.command()
@options("configuration", "environment")
@click.option("--at", metavar="TIME", help="The newest backup of that time or day (UTC), or the one of this name.")
@click.option("--application", metavar="NAME", help="Only this application.")
@options("limit")
@click.option("--without-saving", is_flag=True, help="Make no backup of what is there now: where that cannot be.")
@click.option("--dry-run", is_flag=True, help="Say what would be replaced, and end there.")
@options("yes", "json")
def restore(
    configuration: str | None,
    environment: str,
    at: str | None,
    application: str | None,
    limit: tuple[str, ...],
    without_saving: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put the data of applications back from a backup. What is there now is backed up before."""
    from fedikit.data.carrying_out import apply_restore
    from fedikit.data.planning import make_restore

    deployment = deployment_of(environment, configuration)
    with listening() as tell:
        plan = make_restore(
            deployment, at=at, application=application, limit=limit, saves=not without_saving, tell=tell
        )
    if not as_json or dry_run or plan.has_errors:
        present(plan, as_json=as_json)
    if dry_run or plan.has_errors:
        finish(not plan.has_errors)
    if not yes:
        require_consent(lambda: click.confirm("Replace today's data by that?", default=False, err=True))
    with listening() as tell:
        report = apply_restore(plan, tell=tell)
    present(report, as_json=as_json)
    finish(report.succeeded)
