"""The verbs of watching: looking once, and having systemd look regularly."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedikit.cli.options import CONFIGURATION, deployment_of, environment_of, options
from fedikit.cli.output import complain, finish

if TYPE_CHECKING:
    from fedikit.watch import Outcome
    from fedikit.watch.proofs import Tried

LINGER = "note: it only looks while you are logged in, unless you say: loginctl enable-linger"


@click.group()
def watch() -> None:
    """Look after the services, and tell when something changes."""


@watch.command()
@options("configuration", "environment")
def once(configuration: str | None, environment: str) -> None:
    """Look once, and tell what changed since the last look."""
    from fedikit.watch import watch_once

    outcome = watch_once(Path(environment), Path(configuration or CONFIGURATION))
    _show(outcome)
    finish(outcome.has_succeeded)


@watch.command()
@options("configuration", "environment")
@click.option("--every", default="10min", show_default=True, metavar="TIME", help="How often: 5min, 1h.")
@click.option(
    "--prove", type=click.Choice(["daily", "weekly", "monthly"]), help="Also prove backups, at night; where the lab is."
)
@click.option("--print", "only_print", is_flag=True, help="Only print what would be written.")
def install(configuration: str | None, environment: str, every: str, prove: str | None, only_print: bool) -> None:
    """Have systemd look regularly, on this machine."""
    from fedikit.watch.install import Systemd, lingers
    from fedikit.watch.install import install as install_timer
    from fedikit.watch.proof_timer import ProofTimer
    from fedikit.watch.timer import Timer

    deployment_of(environment, configuration)  # mistakes are told now, not by the first look
    systemd = Systemd.here()
    files = Path(environment).absolute(), Path(configuration or CONFIGURATION).absolute()
    timer = Timer(environment_of(environment), *files, every=every, is_system=systemd.is_system)
    timer.refuse_what_cannot_look()
    proofs = ProofTimer(timer, prove) if prove else None
    if proofs:
        proofs.refuse_what_cannot_prove()
    for one in (timer, proofs) if proofs else (timer,):
        for path, text in zip(systemd.files(one.name), (one.service, one.timer), strict=True):
            click.echo(f"{path}:\n\n{text}")
    if not only_print:
        install_timer(timer, systemd, proofs)
        click.echo(f"{timer.name}.timer runs; it looks every {every}.")
        if proofs:
            click.echo(f"{proofs.name}.timer runs; it proves backups {prove}.")
        if not systemd.is_system and not lingers():
            click.echo(LINGER, err=True)


@watch.command()
@options("configuration", "environment")
def prove(configuration: str | None, environment: str) -> None:
    """Prove the newest backups once; the next look tells of it."""
    from fedikit.runbook.proving import find_prover
    from fedikit.watch.proofs import Outcome, make_proofs

    has_failed = False
    for one in make_proofs(
        Path(environment).absolute(), Path(configuration or CONFIGURATION).absolute(), find_prover()
    ):
        has_failed |= one.outcome is not Outcome.HELD or not one.is_noted
        click.echo(_told(one))
    finish(not has_failed)


@watch.command()
@options("environment")
def remove(environment: str) -> None:
    """Look no longer."""
    from fedikit.watch.install import Systemd, uninstall

    gone = uninstall(Path(environment).absolute(), environment_of(environment).name, Systemd.here())
    click.echo("\n".join(f"{path} is gone" for path in gone) or "There was no watch.")


@watch.command()
@options("environment")
def status(environment: str) -> None:
    """Say what is not well, when it looked last, and when it will."""
    from fedikit.display.words import plural
    from fedikit.watch.install import Systemd, names_of, next_time
    from fedikit.watch.memory import memory_file, read_memory
    from fedikit.watch.proofs import proofs_file, read_proofs

    name = environment_of(environment).name
    file = memory_file(Path(environment), name)
    memory, forgotten = read_memory(file)
    looking, proving = (next_time(unit, Systemd.here()) for unit in names_of(name))
    looked = f"Last look: {memory.looked:%d %b %Y, %H:%M} UTC" if memory.looked else "Nobody looked yet."
    click.echo(forgotten or looked)
    for known in memory.known.values():
        click.echo(f"✗ {known.finding.what}, since {known.since:%d %b %Y, %H:%M} UTC: {known.finding.seen}")
    if memory.waiting:
        click.echo(f"{plural(len(memory.waiting), 'message')} not sent yet; {memory.dropped} given up.")
    for tried in read_proofs(proofs_file(file)):
        click.echo(f"{_told(tried)}, {tried.ended:%d %b %Y, %H:%M} UTC")
    click.echo(f"Next look: {looking or 'no timer runs; fedikit watch install'}")
    if proving:
        click.echo(f"Next proofs: {proving}")
    finish(bool(memory.looked) and not memory.known and not memory.waiting)


def _told(tried: "Tried") -> str:
    """An application's last proof, and what was wrong with it."""
    words = f"proof of {tried.application or 'backups'}: {tried.outcome}"
    return f"{words}, {tried.words}" if tried.words else words


def _show(outcome: "Outcome") -> None:
    for finding in outcome.findings:
        click.echo(f"✗ {finding.what}: {finding.seen}")
    for host in outcome.busy:
        click.echo(f"{host} is being changed, and is looked at next time.")
    if not outcome.findings:
        click.echo(f"{outcome.environment}: all is well.")
    if outcome.told:
        click.echo(f"Told: {outcome.told.subject}" if not outcome.waiting else f"To tell: {outcome.told.subject}")
    for problem in outcome.problems:
        complain(problem)
