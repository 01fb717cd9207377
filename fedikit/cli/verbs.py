"""The verbs on a deployment: plan, apply, remove, rollback, verify, status, lock, schema."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fedikit.cli.options import deployment_of, environment_of, options
from fedikit.cli.output import finish, get_ready_to_present, listener, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedikit.environment.schema import Document
    from fedikit.events import Tell
    from fedikit.model.deployment import Deployment
    from fedikit.remote.sessions import Sessions
    from fedikit.results.plan import Plan
    from fedikit.results.report import Report


NO_SEAL = "note: {} bears no seal, for there is no master key: whoever can write to it decides what is applied."


@click.command()
@options("configuration", "environment", "lock", "limit", "purge", "drift", "consent", "json")
@click.option("--out", type=click.Path(dir_okay=False), help="Save the plan, to be applied with apply --plan.")
def plan(
    configuration: str | None,
    environment: str,
    lock: str | None,
    limit: tuple[str, ...],
    purge: bool,
    drift: Any,
    consent: tuple[str, ...],
    as_json: bool,
    out: str | None,
) -> None:
    """Say what would change. Changes nothing."""
    from fedikit.plan import make_plan, save_plan

    deployment = deployment_of(environment, configuration, lock)
    get_ready_to_present()
    made = make_plan(deployment, limit=limit, purge=purge, drift=drift, consent=consent, tell=listener())
    if out and not save_plan(made, out):
        click.echo(NO_SEAL.format(out), err=True)
    present(made, as_json=as_json)
    finish(not made.has_errors)


@click.command()
@options("configuration", "environment", "lock", "limit", "purge", "drift", "consent", "yes", "json")
@click.option("--plan", "plan_file", type=click.Path(dir_okay=False), help="Apply this saved plan, nothing else.")
def apply(
    configuration: str | None, environment: str, lock: str | None, limit: tuple[str, ...], purge: bool, drift: Any,
    consent: tuple[str, ...], yes: bool, as_json: bool, plan_file: str | None,
) -> None:  # fmt: skip
    """Make the hosts as the configuration says."""
    from fedikit.plan import load_plan, make_plan

    deployment = deployment_of(environment, configuration, lock)
    get_ready_to_present()

    def plan(sessions: "Sessions", tell: "Tell") -> "Plan":
        if plan_file:
            return load_plan(plan_file, deployment)
        return make_plan(
            deployment, limit=limit, purge=purge, drift=drift, consent=consent, sessions=sessions, tell=tell
        )

    act(deployment, plan, yes=yes, as_json=as_json)


@click.command()
@options("environment", "limit", "purge", "confirm", "yes", "json")
def remove(
    environment: str, limit: tuple[str, ...], purge: bool, confirm: str | None, yes: bool, as_json: bool
) -> None:
    """Take away everything of this environment; data stays, unless purged."""
    from fedikit.plan import make_removal

    hosting = environment_of(environment)
    if purge and confirm is not None and confirm != hosting.name:
        raise click.UsageError(f"--confirm {confirm}: the environment's name is {hosting.name}; nothing was done")
    if purge and yes and confirm is None:
        raise click.UsageError(f"to purge unasked takes the environment's name: --confirm {hosting.name}")

    def plan(sessions: "Sessions", tell: "Tell") -> "Plan":
        return make_removal(hosting, limit=limit, purge=purge, sessions=sessions, tell=tell)

    act(hosting.empty(), plan, yes=yes, as_json=as_json)


@click.command()
@options("configuration", "environment", "limit", "yes", "json")
@click.option(
    "--to", type=int, metavar="N", help="Back to generation N of each host, instead of before the last apply."
)
def rollback(
    configuration: str | None, environment: str, limit: tuple[str, ...], yes: bool, as_json: bool, to: int | None
) -> None:
    """Go back to what was there before the last apply. Give CONFIGURATION if it holds secrets."""
    from fedikit.plan import make_rollback

    deployment = deployment_of(environment, configuration) if configuration else environment_of(environment).empty()

    def plan(sessions: "Sessions", tell: "Tell") -> "Plan":
        return make_rollback(deployment, limit=limit, to=to, sessions=sessions, tell=tell)

    act(deployment, plan, yes=yes, as_json=as_json)


def act(deployment: "Deployment", make: "Callable[[Sessions, Tell], Plan]", *, yes: bool, as_json: bool) -> None:
    """Makes a plan, shows it, asks, applies it on the same connections, and ends the process with the report."""
    from fedikit.remote.sessions import Sessions

    tell = listener()
    with Sessions(deployment) as sessions:
        plan = make(sessions, tell)
        if not as_json:
            present(plan, as_json=False)
        if not plan.has_changes:
            if as_json:
                present(plan, as_json=True)
            finish(not plan.has_errors)
        if not yes and not confirmed(plan):
            click.echo("Nothing was changed.", err=True)
            sys.exit(1)
        from fedikit.apply import apply_plan  # needed only now

        report: Report = apply_plan(plan, sessions=sessions, tell=tell)
    tell.close()
    present(report, as_json=as_json)
    finish(report.succeeded)


def confirmed(plan: "Plan") -> bool:
    """Asks on a terminal; without one nothing is changed unasked."""
    if not sys.stdin.isatty():
        click.echo("There is nobody to ask: give --yes to do it.", err=True)
        return False
    if plan.purpose == "remove" and plan.purge:
        name = plan.deployment.name
        words = f"This destroys data, for good. Type the environment's name ({name}) to do it"
        typed: str = click.prompt(words, default="", show_default=False, err=True)
        return typed.strip() == name
    question = {"apply": "Change the hosts?", "remove": "Take it all away?", "rollback": "Go back?"}[plan.purpose]
    return click.confirm(question, default=False, err=True)


@click.command()
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


@click.command()
@options("environment", "limit", "json")
@click.option("--health", is_flag=True, help="Look, too, whether all runs and is as it was left; else exit status 1.")
def status(environment: str, limit: tuple[str, ...], as_json: bool, health: bool) -> None:
    """Show generations, the last run, and who is at work, host by host."""
    from fedikit.status import read_status

    read = read_status(environment_of(environment), limit=limit, health=health)
    present(read, as_json=as_json)
    finish(read.is_well if health else not read.has_errors)


@click.command()
@click.argument("what", type=click.Choice(["configuration", "environment"]))
def schema(what: "Document") -> None:
    """Print the JSON Schema of a file, for an editor."""
    from fedikit.environment.load import load_catalogue
    from fedikit.environment.schema import schema as schema_of

    click.echo(json.dumps(schema_of(load_catalogue(), what), indent=2))


@click.command()
@options("configuration", "environment")
@click.option("--out", type=click.Path(dir_okay=False), default="fedikit.lock", show_default=True, help="Where to.")
def lock(configuration: str | None, environment: str, out: str) -> None:
    """Write down exactly which images and packages are deployed now, for plan and apply with --lock."""
    from fedikit.lock import make_lock, save_lock

    made = make_lock(deployment_of(environment, configuration), tell=listener())
    save_lock(made, Path(out))
    packages = len({name for locked in made.packages.values() for name in locked})
    click.echo(f"{out}: {len(made.images)} images, {packages} packages")
