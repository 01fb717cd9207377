"""A bucket over S3, as far as it takes to read all of it and to make it as it was: any server's, not Garage's alone.

Answers are never trusted to be whole, nor listings to be in order: both are looked at.
"""

import hashlib
import http.client
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self
from urllib.parse import quote, unquote_plus, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

# The agent's own signer, by a symbolic link: hosts get its bytes as a file of this program.
from .signature import Access, Headers, signed_headers
from .trouble import Trouble

PAGE = 1000
"""What one request lists or deletes."""
PIECE_BYTES = 16 * 1024 * 1024
"""What is sent at once; larger objects go up in pieces."""
ANSWER_SECONDS = 120
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
MOST_BYTES = 64 * 1024 * 1024
"""The most that an answer without an object may be."""
_PASSING = {429, 500, 502, 503, 504}
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
_HINTS = {
    403: "see whether the application's key still has its rights in the bucket, and whether this host's clock is right",
    404: "an apply makes the bucket, empty; see whether it was given another name",
}


class Listed(NamedTuple):
    """An object as a listing tells of it; `modified` in the server's own words, `etag` without quotes."""

    key: str
    size: int
    etag: str
    modified: str


class Answer(NamedTuple):
    """What a server said; names of headers are small."""

    status: int
    headers: Headers
    body: bytes


class Gone(Exception):
    """There is no such object."""


class Incoming:
    """An object's bytes on their way; `headers` as they came. Raises Trouble where they end too early."""

    def __init__(self, response: http.client.HTTPResponse, bucket: "Bucket") -> None:
        self.headers = _headers(response)
        self._response = response
        self._bucket = bucket
        self._rest = int(self.headers.get("content-length", "0"))

    def read(self, amount: int, /) -> bytes:
        """That many bytes at most; none at the end."""
        try:
            piece = self._response.read(amount)
        except (OSError, http.client.HTTPException) as error:
            raise self._bucket.silence(error) from error
        self._rest -= len(piece)
        if not piece and self._rest > 0:
            raise self._bucket.silence(EOFError(f"an object ended {self._rest:,} bytes too early"))
        return piece


