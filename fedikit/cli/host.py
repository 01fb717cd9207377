"""The verbs on hosts in the provider's file; no key comes into it unseen."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedikit.cli import output
from fedikit.cli.options import environment_of, options

if TYPE_CHECKING:
    from fedikit.environment.environment import Environment
    from fedikit.model.host import Ssh

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
@click.option("--jump", metavar="HOST", help="Another host of the environment, over which SSH goes.")
@click.option(
    "--identity-file",
    help="The private key to log in with, relative to the environment's file; that of all other hosts if absent.",
)
@click.option("--fingerprint", help="The fingerprint of its key (SHA256:…), as its own console shows it.")
@click.option("--place", multiple=True, metavar="APPLICATION", help="Run this there; may be given again.")
def add(
    name: str, address: str, environment: str, user: str, port: int, jump: str | None, identity_file: str | None,
    fingerprint: str | None, place: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a host into the environment's file. Its key is fetched, and taken once somebody has compared it."""
    from fedikit.model.host import Ssh
    from fedikit.remote.shown_key import shown_key
    from fedikit.setup.hosts import add_host, require_new, usual_identity_file

    require_new(Path(environment), name, place)
    over = over_ssh(environment_of(environment), jump) if jump else None
    key = vouched_key(name, address, shown_key(name, address, port, over), fingerprint)
    identity_file = identity_file or usual_identity_file(Path(environment))
    connection = Ssh(address=address, port=port, user=user, host_key=key, identity_file=identity_file, jump=jump)
    add_host(Path(environment), name, connection, place=place)
    where = f", and {', '.join(place)} is placed there" if place else "; nothing is placed there yet"
    click.echo(f"{name} is in {environment} now{where}. See what it lacks: fedikit doctor -e {environment}")


@host.command()
@click.argument("name")
@options("environment")
@click.option("--fingerprint", help="The fingerprint of its new key (SHA256:…), as its own console shows it.")
def key(name: str, environment: str, fingerprint: str | None) -> None:
    """Compare a host's key with the environment's. Another one takes its place once somebody has vouched for it."""
    from fedikit.model.ssh_server import SshServer
    from fedikit.remote.shown_key import fingerprint_of, shown_key
    from fedikit.setup.hosts import replace_key

    connection = over_ssh(environment_of(environment), name)
    over = connection.jump if isinstance(connection.jump, SshServer) else None
    shown = shown_key(name, connection.address, connection.port, over)
    click.echo(f"in {environment}: {fingerprint_of(connection.host_key)} ({connection.host_key.split()[0]})")
    click.echo(f"shown now: {' ' * max(0, len(environment) - 7)}{fingerprint_of(shown)} ({shown.split()[0]})")
    if shown == connection.host_key:
        click.echo("It is the same key.")
        return
    click.echo("Another key: the machine was installed anew, or somebody is in between.", err=True)
    replace_key(Path(environment), name, vouched_key(name, connection.address, shown, fingerprint))
    click.echo(f"{environment} has the new key now.")


def over_ssh(hosting: "Environment", name: str) -> "Ssh":
    """How a host of the environment is reached, its jump hosts in full; raises HostError where that is not over SSH."""
    from fedikit.environment.jumps import with_jump_hosts
    from fedikit.errors import HostError
    from fedikit.model.host import Ssh
    from fedikit.remote.hosts import names_of_hosts

    names_of_hosts(hosting.empty(), [name])
    connection = with_jump_hosts(hosting.hosts[name], hosting.hosts)
    if not isinstance(connection, Ssh):
        raise HostError(name, "has no key: it is not reached over SSH")
    return connection


def vouched_key(host: str, address: str, shown: str, fingerprint: str | None) -> str:
    """The key that the host shows, once somebody has vouched for it: by its fingerprint, or asked on a terminal."""
    from fedikit.errors import HostKeyRefused
    from fedikit.remote.shown_key import fingerprint_of

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
