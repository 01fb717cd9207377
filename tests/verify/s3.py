"""A strict stand-in for S3: it believes no request whose signature it cannot make itself from what arrived."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fedikit.agent.signature import Access, sign


class S3StandIn(ThreadingHTTPServer):
    """Keeps the objects of one bucket in memory. `refuses` answers a verb with a status and a code of its own."""

    daemon_threads = True

    def __init__(self, bucket: str, region: str, keys: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bucket = bucket
        self.region = region
        self.keys = keys
        self.objects: dict[str, bytes] = {}
        self.refuses: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []
        self.is_silent = threading.Event()
        self.leave = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: S3StandIn

    def do_PUT(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(self.command)
        if self.server.is_silent.is_set():
            self.server.leave.wait(20)
        status, code = self.server.refuses.get(self.command) or self._judged(body)
        if code:
            self._say(status, f"<Error><Code>{code}</Code><Message>{self.headers['Authorization']}</Message></Error>")
        else:
            self._do(body)

    def _judged(self, body: bytes) -> tuple[int, str]:
        """Which error there is, if any: the signature is made anew of the very words of the request."""
        said = self.headers.get("Authorization", "")
        key_id = said.partition("Credential=")[2].partition("/")[0]
        if key_id not in self.server.keys:
            return 403, "AccessDenied"
        if self.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return 400, "XAmzContentSHA256Mismatch"
        names = said.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            return 403, "AccessDenied"
        signed = {name: self.headers[name] for name in names}
        access = Access(self.server.address, self.server.region, key_id, self.server.keys[key_id])
        own = sign(access, f"{self.command} {self.path}", signed, hashlib.sha256(body).hexdigest())
        if signed["host"] != f"127.0.0.1:{self.server.server_port}" or own != said:
            return 403, "SignatureDoesNotMatch"
        bucket, key = self.path.lstrip("/").split("/", 1)
        if bucket != self.server.bucket:
            return 404, "NoSuchBucket"
        return (404, "NoSuchKey") if self.command == "GET" and key not in self.server.objects else (200, "")

    def _do(self, body: bytes) -> None:
        key = self.path.lstrip("/").split("/", 1)[1]
        if self.command == "PUT":
            self.server.objects[key] = body
        elif self.command == "DELETE":
            self.server.objects.pop(key, None)
        found = self.server.objects[key] if self.command == "GET" else b""
        self._say(204 if self.command == "DELETE" else 200, found)

    def _say(self, status: int, body: str | bytes) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
