"""The command line: every verb is one library call or one runbook.

Exit status: 0 all well; 1 something failed, the report says what; 2 a mistake in what was given; others as
`fedikit run --help` says.
"""

import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from pydantic import BaseModel

from fedikit import __version__
from fedikit.errors import FedikitError

if TYPE_CHECKING:
    from fedikit.apply import Report
    from fedikit.model.configuration import Configuration
    from fedikit.model.deployment import Deployment
    from fedikit.model.environment import Environment
    from fedikit.model.schema import Document
    from fedikit.plan import Plan
    from fedikit.progress import TerminalProgress
    from fedikit.store import StoredImage

CONFIGURATION = "configuration.json"
COLLECT_AFTER = 100_000
"""New objects between two searches for garbage: what is imported is none, and looking through it takes its time."""
FOUND_ELSEWHERE = {
    "lab": ("fedikit.lab.cli", "lab"),
    "run": ("fedikit.runbook.cli", "run"),
    "runs": ("fedikit.runbook.cli", "runs"),
}


class Commands(click.Group):
    """Imports the commands of other rooms only when they are called; turns our errors into words."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *FOUND_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in FOUND_ELSEWHERE:
            module, name = FOUND_ELSEWHERE[cmd_name]
            command: click.Command = getattr(import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FedikitError as error:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
            ctx.exit(error.exit_status)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Turns one small JSON file into running fediverse services on ordinary Debian machines over SSH."""
    gc.set_threshold(COLLECT_AFTER)


def options(*names: str) -> Callable[[Any], Any]:
    """The options that several verbs share."""
    known = {
        "configuration": click.argument("configuration", required=False, type=click.Path()),
        "environment": click.option(
            "--environment", "-e", required=True, type=click.Path(), help="The provider's file: hosts and policies."
        ),
        "lock": click.option(
            "--lock", type=click.Path(dir_okay=False), help="Use exactly the images and packages of this lock."
        ),
        "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else."),
        "limit": click.option("--limit", multiple=True, metavar="HOST", help="Only these hosts; may be given again."),
        "yes": click.option("--yes", "-y", is_flag=True, help="Do it without asking."),
        "purge": click.option("--purge", is_flag=True, help="Data that left the configuration goes too, for good."),
        "drift": click.option(
            "--drift", type=click.Choice(["restore", "keep"]), default="restore", show_default=True,
            help="Files of ours that somebody edited: restore (the edition is saved on the host) or keep them.",
        ),
    }  # fmt: skip

    def decorate(command: Any) -> Any:
        for name in reversed(names):
            command = known[name](command)
        return command

    return decorate


# What the verbs work on


def load(environment: str, configuration: str | None) -> "tuple[Environment, Configuration]":
    from fedikit.model.load import load_configuration, load_environment

    return load_environment(Path(environment)), load_configuration(Path(configuration or CONFIGURATION))


def deployment_of(environment: str, configuration: str | None, lock: str | None = None) -> "Deployment":
    wanted_in, wanted = load(environment, configuration)
    deployment = wanted_in.deployment(wanted)
    if lock is None:
        return deployment
    from fedikit.lock import load_lock

    return deployment.locked(load_lock(Path(lock)))


def environment_of(path: str) -> "Environment":
    from fedikit.model.load import load_environment

    return load_environment(Path(path))


# What the verbs print


def listener() -> "TerminalProgress":
    from fedikit.progress import StandardError, TerminalProgress

    return TerminalProgress(StandardError())


def get_ready_to_present() -> None:
    """Imports what draws, slow as it is, while the hosts are asked."""
    threading.Thread(target=import_module, args=("fedikit.show",)).start()


def present(value: BaseModel, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(value.model_dump(mode="json"), indent=1))
        return
    from rich.console import Console

    from fedikit.show import draw

    Console(soft_wrap=True, highlight=False).print(draw(value))


