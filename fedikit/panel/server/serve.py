"""The server, from its start to its end."""

import asyncio
import fcntl
import logging
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application

import fedikit.runbook  # noqa: F401 # before jupyter_server: it keeps grammars from being built that nobody uses
from fedikit.errors import FedikitError
from fedikit.panel.server.application import make_application
from fedikit.panel.server.caddy import SOCKET, Caddy, RunningCaddy
from fedikit.panel.server.kernels import Kernels
from fedikit.panel.server.notebook import PanelNotebook, own_notebook
from fedikit.panel.server.premises import Premises

_LOG = logging.getLogger(__name__)
_LARGEST_FORM = 100_000  # bytes
_LARGEST_BUFFER = 16_000_000


@dataclass(frozen=True)
class Wanted:
    """How to serve."""

    panel: Path
    port: int
    caddy: Caddy | None = None
    """What brings HTTPS, and with it everybody; without it, this machine's own users come, at the port."""
    ahead: int = 2
    """So many kernels wait for visitors."""
    notebook: Path | None = None
    """Another notebook than the panel's own."""


def serve(wanted: Wanted) -> None:
    """Serves until it is asked to end (SIGTERM, SIGINT). Raises FedikitError where it cannot."""
    premises = Premises(wanted.panel, clock=time.time)
    notebook = PanelNotebook(wanted.notebook or own_notebook())
    with _alone(premises.state), tempfile.TemporaryDirectory(prefix="fedikit-panel-") as folder:
        asyncio.run(_serve(wanted, premises, notebook, Path(folder)))


async def _serve(wanted: Wanted, premises: Premises, notebook: PanelNotebook, folder: Path) -> None:
    kernels = Kernels(folder, working=premises.state, imports=notebook.imports, ahead=wanted.ahead)
    domain = wanted.caddy.domain if wanted.caddy else ""
    server = _listening(make_application(premises, kernels, notebook, domain=domain), wanted, folder)
    kernels.start_ahead()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    caddy = wanted.caddy.start(folder, premises.state) if wanted.caddy else None
    _LOG.info("the panel is at %s", f"https://{domain}/" if domain else f"http://localhost:{wanted.port}/")
    try:
        await _look_after(kernels, premises, caddy, ending)
    finally:
        server.stop()
        await kernels.end_all()
        if caddy:
            caddy.end()
    if not ending.is_set():
        raise FedikitError("caddy has ended, and the panel with it", hint="what it said stands above")


def _listening(application: Application, wanted: Wanted, folder: Path) -> HTTPServer:
    """The server, at this machine's own address; or, where Caddy is before it, at a socket that only Caddy reaches."""
    server = HTTPServer(
        application,
        xheaders=wanted.caddy is not None,
        max_body_size=_LARGEST_FORM,
        max_buffer_size=_LARGEST_BUFFER,
    )
    if wanted.caddy:
        server.add_socket(bind_unix_socket(str(folder / SOCKET), mode=0o600))
        return server
    try:
        server.add_sockets(bind_sockets(wanted.port, "127.0.0.1"))
    except OSError as error:
        hint = "choose another with --port"
        raise FedikitError(f"the port {wanted.port} cannot be had: {error.strerror}", hint=hint) from error
    return server


async def _look_after(kernels: Kernels, premises: Premises, caddy: RunningCaddy | None, ending: asyncio.Event) -> None:
    """Every second, until the end."""
    while not ending.is_set() and not (caddy and caddy.has_ended()):
        await kernels.look_after(premises.sessions.goes_on)
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), 1)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Two servers would not know of each other's visitors."""
    with open(state / ".serving", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FedikitError(f"another server of this panel is running ({state})") from None
        yield
