"""The web side of a contract image, in few words over Werkzeug: requests, answers, routes, the server."""

import io
import json
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

import werkzeug
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, NotFound
from werkzeug.http import dump_cookie
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_LEAST_SECONDS = 0.01


@dataclass(frozen=True)
class Upload:
    """A file that came with a form."""

    name: str
    kind: str
    content: bytes


class Request:
    """One request, whose body was read; header names are found in any case."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._asked = asked = _Asked(environ)
        self.body = asked.get_data()  # before all else: forms are then read from what was kept
        self.method = asked.method
        self.path = asked.path
        self.query: Mapping[str, str] = dict(asked.args.items(multi=True))
        self.peer = asked.remote_addr or ""

    @property
    def host(self) -> str:
        """The host that the visitor asked for, without the port."""
        return re.sub(r":\d+$", "", self.header("Host")).lower()

    @property
    def is_https(self) -> bool:
        """Whether the proxy in front says that the visitor came by https."""
        return self.header("X-Forwarded-Proto") == "https"

    @property
    def visitor(self) -> str:
        """The visitor's address: what the nearest proxy says, else the peer's."""
        return self.header("X-Forwarded-For").rpartition(",")[2].strip() or self.peer

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._asked.cookies)

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return self._asked.headers.get(name, "")

    def json(self) -> object:
        """The body as JSON; nothing when it is not."""
        value: object = self._asked.get_json(force=True, silent=True)
        return value

    def fields(self) -> dict[str, str]:
        """The text fields of the form, url-encoded or multipart."""
        return dict(self._asked.form.items(multi=True))

    def files(self) -> dict[str, Upload]:
        """The files of the multipart form, by field."""
        sent = {name: file for name, file in self._asked.files.items() if file.filename}
        return {name: Upload(file.filename or "", file.mimetype, file.read()) for name, file in sent.items()}


@dataclass(frozen=True)
class Answer:
    """What the server answers."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    def having(self, *headers: tuple[str, str]) -> "Answer":
        """The same answer with more headers."""
        return Answer(self.status, self.body, self.kind, (*self.headers, *headers))


Handler = Callable[..., Answer]


@dataclass(frozen=True)
class Application:
    """Routes and what comes before them; a WSGI application.

    A route is a method and a path; `{name}` stands for one step of the path and `{name...}` for the rest: the handler
    gets the request and what they stood for. `guard` may answer instead of any route; `ready` sees every answer.
    """

    routes: Mapping[tuple[str, str], Handler]
    guard: Callable[[Request], Answer | None] = lambda request: None
    ready: Callable[[Request, Answer], Answer] = lambda request, answer: answer
    missing: Callable[[Request], Answer] = lambda request: plain("Not Found", 404)
    read_seconds: float = 60
    """How long a whole request may take to arrive; then the connection is closed."""
    write_seconds: float | None = None
    """How long after its head a request may be answered; then the connection is closed, whatever was done for it."""

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        began = time.monotonic()
        try:
            answer = self.answer(Request(environ))
        except ClientDisconnected as error:
            raise ConnectionAbortedError("the visitor has gone, or is too slow") from error
        except HTTPException as error:  # a request that Werkzeug cannot read
            answer = _told(error)
        if self.write_seconds and time.monotonic() > began + self.write_seconds:
            raise ConnectionAbortedError("the answer comes too late")
        headers = [("Content-Type", answer.kind), *answer.headers]
        return werkzeug.Response(answer.body, answer.status, headers)(environ, start)

    def answer(self, request: Request) -> Answer:
        """The answer to a request; a failure is told on standard error and answered with 500."""
        try:
            return self.ready(request, self.guard(request) or self._route(request))
        except HTTPException as error:
            return _told(error)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return plain("Internal Server Error", 500)

    def _route(self, request: Request) -> Answer:
        try:
            handler, steps = self._map.bind("").match(request.path, request.method)
        except (NotFound, MethodNotAllowed):
            return self.missing(request)
        answer: Answer = handler(request, *steps.values())
        return answer

    @cached_property
    def _map(self) -> Map:
        rules = [
            Rule(_rule(path), methods=[method], endpoint=handler) for (method, path), handler in self.routes.items()
        ]
        return Map(rules, merge_slashes=False)


def serve(
    application: Application,
    address: str,
    port: int,
    *,
    stop: Iterable[int] = (signal.SIGTERM, signal.SIGINT),
    beside: Callable[[], None] = lambda: None,
) -> int:
    """Answers requests on an address until the process is told to stop, by one of these signals.

    What is done beside that begins when the signals are heeded, so that it may send one.
    """
    server = server_at(application, address, port)
    for number in stop:
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Listening on http://{address}:{port}", flush=True)
    threading.Thread(target=beside, daemon=True).start()
    server.serve_forever(poll_interval=0.1)
    return 0


def server_at(application: Application, address: str, port: int) -> BaseWSGIServer:
    """A server that listens, and answers as soon as it is let. Each connection serves one request."""
    visit = type("Visit", (_Visit,), {"read_seconds": application.read_seconds})
    return make_server(address, port, application, threaded=True, request_handler=visit)


def html(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode())


def plain(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), "text/plain; charset=utf-8")


def json_answer(value: object, status: int = 200, kind: str = "application/json; charset=utf-8") -> Answer:
    return Answer(status, json.dumps(value).encode(), kind)


def redirect(url: str, status: int = 302) -> Answer:
    return Answer(status, headers=(("Location", url),))


def cookie(name: str, value: str, *, lifetime: int | None = None) -> tuple[str, str]:
    """The header that sets a cookie for the whole site: secure, not for scripts. A lifetime of 0 takes it away."""
    return "Set-Cookie", dump_cookie(name, value, max_age=lifetime, secure=True, httponly=True, samesite="Lax")


def _rule(path: str) -> str:
    """A route's path as Werkzeug writes it."""
    return re.sub(r"\{(\w+)(\.\.\.)?\}", lambda found: f"<{'path:' if found[2] else ''}{found[1]}>", path)


def _told(error: HTTPException) -> Answer:
    return plain(error.name, error.code or 500)


class _Asked(werkzeug.Request):
    """Keeps files in memory, where the body is too: an image need not have a place to write to."""

    def _get_file_stream(self, *about: Any, **more: Any) -> IO[bytes]:
        return io.BytesIO()


class _Hurried(io.RawIOBase):
    """What comes over a connection until a moment; afterwards reading times out, however little was missing."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection, self._end = connection, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        usual = self._connection.gettimeout()
        self._connection.settimeout(max(_LEAST_SECONDS, self._end - time.monotonic()))
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(usual)


class _Visit(WSGIRequestHandler):
    """Says little of itself, and tells of each request on standard output."""

    server_version = "contract"
    read_seconds: float
    timeout = 60  # for answers that nobody takes

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Hurried(self.connection, time.monotonic() + self.read_seconds))

    def connection_dropped(self, error: BaseException, environ: "WSGIEnvironment | None" = None) -> None:
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        print(f'"{self.requestline}" {code} {size}', flush=True)
