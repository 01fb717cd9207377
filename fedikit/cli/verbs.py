"""The verbs on a deployment: plan, apply, remove, rollback, verify, status, lock, schema."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fedikit.cli.doctor import say_what_stands_in_the_way
from fedikit.cli.options import deployment_of, environment_of, options
from fedikit.cli.output import finish, get_ready_to_present, import_meanwhile, listening, present, require_consent, say
from fedikit.cli.stopping import heed_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedikit.environment.schema import Document
    from fedikit.events import Event, Tell
    from fedikit.model.deployment import Deployment
    from fedikit.remote.sessions import Sessions
    from fedikit.results.plan import Plan
    from fedikit.results.report import Report


CHANGES = 2
"""The exit status of a plan in which something would change, where that is asked for."""
NO_SEAL = "note: {} bears no seal, for there is no master key: whoever can write to it decides what is applied."


@click.command()
@options("configuration", "environment", "lock", "limit", "purge", "drift", "consent", "diff", "json")
@click.option("--detailed-exitcode", is_flag=True, help="Exit status 2 if something would change, 0 if nothing would.")
@click.option("--out", type=click.Path(dir_okay=False), help="Save the plan, to be applied with apply --plan.")
def plan(
    configuration: str | None,
    environment: str,
    lock: str | None,
    limit: tuple[str, ...],
    purge: bool,
    drift: Any,
    consent: tuple[str, ...],
    diff: bool,
    as_json: bool,
    detailed_exitcode: bool,
    out: str | None,
) -> None:
    """Say what would change. Changes nothing."""
    from fedikit.plan import make_plan, save_plan

    deployment = deployment_of(environment, configuration, lock)
    get_ready_to_present()
    with listening() as tell:
        made = make_plan(deployment, limit=limit, purge=purge, drift=drift, consent=consent, tell=tell)
    if out and not save_plan(made, out):
        click.echo(NO_SEAL.format(out), err=True)
    present(made, as_json=as_json, whole=diff)
    if detailed_exitcode and made.has_changes and not made.has_errors:
        finish(CHANGES)
    finish(not made.has_errors)


@click.command()
@options("configuration", "environment", "lock", "limit", "purge", "drift", "consent", "yes", "diff", "json")
@click.option("--plan", "plan_file", type=click.Path(dir_okay=False), help="Apply this saved plan, nothing else.")
def apply(
    configuration: str | None, environment: str, lock: str | None, limit: tuple[str, ...], purge: bool, drift: Any,
    consent: tuple[str, ...], yes: bool, diff: bool, as_json: bool, plan_file: str | None,
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

    act(deployment, plan, Manner(yes, as_json, diff))


@click.command()
@options("environment", "limit", "purge", "confirm", "yes", "diff", "json")
def remove(
    environment: str, limit: tuple[str, ...], purge: bool, confirm: str | None, yes: bool, diff: bool, as_json: bool
) -> None:
    """Take away everything of this environment. Data stays, unless purged."""
    from fedikit.plan import make_removal

    hosting = environment_of(environment)
    if purge and confirm is not None and confirm != hosting.name:
        raise click.UsageError(f"--confirm {confirm}: the environment's name is {hosting.name}; nothing was done")
    if purge and yes and confirm is None:
        raise click.UsageError(f"to purge unasked takes the environment's name: --confirm {hosting.name}")

    def plan(sessions: "Sessions", tell: "Tell") -> "Plan":
        return make_removal(hosting, limit=limit, purge=purge, sessions=sessions, tell=tell)

    act(hosting.empty(), plan, Manner(yes, as_json, diff))


@click.command()
@options("configuration", "environment", "limit", "yes", "diff", "json")
@click.option(
    "--to", type=int, metavar="N", help="Back to generation N of each host, instead of before the last apply."
)
def rollback(
    configuration: str | None, environment: str, limit: tuple[str, ...], yes: bool, diff: bool, as_json: bool,
    to: int | None,
) -> None:  # fmt: skip
    """Go back to what was there before the last apply. Give CONFIGURATION if it holds secrets."""
    from fedikit.plan import make_rollback

    deployment = deployment_of(environment, configuration) if configuration else environment_of(environment).empty()

    def plan(sessions: "Sessions", tell: "Tell") -> "Plan":
        return make_rollback(deployment, limit=limit, to=to, sessions=sessions, tell=tell)

    act(deployment, plan, Manner(yes, as_json, diff))


class Manner(NamedTuple):
    """How a verb does it: unasked, with its result as JSON, with whole differences in the plan."""

    yes: bool
    as_json: bool
    diff: bool


def act(deployment: "Deployment", make: "Callable[[Sessions, Tell], Plan]", manner: Manner) -> None:
    """Makes a plan, shows it, asks, applies it on the same connections, and ends the process with the report."""
    from fedikit.remote.sessions import Sessions

    with Sessions(deployment, foreseeing=True) as sessions:
        with listening() as tell:
            plan = make(sessions, _getting_ready_to_change(tell))
        if not manner.as_json:
            present(plan, as_json=False, whole=manner.diff)
        if not plan.has_changes:
            if manner.as_json:
                present(plan, as_json=True)
            finish(not plan.has_errors)
        if plan.purpose == "apply":
            say_what_stands_in_the_way(plan, sessions)
        if not manner.yes:
            require_consent(lambda: asked(plan))
        from fedikit.data.safeguard import apply_safely  # needed only now

        with listening() as tell:
            report: Report = apply_safely(plan, sessions=sessions, tell=tell)
    if plan.purpose == "rollback" and report.succeeded:
        finish_rollback(plan, report, manner)
    present(report, as_json=manner.as_json)
    if not manner.as_json and plan.purpose == "apply" and report.succeeded:
        show_services(deployment, limit=tuple(plan.hosts))
    finish(report.succeeded)


def _getting_ready_to_change(tell: "Tell") -> "Tell":
    """Imports what a change takes as soon as one host would be changed: others may still be looking."""
    from fedikit.events import HostPlanned

    is_ready = False

    def hear(event: "Event") -> None:
        nonlocal is_ready
        if isinstance(event, HostPlanned) and event.changes and not is_ready:
            is_ready = True
            import_meanwhile("fedikit.doctor.examine", "fedikit.data.safeguard")
        tell(event)

    return hear


def finish_rollback(plan: "Plan", report: "Report", manner: Manner) -> None:
    """Checks from outside what hosts promised in the generation that they are back at, and ends the process."""
    from fedikit.verify import verify_rollback  # needed only now

    if not manner.as_json:
        present(report, as_json=False)
    with listening() as tell:
        verdict = verify_rollback(plan, tell=tell)
    for words in plan.unpromised:
        click.echo(f"not checked: {words}", err=True)
    if manner.as_json:
        present(report.model_copy(update={"verdict": verdict}), as_json=True)
    elif verdict.results:
        present(verdict, as_json=False)
    finish(verdict.passed and not plan.has_forgeries)


def show_services(deployment: "Deployment", *, limit: "Sequence[str]") -> None:
    """Where the services are, and who signs in; a rollback and a removal leave it to `verify` what is there."""
    from fedikit.results.services import services_of

    services = services_of(deployment, limit)
    if services.all:
        present(services, as_json=False)


def asked(plan: "Plan") -> bool:
    if plan.purpose == "remove" and plan.purge:
        name = plan.deployment.name
        words = f"This destroys data, for good. Type the environment's name ({name}) to do it"
        typed: str = click.prompt(words, default="", show_default=False, err=True)
        return typed.strip() == name
    question = {"apply": "Change the hosts?", "remove": "Take it all away? Data stays.", "rollback": "Go back?"}
    is_loss = any(host.may_lose_data for host in plan.hosts.values())
    words = "Change the hosts, and destroy data for good?" if is_loss else question[plan.purpose]
    return click.confirm(words, default=False, err=True)


@click.command()
@options("configuration", "environment", "limit", "json")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the result as JUnit XML too, for CI.")
def verify(
    configuration: str | None, environment: str, limit: tuple[str, ...], as_json: bool, junit: str | None
) -> None:
    """Check the services from outside, as their users would see them."""
    from fedikit.verify import verify_deployment

    deployment = deployment_of(environment, configuration)
    with listening() as tell:
        verdict = verify_deployment(deployment, limit=limit, tell=tell)
    if junit:
        Path(junit).write_text(verdict.junit())
    present(verdict, as_json=as_json)
    if not as_json:
        show_services(deployment, limit=limit)
    finish(verdict.passed)


@click.command()
@options("environment", "limit", "json")
@click.option("--health", is_flag=True, help="Look, too, whether all runs and is as it was left; else exit status 1.")
@click.option("--generation", type=int, metavar="N", help="Only generation N, with all that it has otherwise than N-1.")
def status(environment: str, limit: tuple[str, ...], as_json: bool, health: bool, generation: int | None) -> None:
    """Show generations, the last run, and who is at work."""
    from fedikit.status import read_status

    heed_signals()
    read = read_status(environment_of(environment), limit=limit, health=health)
    if generation is not None:
        read = read.of_generation(generation)
    present(read, as_json=as_json, whole=generation is not None)
    finish(read.is_well if health else not read.has_errors)


@click.command()
@click.argument("what", type=click.Choice(["configuration", "environment"]))
def schema(what: "Document") -> None:
    """Print the JSON Schema of a file, for an editor."""
    from fedikit.environment.load import load_catalogue
    from fedikit.environment.schema import for_editors
    from fedikit.environment.schema import schema as schema_of

    say([json.dumps(for_editors(schema_of(load_catalogue(), what)), indent=2)])


@click.command()
@options("configuration", "environment")
@click.option("--out", type=click.Path(dir_okay=False), default="fedikit.lock", show_default=True, help="Where to.")
def lock(configuration: str | None, environment: str, out: str) -> None:
    """Write down exactly which images and packages are deployed. For plan and apply with --lock."""
    from fedikit.lock import make_lock, save_lock

    deployment = deployment_of(environment, configuration)
    with listening() as tell:
        made = make_lock(deployment, tell=tell)
    save_lock(made, Path(out))
    packages = len({name for locked in made.packages.values() for name in locked})
    click.echo(f"{out}: {len(made.images)} images, {packages} packages")
