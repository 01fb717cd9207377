"""The kernels: started ahead, handed to one operator each, ended when nobody looks at them.

A kernel of this very Python, whatever kernels the user has put into his folders, without the user's start-up files
and history, over encrypted channels.
"""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager

from fedikit.panel.server.sessions import Session

_LOG = logging.getLogger(__name__)

ALLOWED_MESSAGES = ("comm_open", "comm_msg", "comm_close", "comm_info_request", "kernel_info_request")
"""What a browser may say to a kernel: nothing that is code."""
MOST = 5
"""Kernels of one operator; the oldest goes for a sixth."""
ALONE_SECONDS = 900
"""A kernel at which no page has looked for so long ends."""
_START_SECONDS = 60
_REST_SECONDS = 3
"""How long after a visit the next kernel is started: first the visitor's page."""


class PanelKernel(ServerKernelManager):  # type: ignore[misc] # jupyter_server is untyped
    """A kernel that reads nothing of the folder that it is started in, and is not started again when it died."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, autorestart=False)
        self.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        self.kernel_spec.argv = make_ipkernel_cmd(
            python_arguments=["-P"],
            extra_arguments=["--InteractiveShellApp.ignore_cwd=True", "--HistoryManager.enabled=False"],
        )


@dataclass
class Started:
    """A kernel, whose it is once somebody came, and the pages that look at it."""

    id: str
    ready: "asyncio.Task[Any]"
    """Its client, once it answers and has imported what takes time."""
    session: Session | None = None
    sockets: set[Any] = field(default_factory=set)
    left: float = 0.0

    def is_left(self) -> bool:
        """Whether no page has looked at it for long."""
        return not self.sockets and time.monotonic() - self.left > ALONE_SECONDS


class Kernels:
    """All kernels of a server."""

    def __init__(self, folder: Path, *, working: Path, imports: str, ahead: int) -> None:
        self._environment = {**os.environ, "PYTHONSAFEPATH": "1", "IPYTHONDIR": str(folder / "ipython")}
        self._working = working
        self._imports = imports
        self._ahead_wanted = ahead
        self._ahead: list[Started] = []
        self._taken: dict[str, Started] = {}
        self._endings: set[asyncio.Future[None]] = set()
        self.manager: Any = AsyncMappingKernelManager(
            connection_dir=str(folder),
            kernel_manager_class=f"{__name__}.{PanelKernel.__name__}",
            transport_encryption="required",
            allowed_message_types=list(ALLOWED_MESSAGES),
            allow_tracebacks=False,
        )

    def take(self, session: Session) -> Started:
        """A kernel for a session's next page, which may be about to start. Ends the operator's oldest beyond five."""
        started = self._next()
        started.session, started.left = session, time.monotonic()
        self._taken[started.id] = started
        for old in self._of(session.operator)[:-MOST]:
            self.end_soon(old.id)
        asyncio.get_running_loop().call_later(_REST_SECONDS, self.start_ahead)
        return started

    def start_ahead(self) -> None:
        """Starts kernels until so many as wanted wait for visitors."""
        while len(self._ahead) < self._ahead_wanted:
            self._ahead.append(self._start())

    def find(self, kernel_id: str, session: Session | None) -> Started | None:
        """The kernel, if it is of the same operator."""
        started = self._taken.get(kernel_id)
        owner = started.session if started else None
        return started if owner and session and owner.operator == session.operator else None

    async def look_after(self, goes_on: Callable[[Session], bool]) -> None:
        """Ends what died, what nobody looks at, and what is of sessions that ended; to be called every second."""
        for started in list(self._taken.values()):
            is_over = started.session is None or not goes_on(started.session)
            if is_over or started.is_left() or not await self._is_alive(started):
                self.end_soon(started.id)

    def leave(self, started: Started, socket: Any) -> None:
        """A page's socket was closed."""
        started.sockets.discard(socket)
        started.left = time.monotonic()

    async def _is_alive(self, started: Started) -> bool:
        if not started.ready.done():
            return True
        if started.ready.cancelled() or started.ready.exception() or started.id not in self.manager:
            return False
        return bool(await self.manager.get_kernel(started.id).is_alive())

    def end_soon(self, kernel_id: str) -> None:
        """Ends a kernel without waiting for it; its pages are closed at once."""
        started = self._taken.pop(kernel_id, None)
        if started:
            for socket in list(started.sockets):
                socket.close(1001)
            ending = asyncio.ensure_future(self._end(started))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def end_all(self) -> None:
        everything = [*self._ahead, *self._taken.values()]
        self._ahead.clear()
        self._taken.clear()
        await asyncio.gather(*self._endings, *(self._end(started) for started in everything))

    def _next(self) -> Started:
        while self._ahead:
            started = self._ahead.pop(0)
            if not (started.ready.done() and (started.ready.cancelled() or started.ready.exception())):
                return started
        return self._start()

    def _of(self, operator: str) -> Sequence[Started]:
        return [it for it in self._taken.values() if it.session and it.session.operator == operator]

    def _start(self) -> Started:
        kernel_id = str(uuid.uuid4())
        return Started(kernel_id, asyncio.ensure_future(self._made_ready(kernel_id)))

    async def _made_ready(self, kernel_id: str) -> Any:
        await self.manager.start_kernel(kernel_id=kernel_id, cwd=str(self._working), env=self._environment)
        client = self.manager.get_kernel(kernel_id).client()
        client.start_channels()
        await client.wait_for_ready(timeout=_START_SECONDS)
        if self._imports:
            await client.execute_interactive(self._imports, silent=True, store_history=False, timeout=_START_SECONDS)
        return client

    async def _end(self, started: Started) -> None:
        with suppress(Exception, asyncio.CancelledError):
            client = await started.ready
            client.stop_channels()
        if started.id in self.manager:
            await self.manager.shutdown_kernel(started.id, now=True)
