"""The `lab` commands; the only place of this room that prints."""

import os
import shutil
from pathlib import Path

import click

from fedikit.errors import FedikitError
from fedikit.events import Event, HostFinished, StepFinished, Waiting
from fedikit.lab.lab import USUAL_MACHINES, Lab
from fedikit.model.load import load_configuration, load_environment

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
@_DIRECTORY
def up(machines: tuple[str, ...], no_acme: bool, directory: Path) -> None:
    """Boot machines (hello, cowsay and social unless named) and write the environment file."""
    chosen = Lab(directory, machines or USUAL_MACHINES, acme=not no_acme, tell=_tell)
    chosen.up()
    click.echo(f"environment: {_short(chosen.environment_file)}")
    if not no_acme and not machines and SAMPLE.is_file():
        _announce(chosen, SAMPLE)


@lab.command()
@click.argument("configuration", type=click.Path(path_type=Path, dir_okay=False), default=SAMPLE)
@_DIRECTORY
def announce(configuration: Path, directory: Path) -> None:
    """Make the lab's DNS lead the names of a configuration to its machines, as a provider's DNS would."""
    _announce(Lab(directory), configuration)


def _announce(chosen: Lab, configuration: Path) -> None:
    deployment = load_environment(chosen.environment_file).deployment(load_configuration(configuration))
    chosen.announce(deployment)
    for record in deployment.dns:
        click.echo(f"name: {record.name} leads to {record.address}")


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


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("machine")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--user", default="root", show_default=True, help="root, or admin, who may use sudo.")
@_DIRECTORY
def ssh(machine: str, command: tuple[str, ...], user: str, directory: Path) -> None:
    """Open a shell on a machine, or run one command there."""
    chosen = Lab(directory)[machine]
    if not chosen.is_running():
        raise FedikitError(f"{machine} is down", hint=f"fedikit lab up {machine}")
    program = shutil.which("ssh") or "ssh"
    os.execv(program, [program, *chosen.ssh_options(), f"{user}@{chosen.address}", *command])  # noqa: S606 - as typed


def _tell(event: Event) -> None:
    match event:
        case HostFinished(host=host, seconds=seconds, detail=detail):
            click.echo(f"  {host:<16} {detail} ({seconds:.1f} s)")
        case Waiting(what=what):
            click.echo(f"  … {what}")
        case StepFinished(step=step, seconds=seconds, failed=failed):
            click.echo(f"  {step} {'failed' if failed else 'done'} ({seconds:.1f} s)")
        case _:
            pass


def _short(path: Path) -> str:
    """A path as short as it can be said from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
