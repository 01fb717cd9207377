"""The command line: every verb is one library call or one runbook.

Exit status: 0 all well; 1 something failed, the report says what; 2 a mistake in what was given; others as
`fedikit run --help` says.

    options   what the verbs share of options, and what these name
    output    what they print, and how they end
    streams   standard input, output and error
    verbs     those on a deployment
    first     init, the first one
    host      those on hosts in the provider's file
    doctor    what stands in the way
    dns       the names that lead to the hosts
    export    that which takes applications along
    invite    that which lets somebody move in
    reach     those that reach what runs on hosts
    renaming  that for a new name of an environment
    secret    those on secrets
    store     those on images in the store
    watch     those of watching
    upgrade   that on packages
    backup    those of backups
    restore   that which puts data back
    plugins   those that other distributions bring, such as the lab
"""

import errno
import gc
from importlib import import_module
from typing import Any

import click

from fedikit import __version__
from fedikit.cli.streams import end_with_refusal, fill_in_for_missing
from fedikit.errors import FedikitError

INTERRUPTED = 130
"""What shells say of what Ctrl-C ended."""
COLLECT_AFTER = 100_000
"""New objects between two searches for garbage: what is imported is none, and looking through it takes its time."""
VERBS = ("apply", "lock", "plan", "remove", "rollback", "schema", "status", "verify")
FOUND_IN = {
    **dict.fromkeys(VERBS, "fedikit.cli.verbs"),
    "backup": "fedikit.cli.backup",
    "dns": "fedikit.cli.dns",
    "doctor": "fedikit.cli.doctor",
    "export": "fedikit.cli.export",
    "host": "fedikit.cli.host",
    "init": "fedikit.cli.first",
    "invite": "fedikit.cli.invite",
    "logs": "fedikit.cli.reach",
    "migrate": "fedikit.cli.migrate",
    "move": "fedikit.cli.move",
    "ssh": "fedikit.cli.reach",
    "rename": "fedikit.cli.renaming",
    "restore": "fedikit.cli.restore",
    "secret": "fedikit.cli.secret",
    "store": "fedikit.cli.store",
    "watch": "fedikit.cli.watch",
    "upgrade": "fedikit.cli.upgrade",
    "panel": "fedikit.panel.cli",
    "run": "fedikit.runbook.cli",
    "runs": "fedikit.runbook.cli",
}


class Commands(click.Group):
    """Imports each command only when it is called; turns our errors into words."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from fedikit.cli.plugins import plugin_names  # slow to import, and verbs of our own do not need it

        return sorted(FOUND_IN.keys() | plugin_names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in FOUND_IN:
            from fedikit.cli.plugins import find_plugin

            return find_plugin(cmd_name)
        command: click.Command = getattr(import_module(FOUND_IN[cmd_name]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Says which verb may be meant by a word that is none."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from fedikit.model.mistake import did_you_mean

            ctx.fail(f'There is no verb "{args[0]}"{did_you_mean(args[0], self.list_commands(ctx))}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        fill_in_for_missing()
        try:
            return super().invoke(ctx)
        except FedikitError as error:
            from fedikit.cli.output import complain

            complain(str(error))
            ctx.exit(error.exit_status)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click ends quietly where nobody reads
            end_with_refusal(error)
        except KeyboardInterrupt:  # before there was anything to tell, or where a command undoes what it began
            click.echo("stopped by Ctrl-C", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Turns one small JSON file into running fediverse services on ordinary Debian machines over SSH."""
    gc.set_threshold(COLLECT_AFTER)
