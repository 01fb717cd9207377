"""The verb that carries applications from one provider to another, with all their data, and back."""

import click

from fedikit.cli.options import CONFIGURATION, options
from fedikit.cli.output import finish, listening, present, require_agreement


@click.command()
@options("configuration")
@click.option("--from", "old", required=True, type=click.Path(), metavar="OLD", help="The environment that is left.")
@click.option("--to", "new", required=True, type=click.Path(), metavar="NEW", help="The environment to go to.")
@click.option("--rehearse", is_flag=True, help="Do all but the switch, and say how long nobody could write.")
@click.option("--back", is_flag=True, help="Go back, with what was written meanwhile.")
@click.option("--instead", default="", metavar="MIGRATION", help="Go on from what hosts know, in its place.")
@options("names_within")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and end there.")
@options("yes", "json")
def migrate(
    configuration: str | None,
    old: str,
    new: str,
    rehearse: bool,
    back: bool,
    instead: str,
    minutes: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Carry all applications to another provider, or back.

    All their data comes along. Cut off anywhere, it goes on when run again.
    """
    from fedikit.data.migration.carrying_out import apply_migration
    from fedikit.data.migration.planning import make_migration
    from fedikit.data.migration.sides import load_sides

    if rehearse and back:
        raise click.UsageError("--rehearse and --back are two things: give one of them")
    sides = load_sides(old, new, configuration or CONFIGURATION)
    with listening() as tell:
        plan = make_migration(sides, rehearse=rehearse, back=back, instead=instead, tell=tell)
    question = "Rehearse it?" if rehearse else "Go back?" if back else "Carry them over?"
    require_agreement(plan, question, dry_run=dry_run, yes=yes, as_json=as_json)
    with listening() as tell:
        report = apply_migration(plan, sides, names_seconds=minutes * 60, tell=tell)
    present(report, as_json=as_json)
    finish(report.succeeded)
