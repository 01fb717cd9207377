"""Where the way to another repository begins: somebody listens there, as long as the tests run."""

import socket

_GATE = socket.create_server(("127.0.0.1", 0), backlog=4096)
PORT = _GATE.getsockname()[1]
