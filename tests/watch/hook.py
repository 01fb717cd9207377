"""A program that is told by HTTP, on the loopback interface."""

import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Program(ThreadingHTTPServer):
    """Keeps what it is told, and answers as its `statuses` say, one after the other, and then with 204."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.told: list[tuple[bytes, dict[str, str]]] = []
        self.statuses: list[int] = []
        self.asked: list[str] = []
        self.then: Callable[[], None] = lambda: None
        self.scheme = "https" if context else "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/hooks/secret-path"

    def handle_error(self, request: object, client_address: object) -> None:
        """Who does not trust us hangs up."""


class Handler(BaseHTTPRequestHandler):
    server: Program

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status < 300:
            self.server.told.append((body, dict(self.headers)))
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        self.send_error(404)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""
