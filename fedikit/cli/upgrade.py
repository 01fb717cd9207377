"""The verb that upgrades the packages which fedikit brought."""

import click

from fedikit.cli.options import deployment_of, options
from fedikit.cli.output import finish, listening, present, require_consent


@click.command()
@options("configuration", "environment", "lock", "limit")
@click.option("--reboot", is_flag=True, help="Reboot machines that need it, and wait for them.")
@click.option("--restart-others", is_flag=True, help="Restart what runs old code also where it is not fedikit's.")
@options("yes", "json")
def upgrade(
    configuration: str | None,
    environment: str,
    lock: str | None,
    limit: tuple[str, ...],
    reboot: bool,
    restart_others: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Upgrade the packages that fedikit brought. One host after the other, each verified before the next."""
    from fedikit.upgrade import apply_upgrade, make_upgrade

    deployment = deployment_of(environment, configuration, lock)
    with listening() as tell:
        plan = make_upgrade(deployment, limit=limit, reboot=reboot, restart_others=restart_others, tell=tell)
    if not as_json or not plan.has_changes:
        present(plan, as_json=as_json)
    if not plan.has_changes:
        finish(not plan.has_errors)
    if not yes:
        require_consent(lambda: click.confirm("Upgrade these hosts?", default=False, err=True))
    with listening() as tell:
        report = apply_upgrade(plan, tell=tell)
    present(report, as_json=as_json)
    finish(report.succeeded)
