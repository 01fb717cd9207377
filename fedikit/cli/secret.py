"""The verbs on secrets."""

from pathlib import Path

import click

from fedikit.cli.options import deployment_of, environment_of, options
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
    """Print one secret of the deployment, such as mastodon/initial-user. The hosts that use it note who saw it."""
    from fedikit.disclosure import disclose

    heed_signals()
    say(disclose(deployment_of(environment, configuration), name))
