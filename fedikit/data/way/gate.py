"""The gate: hosts that do not reach a repository read it through the deployer, and nothing else; nobody writes.

It speaks restic's REST protocol, whatever the repository itself is reached by: so hosts get no key to its server.
"""

import base64
import contextlib
import hmac
import json
import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

from fedikit.data.way.ahead import Ahead
from fedikit.data.way.source import PACKS, PIECE, Source

LISTED = "application/vnd.x.restic.rest.v2"
_ASKED = re.compile(rf"/([A-Za-z0-9._-]+)/(config|(keys|locks|snapshots|index|{PACKS})/([0-9a-f]{{64}})?)")
_ID = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")
_WORDS = 300
_MOST_TROUBLES = 100
_LOOK_SECONDS = 0.05
"""How often it looks whether it shall end."""
USER = "fedikit"
"""Who signs in at a gate that has a password."""
MOST_AT_ONCE = 64
"""Connections; restic has five."""
STRANGER_SECONDS, IDLE_SECONDS = 10, 300
"""For how long a connection may be silent, before it has shown the password and from then on."""


class _Part(NamedTuple):
    """Some bytes of a file."""

    start: int
    length: int
    whole: int


class Gate:
    """A server at one address of the deployer's, open while it is a context; `sources` by the repository's folder.

    Who asks must know the password. It may be empty where nobody reaches the address but those that shall read.
    """

    def __init__(self, address: str, sources: Mapping[str, Source], *, password: str) -> None:
        self._server = _Server(address, sources, password)
        self._password = password
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_LOOK_SECONDS,), daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The place below which the repositories are found, as restic calls it; with the password, if there is one."""
        return self.at(str(self._server.server_address[0]), self.port)

    def at(self, address: str, port: int) -> str:
        """The same, for those who come by another address that leads here."""
        login = f"{USER}:{self._password}@" if self._password else ""
        return f"rest:http://{login}{address}:{port}"

    @property
    def troubles(self) -> list[str]:
        """What could not be read, in words."""
        return list(self._server.troubles)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_AT_ONCE

    def __init__(self, address: str, sources: Mapping[str, Source], password: str) -> None:
        self.sources = {folder: Ahead(source) for folder, source in sources.items()}
        self.troubles: dict[str, None] = {}
        self._login = f"Basic {base64.b64encode(f'{USER}:{password}'.encode()).decode()}" if password else ""
        self._room = threading.Semaphore(MOST_AT_ONCE)
        self._open: set[socket.socket] = set()
        self._opening = threading.Lock()
        super().__init__((address, 0), _Asked)

    def lets_in(self, shown: str) -> bool:
        """Whether who shows this may read; how long it takes to say so tells nothing of the password."""
        return not self._login or hmac.compare_digest(shown.encode(), self._login.encode())

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread for each connection, up to the most; one more is hung up on, and may come again."""
        if self._room.acquire(blocking=False):
            with self._opening:
                self._open.add(request)
            super().process_request(request, client_address)
        else:
            self.note(f"more than {MOST_AT_ONCE} connections at once")
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def shutdown_request(self, request: Any) -> None:
        with self._opening:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """On whoever is still there: who keeps a connection open reads nothing by it any more."""
        with self._opening:
            for request in self._open:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Is told, like all else that cannot be read."""
        self.note(f"{sys.exception()!r}")

    def note(self, words: str) -> None:
        """Each trouble once, and no more than anybody reads: strangers can make as many as they like."""
        if len(self.troubles) < _MOST_TROUBLES:
            self.troubles[words[:_WORDS]] = None


class _Asked(BaseHTTPRequestHandler):
    """One request: for a file, for some bytes of it, or for the names in a folder. All others are refused."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each small answer waits 40 ms for whoever asked to have heard its head
    wbufsize = PIECE
    timeout = STRANGER_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *about: object) -> None:
        """Nobody reads it."""

    def _answer(self, *, with_body: bool) -> None:
        if not self.server.lets_in(self.headers.get("Authorization", "")):
            self._turn_away()
            return
        self.connection.settimeout(IDLE_SECONDS)
        asked = _ASKED.fullmatch(self.path.partition("?")[0])
        source = self.server.sources.get(asked[1]) if asked else None
        if asked is None or source is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            if asked[3] and not asked[4]:
                self._tell(source.sizes(asked[3]))
            else:
                self._send(source, asked[2], with_body=with_body)
        except ConnectionError:  # whoever asked has gone
            self.close_connection = True
        except OSError as error:
            self.server.note(f"{asked[2]}: {error.strerror or error}")
            self.close_connection = True

    def _tell(self, sizes: Mapping[str, int]) -> None:
        """The names that restic gives, and no others: of a draft, or of what somebody laid there."""
        found = [{"name": name, "size": size} for name, size in sizes.items() if _ID.fullmatch(name)]
        body = json.dumps(found).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", LISTED)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, source: Source, path: str, *, with_body: bool) -> None:
        size = source.size(path)
        if size is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        part = self._part_of(size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if "Range" in self.headers else HTTPStatus.OK)
        self.send_header("Content-Length", str(part.length))
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {part.start}-{part.start + part.length - 1}/{size}")
        self.end_headers()
        if with_body and part.length:
            self._pass_on(source.read(path, part.start, part.length), part.length)

    def _pass_on(self, pieces: Iterator[bytes], length: int) -> None:
        """As many bytes as were promised, or an error: who asked would take what follows for the next answer."""
        for piece in pieces:
            self.wfile.write(piece[: max(0, length)])
            length -= len(piece)
        if length:
            raise OSError(0, "the file is not as long as was told")

    def _part_of(self, size: int) -> _Part:
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        if not found:
            return _Part(0, size, size)
        start = min(int(found[1]), size)
        end = min(int(found[2]) + 1 if found[2] else size, size)
        return _Part(start, max(0, end - start), size)

    def _turn_away(self) -> None:
        self.close_connection = True
        self._refuse(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Basic", "Connection": "close"})

    def _refuse(self, status: HTTPStatus, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
