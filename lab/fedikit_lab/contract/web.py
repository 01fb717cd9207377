"""The web side of a contract image: a small server, its requests and answers, and how its pages are drawn."""

import html as markup
import json
import re
import signal
import sys
import threading
import time
import traceback
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_STYLE = """\
:root { --accent: #563acc; color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: light-dark(#f3f4f8, #191b22) }
.contract-notice { margin: 0; padding: .4rem 1rem; background: #fff3c4; color: #4d3800; text-align: center }
header, header nav { display: flex; gap: 1rem; align-items: center; background: light-dark(#fff, #282c37) }
header { padding: .6rem 1rem }
header form { display: contents }
header button { margin: 0 }
main { max-width: 38rem; margin: 2rem auto; padding: 0 1rem }
article, form, section { background: light-dark(#fff, #282c37); border-radius: 8px; padding: 1rem; margin: 0 0 1rem }
label { display: block; margin: .6rem 0 .2rem }
input:not([type=file]):not([type=checkbox]):not([type=submit]), textarea
{ width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; border: 1px solid #8886; border-radius: 4px }
button, input[type=submit] { font: inherit; margin-top: .8rem; padding: .5rem 1.2rem; border: 0; border-radius: 4px;
background: var(--accent); color: #fff; cursor: pointer }
button:disabled { opacity: .5 }
img, video { max-width: 100%; border-radius: 4px; image-rendering: pixelated }
article img { min-width: 8rem }
a { color: light-dark(var(--accent), #a99bff) }
.flash-message, .alert-danger, .invalid-feedback
{ background: #fbd7d7; color: #6d0f0f; padding: .6rem 1rem; border-radius: 4px }
"""


@dataclass(frozen=True)
class Upload:
    """A file that came with a form."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True)
class Request:
    """One request; header names are found in any case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes
    peer: str

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
        return {name: morsel.value for name, morsel in SimpleCookie(self.header("Cookie")).items()}

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return str(self.headers.get(name, ""))

    def json(self) -> object:
        """The body as JSON; nothing when it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def fields(self) -> dict[str, str]:
        """The text fields of the form, url-encoded or multipart."""
        if self.header("Content-Type").startswith("multipart/"):
            return {name: part.content.decode() for name, part in self._parts() if not part.name}
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    def files(self) -> dict[str, Upload]:
        """The files of the multipart form, by field."""
        return {name: part for name, part in self._parts() if part.name}

    def _parts(self) -> list[tuple[str, Upload]]:
        boundary = re.search(r'boundary="?([^";]+)', self.header("Content-Type"))
        if not boundary:
            return []
        pieces = (b"\r\n" + self.body).split(b"\r\n--" + boundary[1].encode())
        return [_part(piece) for piece in pieces[1:-1]]


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
    """Routes and what comes before them.

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
    """How long after its head a request may be answered; then the connection is closed, whatever has been done."""

    def answer(self, request: Request) -> Answer:
        """The answer to a request; a failure is told on standard error and answered with 500."""
        try:
            return self.ready(request, self.guard(request) or self._route(request))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return plain("Internal Server Error", 500)

    def _route(self, request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        for (known, path), handler in self.routes.items():
            found = _pattern(path).fullmatch(request.path) if known == method else None
            if found:
                return handler(request, *map(urllib.parse.unquote, found.groups()))
        return self.missing(request)


def serve(
    application: Application, address: str, port: int, *, stop: Iterable[int] = (signal.SIGTERM, signal.SIGINT)
) -> int:
    """Answers requests on an address until the process is told to stop, by one of these signals."""
    server = ThreadingHTTPServer((address, port), _handler(application))
    server.daemon_threads = True
    for number in stop:
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Listening on http://{address}:{port}", flush=True)
    with server:
        server.serve_forever(poll_interval=0.1)
    return 0


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
    age = "" if lifetime is None else f"; Max-Age={lifetime}"
    return "Set-Cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}"


def page(title: str, body: str, *, stands_for: str, head: str = "", accent: str = "#563acc") -> str:
    """A whole HTML page around a body of HTML; it says at its top what it stands for."""
    notice = f"Contract image: stands in for {stands_for} in the lab"
    style = f"<style>{_STYLE}:root {{ --accent: {accent} }}</style>"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{markup.escape(title)}</title>{style}{head}</head>'
        f'<body><p class="contract-notice">{notice}</p>{body}</body></html>'
    )


def _pattern(path: str) -> re.Pattern[str]:
    escaped = re.escape(path)
    return re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.sub(r"\\{\w+\\.\\.\\.\\}", "(.+)", escaped)))


def _part(piece: bytes) -> tuple[str, Upload]:
    head, _, content = piece.partition(b"\r\n\r\n")
    text = head.decode(errors="replace")
    name, file, kind = (re.search(p, text) for p in (r'\bname="([^"]*)"', r'filename="([^"]*)"', r"(?i)type: *(\S+)"))
    return name[1] if name else "", Upload(file[1] if file else "", kind[1] if kind else "text/plain", content)


def _handler(application: Application) -> type[BaseHTTPRequestHandler]:
    class Visit(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "contract"
        timeout = 60

        def _visit(self) -> None:
            began = time.monotonic()
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
            body = self._body(began + application.read_seconds)
            request = Request(self.command, url.path, query, self.headers, body, self.client_address[0])
            answer = application.answer(request)
            if application.write_seconds and time.monotonic() > began + application.write_seconds:
                self.close_connection = True
                return
            self._send(answer)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _visit  # noqa: N815 (the server's names)

        def _body(self, end: float) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                return b"".join(iter(self._chunk, b""))
            pieces, missing = [], int(self.headers.get("Content-Length") or 0)
            while missing and (piece := self._piece(missing, end)):
                pieces.append(piece)
                missing -= len(piece)
            return b"".join(pieces)

        def _piece(self, size: int, end: float) -> bytes:
            self.connection.settimeout(max(0.01, end - time.monotonic()))
            piece = self.rfile.read1(min(size, 65536))
            self.connection.settimeout(self.timeout)
            return bytes(piece)

        def _chunk(self) -> bytes:
            content = self.rfile.read(int(self.rfile.readline().split(b";")[0], 16))
            self.rfile.readline()
            return content

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in (("Content-Type", answer.kind), *answer.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, text: str, *values: object) -> None:
            print(text % values, flush=True)

    return Visit
