"""The verbs on hosts in the provider's file; no key comes into it unseen."""

from pathlib import Path

import click

from fedikit.cli import output
from fedikit.cli.options import environment_of, options

COMPARE = "ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub"


@click.group()
def host() -> None:
    """Hosts in the provider's file."""


@host.command()
@click.argument("name")
@click.argument("address")
@options("environment")
@click.option(
    "--user", default="root", show_default=True, help="Who logs in: root, or who has sudo without a password."
)
@click.option("--port", default=22, show_default=True, help="The port of SSH.")
@click.option(
    "--identity-file",
    help="The private key to log in with, relative to the environment's file; that of all other hosts if absent.",
)
@click.option("--fingerprint", help="The fingerprint of its key (SHA256:…), as its own console shows it.")
@click.option("--place", multiple=True, metavar="APPLICATION", help="Run this there; may be given again.")
def add(
    name: str, address: str, environment: str, user: str, port: int, identity_file: str | None,
    fingerprint: str | None, place: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a host into the environment's file. Its key is fetched, and taken once somebody has compared it."""
    from fedikit.model.host import Ssh
    from fedikit.setup.hosts import add_host, require_new, usual_identity_file

    require_new(Path(environment), name, place)
    key = vouched_key(name, address, port, fingerprint)
    identity_file = identity_file or usual_identity_file(Path(environment))
    connection = Ssh(address=address, port=port, user=user, host_key=key, identity_file=identity_file)
    add_host(Path(environment), name, connection, place=place)
    where = f", and {', '.join(place)} is placed there" if place else "; nothing is placed there yet"
    click.echo(f"{name} is in {environment} now{where}. See what it lacks: fedikit doctor -e {environment}")


@host.command()
@click.argument("name")
@options("environment")
@click.option("--fingerprint", help="The fingerprint of its new key (SHA256:…), as its own console shows it.")
def key(name: str, environment: str, fingerprint: str | None) -> None:
    """Compare a host's key with the environment's. Another one takes its place once somebody has vouched for it."""
    from fedikit.errors import HostError
    from fedikit.model.host import Ssh
    from fedikit.remote.hosts import names_of_hosts
    from fedikit.remote.shown_key import fingerprint_of, shown_key
    from fedikit.setup.hosts import replace_key

    hosting = environment_of(environment)
    names_of_hosts(hosting.empty(), [name])
    connection = hosting.hosts[name]
    if not isinstance(connection, Ssh):
        raise HostError(name, "has no key: it is not reached over SSH")
    shown = shown_key(name, connection.address, connection.port)
    click.echo(f"in {environment}: {fingerprint_of(connection.host_key)} ({connection.host_key.split()[0]})")
    click.echo(f"shown now: {' ' * max(0, len(environment) - 7)}{fingerprint_of(shown)} ({shown.split()[0]})")
    if shown == connection.host_key:
        click.echo("It is the same key.")
        return
    click.echo("Another key: the machine was installed anew, or somebody is in between.", err=True)
    replace_key(Path(environment), name, vouched_key(name, connection.address, connection.port, fingerprint, shown))
    click.echo(f"{environment} has the new key now.")


def vouched_key(host: str, address: str, port: int, fingerprint: str | None, shown: str = "") -> str:
    """The key that the host shows, once somebody has vouched for it: by its fingerprint, or asked on a terminal."""
    from fedikit.errors import HostKeyRefused
    from fedikit.remote.shown_key import fingerprint_of, shown_key

    shown = shown or shown_key(host, address, port)
    found = fingerprint_of(shown)
    kind = shown.split()[0].removeprefix("ssh-").split("-")[0]
    compare = COMPARE.format(kind=kind)
    if fingerprint:
        if fingerprint.strip().rstrip("=") != found:
            words = f"{address} shows the key {found}, and not {fingerprint.strip()}"
            raise HostKeyRefused(host, words, hint=f"on the host's own console: {compare}; if it says that, trust that")
        return shown
    click.echo(f"{address} shows this key: {found} ({shown.split()[0]})", err=True)
    click.echo(f"Compare it with what the machine says on its provider's console: {compare}", err=True)
    if not output.is_attended():
        hint = f"once you have compared it: --fingerprint {found}"
        raise HostKeyRefused(host, "nobody is here to vouch for its key; nothing was written", hint=hint)
    if not click.confirm("Is it the same?", default=False, err=True):
        raise HostKeyRefused(host, "its key was not vouched for; nothing was written", hint="see who is in between")
    return shown
