"""The verb that takes applications along."""

from pathlib import Path

import click

from fedikit.cli.options import deployment_of, options
from fedikit.cli.output import drawing, finish, present


@click.command()
@options("configuration", "environment", "application")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder to write to: empty, or not there yet."
)
@options("json")
def export(configuration: str | None, environment: str, out: Path, application: tuple[str, ...], as_json: bool) -> None:
    """Take all data of applications along, with what restores it.

    Services go on meanwhile. A README in each folder tells how it is restored without fedikit. What was cut off goes on
    by the same command.
    """
    from fedikit.data.export import export_data

    deployment = deployment_of(environment, configuration)
    with drawing() as tell:
        result = export_data(deployment, out, applications=application, tell=tell)
    present(result, as_json=as_json)
    finish(result.succeeded)
