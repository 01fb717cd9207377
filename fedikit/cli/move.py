"""The verb that brings data along where an application, or what keeps its data, is placed elsewhere."""

import click

from fedikit.cli.options import CONFIGURATION, options
from fedikit.cli.output import finish, listening, present, require_agreement


@click.command()
@options("configuration", "environment")
@click.option("--instead", default="", metavar="MOVE", help="Go on from what hosts know, in its place.")
@options("names_within")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and end there.")
@options("yes", "json")
def move(
    configuration: str | None,
    environment: str,
    instead: str,
    minutes: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Bring data along to another host or server.

    Applies an environment that places applications, or their databases and buckets, elsewhere. Cut off anywhere, it
    goes on when run again.
    """
    from fedikit.data.migration.moving import apply_move
    from fedikit.data.migration.planning_moves import load_move, make_move

    sides = load_move(environment, configuration or CONFIGURATION)
    with listening() as tell:
        plan = make_move(sides, instead=instead, tell=tell)
    require_agreement(plan, "Move them?", dry_run=dry_run, yes=yes, as_json=as_json)
    with listening() as tell:
        report = apply_move(plan, sides, names_seconds=minutes * 60, tell=tell)
    present(report, as_json=as_json)
    finish(report.succeeded)
