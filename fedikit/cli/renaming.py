"""The verb that renames a deployment on its hosts."""

import click

from fedikit.cli.options import environment_of, options
from fedikit.cli.output import finish, present, require_consent


@click.command()
@click.argument("former", metavar="OLD")
@options("environment", "limit", "yes", "json")
def rename(former: str, environment: str, limit: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Tell hosts that the environment has another name now. OLD is the former one; the file has the new one."""
    from fedikit.renaming import make_renaming
    from fedikit.renaming import rename as rename_on_hosts

    hosting = environment_of(environment)
    planned = make_renaming(hosting, former, limit=limit)
    if not as_json or not planned.has_changes:
        present(planned, as_json=as_json)
    if not planned.has_changes:
        finish(not planned.is_refused)
    if not yes:
        require_consent(lambda: click.confirm(f"Rename {former} to {hosting.name}?", default=False, err=True))
    done = rename_on_hosts(hosting, planned)
    present(done, as_json=as_json)
    finish(not done.is_refused)
