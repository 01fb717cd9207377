"""A network between deployer and host that can be cut, or that swallows everything, at an exact moment."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType

from fedikit_lab import Machine

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards one port of this machine to a machine's SSH, until `limit` bytes went there or it is told to stop.

    At the end it cuts both sides, or, if `swallows`, leaves them open and forwards nothing any more.
    """

    def __init__(self, machine: Machine, *, limit: int | None = None, swallows: bool = False) -> None:
        self._machine = machine
        self._left = limit
        self._swallows = swallows
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cut()
        for thread in self._threads:
            thread.join(timeout=10)
        self._server.close()
        for end in self._sockets:
            end.close()

    def stop(self) -> None:
        """The end of the connection, as it was asked for."""
        self._over.set()
        if not self._swallows:
            self._cut()

    def _cut(self) -> None:
        for end in (self._server, *self._sockets):
            with contextlib.suppress(OSError):  # it is cut already
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RDWR)

    def _start(self, work: Callable[..., None], *what: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=what, daemon=True))
        self._threads[-1].start()

    def _serve(self) -> None:
        try:
            deployer = self._server.accept()[0]
        except OSError:
            return  # nobody came
        host = socket.create_connection((self._machine.address, 22))
        self._sockets += [deployer, host]
        self._start(self._forward, host, deployer)
        self._start(self._forward, deployer, host)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                if self._over.is_set():
                    continue
                if self._left is not None and source is self._sockets[0]:
                    piece = piece[: self._left]
                    self._left -= len(piece)
                sink.sendall(piece)
                if self._left == 0:
                    self.stop()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one end is closed