class Bucket:
    """A bucket and the key that opens it; requests may be sent from several threads. Close it in the end."""

    def __init__(self, access: Access, name: str) -> None:
        self.access = access
        self.name = name
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def objects(self) -> Iterator[Listed]:
        """All objects in the order of their keys, which is looked at; asks page by page."""
        before = ""
        for page in self._pages():
            for found in page:
                if found.key <= before:
                    words = f"S3 at {self.access.address} lists bucket {self.name} out of order"
                    hint = "the listing cannot be trusted to be whole; see what stands between this host and S3"
                    raise Trouble(f"{words}, {found.key!r} after {before!r}", hint=hint)
                before = found.key
                yield found

    def head(self, key: str) -> Headers:
        """What is kept with an object beside its bytes, as headers; raises Gone."""
        return kept_headers(self._ask("HEAD", key).headers)

    @contextmanager
    def reading(self, key: str) -> Iterator["Incoming"]:
        """An object's bytes as they come; raises Gone."""
        connection = self._connect()
        request = f"GET {self._path(key)}"
        try:
            response = self._open(connection, request)
            if response.status >= 300:
                self._refuse(request, Answer(response.status, {}, response.read(1000)))
            yield Incoming(response, self)
        finally:
            connection.close()

    def put(self, key: str, body: bytes, headers: Headers) -> str:
        """Writes a small object whole; returns its ETag."""
        return _etag(self._ask("PUT", key, body=body, headers=headers))

    def put_in_pieces(self, key: str, pieces: Iterator[bytes], headers: Headers) -> str:
        """Writes a large object; returns its ETag. What was sent of it is forgotten by the server if it fails."""
        begun = ElementTree.fromstring(self._ask("POST", key, "uploads=", headers=headers).body)  # noqa: S314
        upload = f"uploadId={quote(begun.findtext('{*}UploadId') or '', safe='~')}"
        try:
            etags = [
                _etag(self._ask("PUT", key, f"partNumber={number}&{upload}", body=piece))
                for number, piece in enumerate(pieces, start=1)
            ]
            parts = "".join(
                f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>'
                for number, etag in enumerate(etags, start=1)
            )
            body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            answer = self._ask("POST", key, upload, body=body)
        except BaseException:
            self._ask("DELETE", key, upload)
            raise
        ended = ElementTree.fromstring(answer.body)  # noqa: S314
        if not ended.tag.endswith("CompleteMultipartUploadResult"):  # S3 tells of some failures with HTTP 200
            raise Trouble(f"S3 at {self.access.address} did not put {key!r} together", tail=_words(answer.body))
        return (ended.findtext("{*}ETag") or "").strip('"')

    def delete(self, keys: list[str]) -> None:
        """Deletes a page of objects at most; such as are not there are no failure."""
        alone = [key for key in keys if not _fits_xml(key)]
        together = [key for key in keys if _fits_xml(key)]
        if together:
            named = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in together)
            body = f"<Delete><Quiet>true</Quiet>{named}</Delete>".encode()
            checksum = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            answer = self._ask("POST", "", "delete=", body=body, headers={"content-md5": checksum})
            left = ElementTree.fromstring(answer.body).find("{*}Error/{*}Key")  # noqa: S314
            if left is not None:
                raise Trouble(f"bucket {self.name} keeps {left.text!r}, which was to go", tail=_words(answer.body))
        for key in alone:
            try:
                self._ask("DELETE", key)
            except Gone:
                continue

    def _open(self, connection: http.client.HTTPConnection, request: str) -> http.client.HTTPResponse:
        try:
            return self._send(connection, request, b"", {})
        except (OSError, http.client.HTTPException) as error:
            raise self.silence(error) from error

    def _pages(self) -> Iterator[list[Listed]]:
        token = ""
        while True:
            follow = f"continuation-token={quote(token, safe='~')}&" if token else ""
            query = f"{follow}encoding-type=url&list-type=2&max-keys={PAGE}"
            listing = ElementTree.fromstring(self._ask("GET", "", query).body)  # noqa: S314 - the server's own words
            is_encoded = listing.findtext("{*}EncodingType") == "url"
            yield [_listed(found, is_encoded) for found in listing.findall("{*}Contents")]
            if listing.findtext("{*}IsTruncated") != "true":
                return
            before, token = token, listing.findtext("{*}NextContinuationToken") or ""
            if token in ("", before):
                raise Trouble(f"S3 at {self.access.address} lists bucket {self.name} without an end")

    def _ask(
        self, verb: str, key: str, query: str = "", *, body: bytes = b"", headers: Headers | None = None
    ) -> Answer:
        """One request and its whole answer, asked again where that may help; raises Gone, Trouble."""
        request = f"{verb} {self._path(key)}" + (f"?{query}" if query else "")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._once(request, body, headers or {})
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if attempt == ATTEMPTS:
                    raise self.silence(error) from error
            else:
                if answer.status not in _PASSING or attempt == ATTEMPTS:
                    break
            time.sleep(PAUSE_SECONDS * 2**attempt)
        if answer.status >= 300:
            self._refuse(request, answer)
        return answer

    def _once(self, request: str, body: bytes, headers: Headers) -> Answer:
        if not hasattr(self._own, "connection"):
            self._own.connection = self._connect()
        response = self._send(self._own.connection, request, body, headers)
        said = response.read(MOST_BYTES)
        if not response.isclosed():
            raise http.client.HTTPException("its answer is too long")
        return Answer(response.status, _headers(response), said)

    def _send(
        self, connection: http.client.HTTPConnection, request: str, body: bytes, headers: Headers
    ) -> http.client.HTTPResponse:
        verb, target = request.split(" ", 1)
        signed = signed_headers(self.access, request, body, headers)
        connection.request(verb, target, body, {name: value.encode() for name, value in signed.items()})
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        place = urlsplit(self.access.address)
        if place.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                place.netloc, timeout=ANSWER_SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(place.netloc, timeout=ANSWER_SECONDS)
        self._connections.append(connection)
        return connection

    def _drop(self) -> None:
        self._own.connection.close()

    def _path(self, key: str) -> str:
        return f"/{self.name}/{quote(key, safe='/~')}" if key else f"/{self.name}"

    def _refuse(self, request: str, answer: Answer) -> None:
        said = _words(answer.body)
        if answer.status == 404 and "NoSuchBucket" not in said and request.split("?")[0].count("/") > 1:
            raise Gone
        raise Trouble(
            f"S3 at {self.access.address} refuses {request.split('?')[0]} with HTTP status {answer.status}",
            hint=_HINTS.get(answer.status, "see what the S3 server has in its journal"),
            tail=said,
        )

    def silence(self, error: Exception) -> Trouble:
        """What is told where the server says nothing, or not all."""
        what = str(error) or type(error).__name__
        return Trouble(
            f"S3 does not answer at {self.access.address}, asked for bucket {self.name}: {what}",
            hint="see whether the S3 server runs, and whether this host reaches it",
        )


def kept_headers(headers: Headers) -> Headers:
    """Those of an answer's headers that belong to the object, and that a write of it sends again."""
    return {name: value for name, value in sorted(headers.items()) if name in _KEPT or name.startswith("x-amz-meta-")}


def _listed(found: ElementTree.Element, is_encoded: bool) -> Listed:
    told = {name: found.findtext(f"{{*}}{name}") or "" for name in ("Key", "Size", "ETag", "LastModified")}
    key = unquote_plus(told["Key"], errors="strict") if is_encoded else told["Key"]
    return Listed(key, int(told["Size"]), told["ETag"].strip('"'), told["LastModified"])


def _etag(answer: Answer) -> str:
    return answer.headers.get("etag", "").strip('"')


def _headers(response: http.client.HTTPResponse) -> Headers:
    return {name.lower(): _text(value) for name, value in response.getheaders()}


def _text(value: str) -> str:
    """A header's value, whose bytes Python takes for Latin-1."""
    return value.encode("latin-1").decode("utf-8", errors="replace")


def _words(body: bytes) -> str:
    return body.decode(errors="replace")[:1000]


def _fits_xml(key: str) -> bool:
    return all(
        char in "\t\n" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff" for char in key
    )
