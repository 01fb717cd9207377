"""An S3 bucket as an application uses it: objects are put, read and deleted, with requests signed as version 4 says."""

import hashlib
import hmac
import http.client
import re
import urllib.parse
from dataclasses import dataclass, field
from datetime import UTC, datetime

_SECONDS = 10
_EMPTY = hashlib.sha256(b"").hexdigest()


class BucketError(Exception):
    """What the object storage answered instead of doing what it was asked."""

    def __init__(self, act: str, status: int, answer: str) -> None:
        code = re.search(r"<Code>([^<]*)</Code>", answer)
        message = re.search(r"<Message>([^<]*)</Message>", answer)
        words = ": ".join(found[1] for found in (code, message) if found) or answer[:200]
        super().__init__(f"{act}: {status} {words}")
        self.status = status
        region = re.search(r"<Region>([^<]*)</Region>", answer)
        self.region = region[1] if region else ""


@dataclass(frozen=True)
class Bucket:
    """One bucket; the endpoint has its scheme, and the region must be the one that the storage was set up with."""

    endpoint: str
    region: str
    name: str
    key_id: str
    secret: str = field(repr=False)
    path_style: bool = True

    def put(self, key: str, content: bytes, kind: str, *, acl: str = "") -> None:
        """Stores an object with its media type; the ACL header is sent only when there is one to send."""
        headers = {"content-type": kind, **({"x-amz-acl": acl} if acl else {})}
        self._ask("PUT", key, content, headers)

    def get(self, key: str) -> bytes:
        """The content of an object."""
        return self._ask("GET", key)

    def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is deleted."""
        self._ask("DELETE", key)

    def _ask(self, method: str, key: str, content: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        url = urllib.parse.urlsplit(self.endpoint)
        host = url.netloc if self.path_style else f"{self.name}.{url.netloc}"
        path = url.path.rstrip("/") + (f"/{self.name}/{key}" if self.path_style else f"/{key}")
        path = urllib.parse.quote(path, safe="/-_.~")
        act = f"{method} {self.endpoint} bucket {self.name} {key}"
        signed = self.signed(method, path, {"host": host, **(headers or {})}, content, moment=datetime.now(UTC))
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(host, timeout=_SECONDS)
        try:
            connection.request(method, path, content, signed)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise BucketError(act, 0, f"no answer: {error}") from error
        finally:
            connection.close()
        if response.status >= http.client.MULTIPLE_CHOICES:
            raise BucketError(act, response.status, body.decode(errors="replace"))
        return body

    def signed(
        self, method: str, path: str, headers: dict[str, str], content: bytes, *, moment: datetime
    ) -> dict[str, str]:
        """The headers with the signature, as the S3 protocol wants it: request, scope, day key, signature."""
        stamp = moment.strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(content).hexdigest() if content else _EMPTY
        headers = dict(sorted({**headers, "x-amz-content-sha256": digest, "x-amz-date": stamp}.items()))
        names = ";".join(headers)
        lines = [method, path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, digest]
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = f"AWS4{self.secret}".encode()
        for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}"]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        credential = f"AWS4-HMAC-SHA256 Credential={self.key_id}/{scope}"
        return {**headers, "authorization": f"{credential}, SignedHeaders={names}, Signature={key.hex()}"}
