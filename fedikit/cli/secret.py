"""The verbs on secrets."""

from pathlib import Path

import click

from fedikit.cli.options import CONFIGURATION, deployment_of, environment_of, options
from fedikit.cli.output import say
from fedikit.cli.stopping import heed_signals


@click.group()
def secret() -> None:
    """The master key, and what is derived from it."""


@secret.command()
@options("environment")
def init(environment: str) -> None:
    """Make the environment's master key. Only its owner can read the file; none is replaced."""
    from fedikit.errors import SecretError
    from fedikit.secrets import MasterKey

    reference = environment_of(environment).secrets.master_key
    kind, _, place = reference.partition(":")
    if kind != "file":
        raise SecretError(
            f"the master key comes from {reference}",
            hint="make it there: fedikit-key-2: and then 64 hexadecimal digits, such as openssl rand -hex 32 makes",
        )
    path = Path(place)
    MasterKey.create(path)
    click.echo(f"{path} is made. Keep a copy in a safe place: every secret of the environment comes from it.")


@secret.command()
@click.argument("name")
@options("configuration", "environment")
def show(name: str, configuration: str | None, environment: str) -> None:
    """Print one secret, such as mastodon/initial-user. The hosts that use it note who saw it."""
    from fedikit.disclosure import disclose

    heed_signals()
    say(disclose(deployment_of(environment, configuration), name))


@secret.command()
@options("environment")
def recipient(environment: str) -> None:
    """Print the line to which others seal secrets. It is no secret itself."""
    from fedikit.secrets import Vault

    click.echo(Vault.of(environment_of(environment).empty()).recipient())


@secret.command()
@click.option(
    "--to", "recipient", required=True, metavar="RECIPIENT", help="What fedikit secret recipient prints there."
)
@click.option("--application", required=True, metavar="NAME", help="Whose secrets.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The file to write.")
@options("configuration", "environment")
def seal(recipient: str, application: str, out: str, configuration: str | None, environment: str) -> None:
    """Seal an application's secrets for another provider. Its hosts note who did it."""
    from fedikit.disclosure import hand_over
    from fedikit.setup.draft import Draft, place_files, refuse_what_is_there

    heed_signals()
    file = Path(out)
    refuse_what_is_there(file.parent, [file.name])
    text = hand_over(deployment_of(environment, configuration), application, recipient)
    place_files(file.parent, {file.name: Draft(text, 0o600)})
    click.echo(f"{out} is made. The new provider puts it beside the environment's file, and writes there:")
    click.echo(f'\n[secrets]\nsealed = ["{file.name}"]')


@secret.command()
@click.option("--out", type=click.Path(dir_okay=False), help="Write it there, for its owner only; printed if absent.")
@options("configuration", "environment")
def recovery(out: str | None, configuration: str | None, environment: str) -> None:
    """Print the recovery sheet: all that cannot be made again. Whoever holds it has every secret."""
    from datetime import UTC, datetime

    from fedikit.setup.draft import Draft, place_files
    from fedikit.setup.recovery import make_sheet

    day = datetime.now(UTC).date().isoformat()
    sheet = make_sheet(Path(environment), Path(configuration or CONFIGURATION), day=day)
    if out is None:
        say(sheet.rstrip().splitlines())
        return
    place_files(Path(out).parent, {Path(out).name: Draft(sheet, 0o600)})
    click.echo(f"{out} is made. Print it, put the paper in a safe place, and delete the file.")


@secret.command()
@click.argument("sheet", type=click.Path(dir_okay=False))
@click.option("--out", required=True, type=click.Path(file_okay=False), help="The folder for the files of the sheet.")
def recover(sheet: str, out: str) -> None:
    """Write the files of a recovery sheet again."""
    from fedikit.setup.recovery import recover as recover_files

    made = recover_files(Path(sheet), Path(out))
    for path in (made.environment, made.configuration, *made.others):
        click.echo(f"{path} is made")
    click.echo(f"\nNext: fedikit doctor {made.configuration} --environment {made.environment}")
    click.echo(
        "Machines that are new have other addresses and host keys: fedikit host key, and the environment's file."
    )
