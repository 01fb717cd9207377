"""The `lab` commands; the only place of this room that prints."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from fedikit.display.progress import StandardError, TerminalProgress
from fedikit.environment.load import load_configuration, load_environment
from fedikit.errors import FedikitError
from fedikit.events import Event, HostFinished, Tell
from fedikit_lab.acme import NAME as ACME
from fedikit_lab.lab import USUAL_MACHINES, Lab
from fedikit_lab.supply import supplies, supply_all

SAMPLE = Path("configuration.sample.json")

_DIRECTORY = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".lab"),
    show_default=True,
    help="Where the lab keeps its keys and its environment file.",
)


@click.group()
def lab() -> None:
    """Local machines for trying, where nothing can break."""


@lab.command()
@click.argument("machines", nargs=-1, metavar="[MACHINE]…")
@click.option("--no-acme", is_flag=True, help="Leave out the machine with the ACME authority and the DNS.")
@click.option("--client", is_flag=True, help="Add the machine with a browser, which sees the lab as a visitor does.")
@_DIRECTORY
def up(machines: tuple[str, ...], no_acme: bool, client: bool, directory: Path) -> None:
    """Boot machines, and write the environment file. They are hello, cowsay and social, unless named."""
    with _told() as tell:
        chosen = Lab(directory, machines or USUAL_MACHINES, acme=not no_acme, client=client, tell=tell)
        chosen.up()
    click.echo(f"environment: {_short(chosen.environment_file)}")
    if not no_acme and not machines and SAMPLE.is_file():
        _announce(chosen, SAMPLE)


@lab.command()
@click.argument("configuration", type=click.Path(path_type=Path, dir_okay=False), default=SAMPLE)
@_DIRECTORY
def announce(configuration: Path, directory: Path) -> None:
    """Let a configuration's names lead to the lab's machines. The lab's DNS does it, as a provider's would."""
    _announce(Lab(directory), configuration)


def _announce(chosen: Lab, configuration: Path) -> None:
    loaded = load_configuration(configuration)
    deployment = load_environment(chosen.environment_file).deployment(loaded)
    chosen.announce(deployment)
    for record in deployment.dns:
        click.echo(f"name: {record.name} leads to {record.address}")
    _announce_mail(chosen, loaded.initial_user.email.rpartition("@")[2], {record.name for record in deployment.dns})


def _announce_mail(chosen: Lab, domain: str, known: set[str]) -> None:
    """Gives the domain of people's mail an address, for applications ask whether it has one; nothing answers there."""
    if known and domain not in known:
        chosen.set_dns({domain: chosen[ACME].address})
        click.echo(f"name: {domain} leads to {chosen[ACME].address} (people's mail)")


@lab.command()
@_DIRECTORY
def down(directory: Path) -> None:
    """Shut all machines down and forget what was written to them."""
    Lab(directory).down()
    click.echo("the lab is down")


@lab.command("list")
@_DIRECTORY
def list_machines(directory: Path) -> None:
    """Name the machines, their addresses, and whether they run."""
    chosen = Lab(directory)
    for name in chosen.machines:
        machine = chosen[name]
        click.echo(f"{name:<16} {machine.address:<15} {'runs' if machine.is_running() else 'is down'}")
    if not chosen.machines:
        click.echo("no machines; boot some with: fedikit lab up")


@lab.command()
@click.option("--build", is_flag=True, help="First build those that are not there.")
def images(build: bool) -> None:
    """Name the container images that the lab runs. Says what each is, and for what it stands."""
    if build:
        with _told() as tell:
            supply_all(tell=tell)
    for image in supplies():
        state = "is there" if image.is_there else "is not there yet"
        click.echo(f"{image.reference:<38} {image.title or '(untitled)':<36} {state}")
        if image.recipe != image.reference:
            click.echo(f"  in the place of {image.recipe}")


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("machine")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--user", default="root", show_default=True, help="root, or admin, who may use sudo.")
@_DIRECTORY
def ssh(machine: str, command: tuple[str, ...], user: str, directory: Path) -> None:
    """Open a shell on a machine, or run one command there. If its SSH server is down: `fedikit lab shell`."""
    chosen = Lab(directory)[machine]
    if not chosen.is_running():
        raise FedikitError(f"{machine} is down", hint=f"fedikit lab up {machine}")
    program = shutil.which("ssh") or "ssh"
    os.execv(program, [program, *chosen.ssh_options(), f"{user}@{chosen.address}", *command])  # noqa: S606 - as typed


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("machine")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_DIRECTORY
def shell(machine: str, command: tuple[str, ...], directory: Path) -> None:
    """Open a shell on a machine, as on its console. It needs neither network nor SSH server."""
    leader = Lab(directory)[machine].container.leader()
    if leader is None:
        raise FedikitError(f"{machine} is down", hint=f"fedikit lab up {machine}")
    program = shutil.which("nsenter") or "nsenter"
    os.execv(program, [program, f"--target={leader}", "--all", *(command or ("/bin/bash", "--login"))])  # noqa: S606


@contextmanager
def _told() -> Iterator[Tell]:
    """A listener that draws what goes on; a machine that is up is a line of the output."""
    progress = TerminalProgress(StandardError())

    def tell(event: Event) -> None:
        if not isinstance(event, HostFinished):
            progress(event)
            return
        progress.close()
        click.echo(f"  {event.host:<16} {event.detail} ({event.seconds:.1f} s)")

    try:
        yield tell
    finally:
        progress.close()


def _short(path: Path) -> str:
    """A path as short as it can be said from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
