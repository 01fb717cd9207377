"""A TCP proxy that counts what passes: bytes both ways, and turns."""

import selectors
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PIECE = 65536


@dataclass
class Traffic:
    """What went over the wire: payload bytes, and turns.

    A turn is one question and its answer: the direction changes from client → server to server → client.
    """

    sent: int = 0
    received: int = 0
    turns: int = 0
    _is_asking: bool = field(default=False, repr=False)

    def count(self, size: int, *, from_client: bool) -> None:
        """Notes one piece on its way."""
        if from_client:
            self.sent += size
            self._is_asking = True
            return
        self.received += size
        self.turns += self._is_asking
        self._is_asking = False


class CountingProxy:
    """Listens on the loopback and passes everything on to one host. Counts all connections together."""

    def __init__(self, address: str, port: int = 22) -> None:
        self.traffic = Traffic()
        self._target = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ways = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._ways.register(self._listener, selectors.EVENT_READ, None)
        self._ways.register(self._woken, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.send(b"!")
        self._thread.join(10)
        for key in list(self._ways.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # all of them are sockets
        self._wake.close()
        self._ways.close()

    def _serve(self) -> None:
        """One thread for all: pieces are counted in the order in which they pass."""
        while True:
            for key, _ in self._ways.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._pass_on(key.fileobj, *key.data)  # type: ignore[arg-type]  # a socket

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        server = socket.create_connection(self._target, timeout=10)
        for end in (client, server):
            end.settimeout(30)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways.register(client, selectors.EVENT_READ, (server, True))
        self._ways.register(server, selectors.EVENT_READ, (client, False))

    def _pass_on(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        try:
            piece = source.recv(PIECE)
            sink.sendall(piece)
        except OSError:
            piece = b""
        if piece:
            self.traffic.count(len(piece), from_client=from_client)
            return
        for end in (source, sink):
            self._ways.unregister(end)
            end.close()
