"""A stand-in for an S3 server with one bucket: pages, keys in URL form, ETags, headers, pieces, signatures."""

# ruff: noqa: N815 - methods are named as HTTP names them

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit
from xml.etree import ElementTree

from fedikit.data.onhost.signature import Access, sign

NAME = "media"
ACCESS = ("GKstandin", "the-secret")
KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")


@dataclass(frozen=True)
class Kept:
    """An object as the server keeps it."""

    body: bytes
    etag: str
    modified: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """An object that comes in pieces, by their numbers."""

    headers: dict[str, str]
    pieces: dict[int, bytes] = field(default_factory=dict)


class Storage:
    """The server; `asked` notes every request, `answers` replaces the answer to requests that start like that."""

    def __init__(self, page: int = 1000) -> None:
        self.objects: dict[str, Kept] = {}
        self.uploads: dict[str, Upload] = {}
        self.asked: list[str] = []
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.meanwhile: Callable[[str], None] = lambda request: None
        self.page = page
        self.order: Callable[[list[str]], list[str]] = sorted
        self.lock = threading.Lock()
        self._moment = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"storage": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def access(self) -> Access:
        return Access(self.address, "garage", *ACCESS)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, key: str, body: bytes, *, etag: str = "", **headers: str) -> None:
        """Writes an object; underscores of the headers' names stand for hyphens."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.keep(key, body, etag or hashlib.md5(body).hexdigest(), names)

    def keep(self, key: str, body: bytes, etag: str, headers: dict[str, str]) -> None:
        with self.lock:
            self._moment += 1
            modified = f"2026-11-27T10:{self._moment // 60:02}:{self._moment % 60:02}.000Z"
            self.objects[key] = Kept(body, etag, modified, headers)

    def contents(self) -> dict[str, tuple[bytes, dict[str, str]]]:
        """All that must be the same after a restore."""
        return {key: (kept.body, kept.headers) for key, kept in self.objects.items()}

    def count(self, verb: str) -> int:
        """How many requests of that kind there were since the last count."""
        found = sum(request.startswith(verb) for request in self.asked)
        self.asked = [request for request in self.asked if not request.startswith(verb)]
        return found

    def listing(self, query: dict[str, str]) -> bytes:
        keys = [key for key in self.order(list(self.objects)) if key > query.get("start-after", "")]
        start = int(query.get("continuation-token", "0 ").split()[0])
        most = min(self.page, int(query["max-keys"]))
        shown, is_cut = keys[start : start + most], len(keys) > start + most
        told = "".join(self._told(key) for key in shown)
        more = f"<NextContinuationToken>{start + most} +/=</NextContinuationToken>" if is_cut else ""
        whole = f"<EncodingType>url</EncodingType><IsTruncated>{str(is_cut).lower()}</IsTruncated>{more}{told}"
        return f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{whole}</ListBucketResult>'.encode()

    def _told(self, key: str) -> str:
        kept = self.objects[key]
        size = f"<Size>{len(kept.body)}</Size><ETag>&quot;{kept.etag}&quot;</ETag>"
        modified = f"<LastModified>{kept.modified}</LastModified>"
        return f"<Contents><Key>{quote_plus(key, safe='/')}</Key>{size}{modified}</Contents>"


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    storage: Storage
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.storage.asked.append(f"{self.command} {self.path}")
        self.storage.meanwhile(f"{self.command} {self.path}")
        prepared = next((kept for start, kept in self.storage.answers.items()
                         if kept and f"{self.command} {self.path}".startswith(start)), None)  # fmt: skip
        if prepared:
            self._answer(*prepared.pop(0))
        elif not self._is_signed(body):
            self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        else:
            self._do(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _is_signed(self, body: bytes) -> bool:
        said = self.headers["authorization"]
        names = said.split("SignedHeaders=")[1].split(",")[0].split(";")
        headers = {name: self.headers[name] for name in names}
        access = Access(self.storage.address, "garage", *ACCESS)
        digest = hashlib.sha256(body).hexdigest()
        is_whole = digest == self.headers["x-amz-content-sha256"]
        return is_whole and said == sign(access, f"{self.command} {self.path}", headers, digest)

    def _do(self, body: bytes) -> None:
        where = urlsplit(self.path)
        _, bucket, *rest = unquote(where.path).split("/", 2)
        query = dict(parse_qsl(where.query, keep_blank_values=True))
        if bucket != NAME:
            return self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        if not rest:
            return self._answer(200, self._delete_all(body) if "delete" in query else self.storage.listing(query))
        if "uploadId" in query or "uploads" in query:
            return self._piece(rest[0], query, body)
        return getattr(self, f"_{self.command.lower()}")(rest[0], body)

    def _get(self, key: str, _: bytes) -> None:
        kept = self.storage.objects.get(key)
        if kept is None:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if part:
            return self._answer(206, kept.body[int(part[1]) : int(part[2]) + 1], etag=f'"{kept.etag}"')
        return self._answer(200, kept.body, etag=f'"{kept.etag}"', **kept.headers)

    _head = _get

    def _put(self, key: str, body: bytes) -> None:
        etag = hashlib.md5(body).hexdigest()
        self.storage.keep(key, body, etag, self._own_headers())
        self._answer(200, b"", etag=f'"{etag}"')

    def _own_headers(self) -> dict[str, str]:
        sent = {name.lower(): value for name, value in self.headers.items()}
        return {name: value for name, value in sent.items() if name in KEPT or name.startswith("x-amz-meta-")}

    def _delete(self, key: str, _: bytes) -> None:
        self.storage.objects.pop(key, None)
        self._answer(204, b"")

    def _delete_all(self, body: bytes) -> bytes:
        for key in ElementTree.fromstring(body).findall("Object/Key"):
            self.storage.objects.pop(key.text or "", None)
        return b"<DeleteResult/>"

    def _piece(self, key: str, query: dict[str, str], body: bytes) -> None:
        uploads = self.storage.uploads
        if "uploads" in query:
            id = f"{len(uploads)}/{key}+"
            uploads[id] = Upload(self._own_headers())
            return self._answer(200, f"<R><UploadId>{id}</UploadId></R>".encode())
        upload = uploads[query["uploadId"]]
        if self.command == "PUT":
            upload.pieces[int(query["partNumber"])] = body
            return self._answer(200, b"", etag=f'"{hashlib.md5(body).hexdigest()}"')
        del uploads[query["uploadId"]]
        if self.command == "DELETE":
            return self._answer(204, b"")
        told = [int(part.text or "") for part in ElementTree.fromstring(body).findall("Part/PartNumber")]
        whole = b"".join(upload.pieces[number] for number in told)
        etag = f"{hashlib.md5(whole).hexdigest()}-{len(told)}"
        self.storage.keep(key, whole, etag, upload.headers)
        done = f'<CompleteMultipartUploadResult><ETag>"{etag}"</ETag></CompleteMultipartUploadResult>'
        return self._answer(200, done.encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        length = headers.pop("content-length", str(len(body)))
        for name, value in {**headers, "content-length": length}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.close_connection = length != str(len(body))

    def log_message(self, *_: Any) -> None:
        pass
