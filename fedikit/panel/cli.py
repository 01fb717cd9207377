"""The commands `fedikit panel …`: serving the panel, and who gets in."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedikit.errors import FedikitError

if TYPE_CHECKING:
    from fedikit.panel.server.premises import Premises

PARTS = {"argon2", "jinja2", "jupyter_server", "nbclient", "nbconvert", "pyotp", "tornado"}
_PANEL = click.argument("panel_toml", default="panel.toml", type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def panel() -> None:
    """The operators' panel: serve it, and say who gets in."""


@panel.command()
@click.option("--name", default="", help="Whose password it is to be, so that it is not too much like the name.")
def password(name: str) -> None:
    """Ask for a password, and print its hash for panel.toml. Reads one line where nobody can be asked."""
    with _extra():
        from fedikit.panel.server.passwords import hash_of

    if sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt="Again", err=True)
    else:
        given = sys.stdin.readline().rstrip("\n")
    click.echo(hash_of(given, name=name))


@panel.command()
@_PANEL
@click.option("--port", default=8866, show_default=True, help="Where it listens, for users of this machine only.")
@click.option("--domain", default="", help="The name for everybody to come to, by HTTPS; needs caddy.")
@click.option("--acme-directory", default="", metavar="URL", help="Another authority than Let's Encrypt.")
@click.option("--acme-root", type=click.Path(path_type=Path, exists=True), help="The authority's root certificate.")
@click.option("--tls-internal", is_flag=True, help="A certificate that no browser trusts, for trying.")
@click.option("--http-port", default=80, show_default=True, help="With --domain: for HTTP, which leads to HTTPS.")
@click.option("--https-port", default=443, show_default=True, help="With --domain: for HTTPS.")
@click.option("--ahead", default=2, show_default=True, help="Kernels that wait for visitors; each takes memory.")
@click.option("--notebook", type=click.Path(path_type=Path, exists=True), help="Another notebook than the panel's own.")
def serve(
    panel_toml: Path,
    port: int,
    domain: str,
    acme_directory: str,
    acme_root: Path | None,
    tls_internal: bool,
    http_port: int,
    https_port: int,
    ahead: int,
    notebook: Path | None,
) -> None:
    """Serve the panel to operators, until it is interrupted. PANEL_TOML says who they are."""
    with _extra():
        from fedikit.panel.server.caddy import Caddy
        from fedikit.panel.server.serve import Wanted
        from fedikit.panel.server.serve import serve as serve_panel

    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s")
    for noisy in ("tornado", "traitlets", "jupyter_client"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    caddy = None
    if domain:
        caddy = Caddy(domain.lower(), acme_directory, acme_root, tls_internal, http_port, https_port)
    serve_panel(Wanted(panel_toml, port, caddy, ahead, notebook))


@panel.command("second-factor")
@click.argument("name")
@_PANEL
def second_factor(name: str, panel_toml: Path) -> None:
    """Give an operator a second factor. Prints, once, what their app needs and ten recovery codes."""
    premises = _premises(panel_toml, name)
    enrolment = premises.factor.enrol(name)
    click.echo(f"For the app, as it is or as a QR code:\n  {enrolment.uri}\n\nRecovery codes, each good for once:")
    click.echo("\n".join(f"  {code}" for code in enrolment.recovery_codes))


@panel.command()
@click.argument("name")
@_PANEL
def reset(name: str, panel_toml: Path) -> None:
    """Let an operator in again who cannot. Takes the second factor and the waiting away, ends all sessions."""
    premises = _premises(panel_toml, name)
    premises.factor.remove(name)
    premises.throttle.forgive([premises.throttle.name(name)])
    premises.sessions.end_all(name)
    click.echo(f"{name} signs in with the password alone. If that is lost: fedikit panel password")


def _premises(panel_toml: Path, name: str) -> "Premises":
    with _extra():
        import time

        from fedikit.panel.server.premises import Premises

    premises = Premises(panel_toml, clock=time.time)
    if premises.operator(name) is None:
        known = ", ".join(premises.panel.operators)
        raise FedikitError(f"{name} is not an operator of {panel_toml}", hint=f"there are: {known}")
    return premises


@contextmanager
def _extra() -> Iterator[None]:
    """What only the server needs may not be there."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in PARTS:
            raise
        raise FedikitError(
            f"the panel's server is not installed: there is no {missing.name}", hint="pip install 'fedikit[panel]'"
        ) from missing