def finish(succeeded: bool) -> NoReturn:
    """Ends the process at once: to take apart first all that was imported would only make somebody wait."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if succeeded else 1)


# The verbs


@main.command()
@options("configuration", "environment", "lock", "limit", "purge", "drift", "json")
@click.option("--out", type=click.Path(dir_okay=False), help="Save the plan, to be applied with apply --plan.")
def plan(
    configuration: str | None,
    environment: str,
    lock: str | None,
    limit: tuple[str, ...],
    purge: bool,
    drift: Any,
    as_json: bool,
    out: str | None,
) -> None:
    """Say what would change. Changes nothing."""
    from fedikit.planning import make_plan

    deployment = deployment_of(environment, configuration, lock)
    get_ready_to_present()
    made = make_plan(deployment, limit=limit, purge=purge, drift=drift, tell=listener())
    made.close()
    if out:
        made.save(out)
    present(made, as_json=as_json)
    finish(not made.has_errors)


@main.command()
@options("configuration", "environment", "lock", "limit", "purge", "drift", "yes", "json")
@click.option("--plan", "plan_file", type=click.Path(dir_okay=False), help="Apply this saved plan, nothing else.")
def apply(
    configuration: str | None, environment: str, lock: str | None, limit: tuple[str, ...], purge: bool, drift: Any,
    yes: bool, as_json: bool, plan_file: str | None,
) -> None:  # fmt: skip
    """Make the hosts as the configuration says."""
    from fedikit.plan import load_plan
    from fedikit.planning import make_plan

    deployment = deployment_of(environment, configuration, lock)
    get_ready_to_present()
    tell = listener()
    if plan_file:
        made = load_plan(plan_file).of(deployment)
    else:
        made = make_plan(deployment, limit=limit, purge=purge, drift=drift, tell=tell)
    act(made, yes=yes, as_json=as_json, tell=tell)


@main.command()
@options("environment", "limit", "purge", "yes", "json")
def remove(environment: str, limit: tuple[str, ...], purge: bool, yes: bool, as_json: bool) -> None:
    """Take away everything of this environment; data stays, unless purged."""
    from fedikit.planning import make_removal

    tell = listener()
    act(
        make_removal(environment_of(environment), limit=limit, purge=purge, tell=tell),
        yes=yes,
        as_json=as_json,
        tell=tell,
    )


@main.command()
@options("configuration", "environment", "limit", "yes", "json")
@click.option(
    "--to", type=int, metavar="N", help="Back to generation N of each host, instead of before the last apply."
)
def rollback(
    configuration: str | None, environment: str, limit: tuple[str, ...], yes: bool, as_json: bool, to: int | None
) -> None:
    """Go back to what was there before the last apply. Give CONFIGURATION if it holds secrets."""
    from fedikit.planning import make_rollback

    tell = listener()
    basis = deployment_of(environment, configuration) if configuration else environment_of(environment)
    act(make_rollback(basis, limit=limit, to=to, tell=tell), yes=yes, as_json=as_json, tell=tell)


def act(plan: "Plan", *, yes: bool, as_json: bool, tell: "TerminalProgress") -> None:
    """Shows a plan, asks, applies it, and ends the process with the report."""
    from fedikit.apply import apply_plan

    if not as_json:
        present(plan, as_json=False)
    if not plan.has_changes:
        if as_json:
            present(plan, as_json=True)
        finish(not plan.has_errors)
    if not yes and not confirmed(plan):
        plan.close()
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)
    report: Report = apply_plan(plan, tell=tell)
    tell.close()
    present(report, as_json=as_json)
    finish(report.succeeded)


def confirmed(plan: "Plan") -> bool:
    """Asks on a terminal; without one nothing is changed unasked."""
    if not sys.stdin.isatty():
        click.echo("There is nobody to ask: give --yes to do it.", err=True)
        return False
    question = {"apply": "Change the hosts?", "remove": "Take it all away?", "rollback": "Go back?"}[plan.purpose]
    return click.confirm(question, default=False, err=True)


@main.command()
@options("configuration", "environment", "limit", "json")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the result as JUnit XML too, for CI.")
def verify(
    configuration: str | None, environment: str, limit: tuple[str, ...], as_json: bool, junit: str | None
) -> None:
    """Check the services from outside, as their users would see them."""
    from fedikit.verify import verify_deployment

    tell = listener()
    verdict = verify_deployment(deployment_of(environment, configuration), limit=limit, tell=tell)
    tell.close()
    if junit:
        Path(junit).write_text(verdict.junit())
    present(verdict, as_json=as_json)
    finish(verdict.passed)


@main.command()
@options("environment", "limit", "json")
def status(environment: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Show generations, the last run, and who is at work, host by host."""
    from fedikit.status import read_status

    read = read_status(environment_of(environment), limit=limit)
    present(read, as_json=as_json)
    finish(not read.has_errors)


