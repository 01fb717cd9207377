"""The gate: machines without a way out read a repository through it, and nothing else; nobody writes.

It speaks restic's REST protocol, whatever the repository itself is reached by: so machines get no key to its server.
"""

import json
import re
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from fedikit_lab.prove_source import PACKS, Source

LISTED = "application/vnd.x.restic.rest.v2"
_ASKED = re.compile(rf"/([A-Za-z0-9._-]+)/(config|(keys|locks|snapshots|index|{PACKS})/([0-9a-f]{{64}})?)")
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")
_WORDS = 300


class _Part(NamedTuple):
    """Some bytes of a file."""

    start: int
    length: int
    whole: int


class Gate:
    """A server at one address of a lab's bridge, open while it is a context; `sources` by the repository's folder."""

    def __init__(self, address: str, sources: Mapping[str, Source]) -> None:
        self._server = _Server((address, 0), _Asked)
        self._server.sources = dict(sources)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The place below which the repositories are found, as restic calls it."""
        address, port = self._server.server_address[:2]
        return f"rest:http://{address!s}:{port}"

    @property
    def troubles(self) -> list[str]:
        """What could not be read, in words."""
        return list(dict.fromkeys(self._server.troubles))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    sources: dict[str, Source]

    def __init__(self, *about: object) -> None:
        super().__init__(*about)  # type: ignore[arg-type]
        self.troubles: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Is told, like all else that cannot be read."""
        self.troubles.append(f"{sys.exception()!r}"[:_WORDS])


class _Asked(BaseHTTPRequestHandler):
    """One request: for a file, for some bytes of it, or for the names in a folder. All others are refused."""

    protocol_version = "HTTP/1.1"
    timeout = 300
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *about: object) -> None:
        """Nobody reads it."""

    def _answer(self, *, with_body: bool) -> None:
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
            self.server.troubles.append(f"{asked[2]}: {error.strerror or error}"[:_WORDS])
            self.close_connection = True

    def _tell(self, sizes: Mapping[str, int]) -> None:
        body = json.dumps([{"name": name, "size": size} for name, size in sizes.items()]).encode()
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
        for piece in source.read(path, part.start, part.length) if with_body and part.length else ():
            self.wfile.write(piece)

    def _part_of(self, size: int) -> _Part:
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        if not found:
            return _Part(0, size, size)
        start = min(int(found[1]), size)
        end = min(int(found[2]) + 1 if found[2] else size, size)
        return _Part(start, max(0, end - start), size)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
