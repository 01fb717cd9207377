"""Requests to a bucket over S3: signed, sent over connections that stay, asked again where that may help.

What comes back is either a whole answer or Trouble in words.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

# The agent's own signer, by a symbolic link: hosts get its bytes as a file of this program.
from .signature import Access, Headers, signed_headers
from .trouble import Absent, Trouble

ANSWER_SECONDS = 120
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
MOST_BYTES = 64 * 1024 * 1024
"""The most that an answer without an object may be."""
_PASSING = {429, 500, 502, 503, 504}
_HINTS = {
    403: "see whether the application's key still has its rights in the bucket, and whether this host's clock is right",
    404: "an apply makes the bucket, empty; see whether it was given another name",
}


class Answer(NamedTuple):
    """What a server said; names of headers are small."""

    status: int
    headers: Headers
    body: bytes


_Said = TypeVar("_Said", Answer, http.client.HTTPResponse)


class Gone(Trouble):
    """There is no such object."""


class Incoming:
    """An object's bytes on their way; `headers` and `size` as told. Raises Trouble for more bytes, or fewer."""

    def __init__(self, response: http.client.HTTPResponse, asking: "Asking") -> None:
        self.headers = _headers(response)
        self._response = response
        self._asking = asking
        self.size = self._rest = int(self.headers.get("content-length", "0"))

    def read(self, amount: int, /) -> bytes:
        """That many bytes at most; none at the end."""
        try:
            piece = self._response.read(amount)
        except (OSError, http.client.HTTPException) as error:
            raise self._asking.silence(error) from error
        self._rest -= len(piece)
        if not piece and self._rest > 0:
            raise self._asking.silence(EOFError(f"an object ended {self._rest:,} bytes too early"))
        if self._rest < 0:
            raise self._asking.silence(EOFError("an object is longer than was told"))
        return piece


class Asking:
    """Who asks for a bucket; from several threads, each with a connection of its own. Close it in the end."""

    def __init__(self, access: Access, bucket: str) -> None:
        self.access = access
        self.bucket = bucket
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def ask(self, verb: str, key: str, query: str = "", *, body: bytes = b"", headers: Headers | None = None) -> Answer:
        """One request and its whole answer; an empty key stands for the bucket. Raises Gone, Absent, Trouble."""
        request = f"{verb} {self._path(key)}" + (f"?{query}" if query else "")
        answer = self._patiently(lambda: self._once(request, body, headers or {}))
        self._require_success(request, answer)
        return answer

    def ask_for_xml(
        self, verb: str, key: str, query: str, *, body: bytes = b"", headers: Headers | None = None
    ) -> ElementTree.Element:
        """The same, of an answer that is to be XML."""
        answer = self.ask(verb, key, query, body=body, headers=headers)
        try:
            return ElementTree.fromstring(answer.body)  # noqa: S314 - no more than the limit above, and expat has its own
        except ElementTree.ParseError as error:
            words = f"{self.access.address} answers {verb} {self._path(key)} with no XML: it is no S3 server"
            raise Trouble(words, hint="see what listens there", tail=said(answer.body)) from error

    @contextmanager
    def reading(self, key: str) -> Iterator[Incoming]:
        """An object's bytes as they come; raises Gone. Meanwhile this thread asks for nothing else here."""
        request = f"GET {self._path(key)}"
        response = self._patiently(lambda: self._send(request, b"", {}))
        try:
            incoming = Incoming(response, self)
            if response.status >= 300:
                self._require_success(request, Answer(response.status, {}, incoming.read(1000)))
            yield incoming
        finally:
            if not response.isclosed():  # what is left of it would be taken for the next answer
                self._connection().close()

    def silence(self, error: Exception) -> Trouble:
        """What is told where the server says nothing, or not all."""
        what = str(error) or type(error).__name__
        return Trouble(
            f"S3 does not answer at {self.access.address}, asked for bucket {self.bucket}: {what}",
            hint="see whether the S3 server runs, and whether this host reaches it",
        )

    def _patiently(self, exchange: Callable[[], _Said]) -> _Said:
        """What the server answers, tried again where that may help."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = exchange()
            except (OSError, http.client.HTTPException) as error:
                self._connection().close()
                if attempt == ATTEMPTS:
                    raise self.silence(error) from error
            else:
                if answer.status not in _PASSING or attempt == ATTEMPTS:
                    break
                self._connection().close()
            time.sleep(PAUSE_SECONDS * 2**attempt)
        return answer

    def _once(self, request: str, body: bytes, headers: Headers) -> Answer:
        response = self._send(request, body, headers)
        read = response.read(MOST_BYTES)
        if not response.isclosed():
            raise http.client.HTTPException("its answer is cut off, or far too long")
        return Answer(response.status, _headers(response), read)

    def _send(self, request: str, body: bytes, headers: Headers) -> http.client.HTTPResponse:
        verb, target = request.split(" ", 1)
        signed = signed_headers(self.access, request, body, headers)
        connection = self._connection()
        connection.request(verb, target, body, {name: value.encode() for name, value in signed.items()})
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's own."""
        known: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if known is None:
            known = self._own.connection = self._connect()
            self._connections.append(known)
        return known

    def _connect(self) -> http.client.HTTPConnection:
        place = urlsplit(self.access.address)
        if place.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(place.netloc, timeout=ANSWER_SECONDS, context=context)
        return http.client.HTTPConnection(place.netloc, timeout=ANSWER_SECONDS)

    def _path(self, key: str) -> str:
        return f"/{self.bucket}/{quote(key, safe='/~')}" if key else f"/{self.bucket}"

    def _require_success(self, request: str, answer: Answer) -> None:
        if answer.status < 300:
            return
        words, what = said(answer.body), request.split("?")[0]
        if answer.status == 404 and "NoSuchBucket" not in words and what.count("/") > 1:
            raise Gone(f"bucket {self.bucket} has no {what.split('/', 2)[2]}")
        raise (Absent if "NoSuchBucket" in words else Trouble)(
            f"S3 at {self.access.address} refuses {what} with HTTP status {answer.status}",
            hint=_HINTS.get(answer.status, "see what the S3 server has in its journal"),
            tail=words,
        )


def said(body: bytes) -> str:
    """The first words of an answer."""
    return body.decode(errors="replace")[:1000]


def _headers(response: http.client.HTTPResponse) -> Headers:
    """A response's headers by their names in small letters; Python takes their bytes for Latin-1."""
    return {
        name.lower(): value.encode("latin-1").decode("utf-8", errors="replace") for name, value in response.getheaders()
    }
