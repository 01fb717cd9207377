"""A network between deployer and host that can be cut, or that swallows everything, at an exact moment."""

import socket
import struct
import threading
from types import TracebackType

from fedikit.lab import Machine

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards one port of this machine to a machine's SSH, until `limit` bytes went there or it is told to stop.

    At the end it cuts both sides (a reset), or, if `swallows`, leaves them open and forwards nothing any more.
    """

    def __init__(self, machine: Machine, *, limit: int | None = None, swallows: bool = False) -> None:
        self._machine = machine
        self._left = limit
        self._swallows = swallows
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._swallows = False
        self.stop()
        self._server.close()

    def stop(self) -> None:
        """The end of the connection, as it was asked for."""
        self._over.set()
        if not self._swallows:
            for end in self._sockets:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.close()

    def _serve(self) -> None:
        try:
            deployer = self._server.accept()[0]
        except OSError:
            return
        host = socket.create_connection((self._machine.address, 22))
        self._sockets += [deployer, host]
        threading.Thread(target=self._forward, args=(host, deployer), daemon=True).start()
        self._forward(deployer, host)

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
