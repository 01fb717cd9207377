"""The verb on names: prints the records that a deployment needs, looks whether they are there, or sets them."""

from typing import TYPE_CHECKING

import click

from fedikit.cli.options import load, options
from fedikit.cli.output import finish, present, require_consent

if TYPE_CHECKING:
    from fedikit.environment.environment import Environment
    from fedikit.model.deployment import Deployment


@click.command()
@options("configuration", "environment", "consent", "yes", "json")
@click.option(
    "--format",
    "form",
    type=click.Choice(["zone", "octodns", "json"]),
    default="zone",
    show_default=True,
    help="How the records are printed.",
)
@click.option("--check", is_flag=True, help="Look which names lead to the hosts already.")
@click.option("--apply", "does_apply", is_flag=True, help="Bring them to the DNS server that the environment names.")
def dns(
    configuration: str | None, environment: str, consent: tuple[str, ...], yes: bool, as_json: bool, form: str,
    check: bool, does_apply: bool,
) -> None:  # fmt: skip
    """Print the records that lead to the hosts, as a zone file. Changes nothing, unless told to apply."""
    if check and does_apply:
        raise click.UsageError("--check and --apply are two things: give one of them")
    hosting, wanted = load(environment, configuration)
    deployment = hosting.deployment(wanted)
    if check:
        _check(hosting, deployment, as_json=as_json)
    if does_apply:
        _apply(hosting, deployment, consent, yes=yes, as_json=as_json)
    _print(hosting, deployment, wanted.domain, "json" if as_json else form)


def _print(hosting: "Environment", deployment: "Deployment", domain: str, form: str) -> None:
    from fedikit.dns.records import json_text, octodns_text, wanted_records, zone_text

    records, ttl = wanted_records(deployment), ttl_of(hosting)
    if form == "octodns":
        zones = hosting.dns.zones if hosting.dns else (domain,)
        click.echo(octodns_text(records, ttl, zones), nl=False)
    elif form == "json":
        click.echo(json_text(records, ttl))
    else:
        click.echo(zone_text(records, ttl), nl=False)


def _check(hosting: "Environment", deployment: "Deployment", *, as_json: bool) -> None:
    from fedikit.dns.lookup import look_up_names

    found = look_up_names(deployment, ttl=ttl_of(hosting))
    present(found, as_json=as_json)
    finish(found.lead_there)


def _apply(
    hosting: "Environment", deployment: "Deployment", consent: tuple[str, ...], *, yes: bool, as_json: bool
) -> None:
    """Shows what would change at the server, asks, and changes it."""
    from fedikit.dns.plan import apply_dns_plan, make_dns_plan

    plan = make_dns_plan(hosting, deployment, consent=consent)
    present(plan, as_json=as_json)
    if plan.refused:
        names = " ".join(f"--consent {change.name}" for change in plan.refused)
        click.echo(f"If they are yours: {names}", err=True)
    if plan.refused or not plan.has_changes:
        finish(not plan.refused)
    if not yes:
        require_consent(lambda: click.confirm("Change these records?", default=False, err=True))
    apply_dns_plan(hosting, plan)
    click.echo("Done.", err=True)
    finish(True)


def ttl_of(hosting: "Environment") -> int:
    """For how many seconds others may remember a record."""
    from fedikit.model.dns import USUAL_TTL

    return hosting.dns.ttl if hosting.dns else USUAL_TTL
