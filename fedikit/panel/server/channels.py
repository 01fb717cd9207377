"""The socket between a page and its kernel. Widgets' messages pass; nothing that is code does."""

import json
import logging
from typing import Any

from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.web import HTTPError

from fedikit.panel.server.guard import Guard
from fedikit.panel.server.kernels import ALLOWED_MESSAGES, Kernels, Started

_LOG = logging.getLogger(__name__)

LARGEST_BYTES = 10_000_000
"""A larger message closes the socket."""
PROTOCOL = "v1.kernel.websocket.jupyter.org"
_REFUSED = 1008  # RFC 6455: the message breaks a rule
_ENDED = 4001  # ours: the session ended


class OwnKernel(Guard):
    """A kernel that is the operator's own; others' are not there."""

    started: Started

    async def prepare(self) -> None:
        await super().prepare()
        found = self.settings["kernels"].find(self.path_kwargs["kernel_id"], self.session)
        if found is None:
            raise HTTPError(404)
        self.started = found


class KernelModel(OwnKernel):
    """What a page asks before it opens its socket, and to see whether its kernel is still there."""

    async def get(self, kernel_id: str) -> None:
        await self.started.ready
        self.set_header("Content-Type", "application/json")
        self.finish({"id": kernel_id, "name": "python3", "connections": 1})


class KernelEnd(OwnKernel):
    """What a page says when it is left."""

    async def post(self, kernel_id: str) -> None:
        self.settings["kernels"].end_soon(kernel_id)
        self.set_status(204)


class Channels(OwnKernel, KernelWebsocketHandler):  # type: ignore[misc] # jupyter_server is untyped
    """The socket itself."""

    async def prepare(self) -> None:
        await super().prepare()
        asked = self.request.headers
        is_ours = self.check_origin(asked.get("Origin", ""))
        if not is_ours or PROTOCOL not in asked.get("Sec-WebSocket-Protocol", ""):
            raise HTTPError(403)

    async def open(self, kernel_id: str) -> None:
        self.started.sockets.add(self)
        await super().open(kernel_id)

    def on_message(self, message: str | bytes) -> None:
        """Hands on what widgets say, while the session goes on."""
        if not self.session or not self.premises.sessions.goes_on(self.session):
            self.close(_ENDED)
        elif _is_allowed(message):
            self.note_activity()
            super().on_message(message)
        else:
            _LOG.warning("a page of %s sent what is not allowed", self.session.operator)
            self.close(_REFUSED)

    def on_close(self) -> None:
        kernels: Kernels = self.settings["kernels"]
        kernels.leave(self.started, self)
        super().on_close()


def _is_allowed(message: str | bytes) -> bool:
    if not isinstance(message, bytes) or int.from_bytes(message[:8], "little") > len(message) // 8:
        return False  # so many parts cannot be in it
    try:
        channel, parts = deserialize_msg_from_ws_v1(message)
        header: Any = json.loads(parts[0])
        return channel == "shell" and header["msg_type"] in ALLOWED_MESSAGES
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return False
