"""The verbs that reach what runs on hosts: ssh, logs."""

import sys
from typing import NoReturn

import click

from fedikit.cli.options import deployment_of, environment_of, options
from fedikit.errors import ConfigurationError, Mistake


@click.command(context_settings={"ignore_unknown_options": True})
@options("environment")
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(environment: str, host: str, command: tuple[str, ...]) -> NoReturn:
    """Log in on a host, or run a command there. By OpenSSH, with the keys that the environment has for it."""
    from fedikit.environment.jumps import with_jump_hosts
    from fedikit.model.mistake import did_you_mean
    from fedikit.remote.openssh import log_in

    hosts = environment_of(environment).hosts
    if host not in hosts:
        raise ConfigurationError(environment, [Mistake(host, f"is no host{did_you_mean(host, list(hosts))}")])
    sys.exit(log_in(host, with_jump_hosts(hosts[host], hosts), command, terminal=sys.stdin.isatty()))


@click.command()
@click.argument("what", metavar="HOST|APPLICATION")
@options("configuration", "environment")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is to come, until Ctrl-C.")
@click.option("--since", default="", metavar="TIME", help="From then on, as journalctl takes it: today, -1h.")
@click.option("--lines", "-n", type=click.IntRange(0, 1_000_000), default=100, show_default=True, help="The last N.")
def logs(what: str, configuration: str | None, environment: str, follow: bool, since: str, lines: int) -> None:
    """Show what a host's or an application's units say in the journal."""
    from fedikit.remote.journal import Wanted, read_journals, units_of

    deployment = deployment_of(environment, configuration)
    units = units_of(deployment, what)
    try:
        for host, line in read_journals(deployment, units, Wanted(lines=lines, since=since, follow=follow)):
            click.echo(f"{host}  {line}" if len(units) > 1 else line)
    except KeyboardInterrupt:
        return
