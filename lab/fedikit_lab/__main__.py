"""`python -m fedikit_lab`: the lab's commands alone."""

import sys

import click

from fedikit.errors import FedikitError
from fedikit_lab.cli import lab

try:
    lab(prog_name="python -m fedikit_lab")
except FedikitError as error:
    click.echo(f"error: {error}", err=True)
    sys.exit(error.exit_status)
