"""The verb that lets somebody move in from another provider."""

from pathlib import Path

import click

from fedikit.cli.options import environment_of, options
from fedikit.cli.output import require_consent


@click.command()
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--with-dns", is_flag=True, help="Let them update names, by the key of [dns].")
@options("environment", "yes")
def invite(environment: str, out: Path, with_dns: bool, yes: bool) -> None:
    """Make the file by which somebody moves in from another provider.

    For an environment that is theirs alone: whoever holds the file is root on its hosts, and has all of its secrets.
    """
    from fedikit.setup.draft import Draft, place_files, refuse_what_is_there
    from fedikit.setup.invitation import make_invitation

    hosts = ", ".join(environment_of(environment).hosts)
    refuse_what_is_there(out.parent, [out.name])
    text = make_invitation(Path(environment), with_dns=with_dns)
    if not yes:
        click.echo(f"Whoever holds it is root on {hosts}, and has all secrets of this environment.", err=True)
        require_consent(lambda: click.confirm("Is all of that theirs alone?", default=False, err=True))
    place_files(out.parent, {out.name: Draft(text, 0o600)})
    click.echo(f"{out} is made. Give it to them by a way that nobody else reads, and delete it here.")
    click.echo("Once they are here for good, change the login keys on these hosts.")
