"""An S3 bucket as an application uses it: objects are put, read and deleted, with signed requests."""

import http.client
import re
import urllib.parse
from dataclasses import dataclass, field

from fedikit.agent.signature import Access, signed_headers

_SECONDS = 10


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
        return self._ask("GET", key)[0]

    def get_part(self, key: str, part: str) -> tuple[bytes, str]:
        """What a Range header asks for of an object, and the Content-Range that tells what it is; nothing if all."""
        return self._ask("GET", key, headers={"range": part} if part else {})

    def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is deleted."""
        self._ask("DELETE", key)

    def _ask(
        self, method: str, key: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[bytes, str]:
        url = urllib.parse.urlsplit(self.endpoint)
        host = url.netloc if self.path_style else f"{self.name}.{url.netloc}"
        path = url.path.rstrip("/") + (f"/{self.name}/{key}" if self.path_style else f"/{key}")
        request = f"{method} {urllib.parse.quote(path, safe='/-_.~')}"
        access = Access(f"{url.scheme}://{host}", self.region, self.key_id, self.secret)
        signed = signed_headers(access, request, content, headers)
        return _exchange(access, request, content, signed, act=f"{method} {self.endpoint} bucket {self.name} {key}")


def _exchange(access: Access, request: str, content: bytes, headers: dict[str, str], *, act: str) -> tuple[bytes, str]:
    """What the storage answers, and which part that is; raises BucketError if it does not do what it is asked."""
    method, path = request.split(" ", 1)
    scheme, host = access.address.split("://")
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, timeout=_SECONDS)
    try:
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BucketError(act, 0, f"no answer: {error}") from error
    finally:
        connection.close()
    if response.status >= http.client.MULTIPLE_CHOICES:
        raise BucketError(act, response.status, body.decode(errors="replace"))
    return body, response.getheader("Content-Range", "")