@main.command()
@click.argument("what", type=click.Choice(["configuration", "environment"]))
def schema(what: "Document") -> None:
    """Print the JSON Schema of a file, for an editor."""
    from fedikit.model.load import load_catalogue
    from fedikit.model.schema import schema as schema_of

    click.echo(json.dumps(schema_of(load_catalogue(), what), indent=2))


@main.command()
@options("configuration", "environment")
@click.option("--out", type=click.Path(dir_okay=False), default="fedikit.lock", show_default=True, help="Where to.")
def lock(configuration: str | None, environment: str, out: str) -> None:
    """Write down exactly which images and packages are deployed now, for plan and apply with --lock."""
    from fedikit.lock import make_lock, save_lock

    made = make_lock(deployment_of(environment, configuration), tell=listener())
    save_lock(made, Path(out))
    packages = len({name for locked in made.packages.values() for name in locked})
    click.echo(f"{out}: {len(made.images)} images, {packages} packages")


@main.group()
def secret() -> None:
    """The master key, and what is derived from it."""


@secret.command()
@options("environment")
def init(environment: str) -> None:
    """Make the environment's master key, in a file only its owner can read."""
    from fedikit.errors import SecretError
    from fedikit.secrets import MasterKey

    reference = environment_of(environment).secrets.master_key
    kind, _, place = reference.partition(":")
    if kind != "file":
        raise SecretError(f"the master key comes from {reference}", hint="make it there: 64 hexadecimal digits")
    path = Path(place)
    MasterKey.create(path)
    click.echo(f"{path} is made. Keep a copy in a safe place: every secret of the environment comes from it.")


@secret.command()
@click.argument("name")
@options("configuration", "environment")
def show(name: str, configuration: str | None, environment: str) -> None:
    """Print one secret of the deployment, such as initial-user/password. The hosts that use it note who saw it."""
    from fedikit.disclosure import disclose

    for value in disclose(deployment_of(environment, configuration), name):
        click.echo(value)


@main.group()
def store() -> None:
    """Container images in this deployer's store, from which hosts get them."""


@store.command()
@click.argument("image")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
def add(image: str, file: Path) -> None:
    """Take in IMAGE, such as ghcr.io/mastodon/mastodon:v4.7.4, from an OCI archive or layout, or a Docker archive."""
    from fedikit.store import Images

    tell = listener()
    added = Images().add(image, file, tell)
    tell.close()
    click.echo(line_of(added))


@store.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--architecture", type=click.Choice(["amd64", "arm64"]), help="The hosts'; this machine's if absent.")
def fetch(images: tuple[str, ...], architecture: str | None) -> None:
    """Fetch images from their registries, or containers-storage:IMAGE from Podman's store on this machine."""
    from fedikit.store import Images
    from fedikit.store.build import own_architecture

    tell = listener()
    fetched = [Images().fetch(image, architecture or own_architecture(), tell) for image in images]
    tell.close()
    for image in fetched:
        click.echo(line_of(image))


@store.command("list")
@options("json")
def list_images(as_json: bool) -> None:
    """List the images: name, digest, title, size, since when."""
    from fedikit.store import Images

    known = Images().known()
    if as_json:
        click.echo(json.dumps([image.as_record() for image in known], indent=1))
    else:
        click.echo("\n".join(line_of(image) for image in known) or "There are no images in the store.")


@store.command()
@click.option("--days", type=click.FloatRange(min=0), required=True, help="Keep what was used in the last N days.")
def prune(days: float) -> None:
    """Remove packages and images that were not used for some days."""
    from fedikit.store import Images

    click.echo(f"{Images().prune(days) / 1e6:.1f} MB are free again.")


def line_of(image: "StoredImage") -> str:
    """An image in one line."""
    told = image.as_record()
    size, title = f"{told['size'] / 1e6:.1f} MB", f"  {told['title']}" if told["title"] else ""
    return f"{image.reference}  {image.digest[:19]}  {size}  {', '.join(told['builds'])}  since {image.since}{title}"
