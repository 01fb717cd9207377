"""A bucket: its objects in the order of their keys, each with what its server says of it."""

import http.client
import ssl
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus, urlencode, urlsplit
from xml.etree import ElementTree

from fedikit.agent.signature import Access, signed_headers

from .trouble import Trouble
from .wire import PIECE, Wire

SECONDS = 120
ATTEMPTS = 3
TOLD = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language")
OWN = "x-amz-meta-"


class Listed(NamedTuple):
    """An object as the bucket lists it."""

    key: str
    size: int
    etag: str


class Part:
    """One bucket, opened by its application's key."""

    def __init__(self, spec: dict[str, Any], secrets: dict[str, str], after: str) -> None:
        self._bucket: str = spec["bucket"]
        self._access = Access(spec["endpoint"], spec["region"], spec["key_id"], secrets["bucket-secret"])
        self._left_out = tuple(spec.get("leave_out", ()))
        self._after = after
        self._line: http.client.HTTPConnection | None = None

    def measure(self) -> int:
        """The bytes of its objects."""
        return sum(listed.size for listed in self._all())

    def stream(self, wire: Wire) -> dict[str, Any]:
        count = 0
        for listed in self._all():
            count += self._send(listed, wire)
        return {"counts": {"objects": count}, "version": ""}

    def _all(self) -> Iterator[Listed]:
        """All objects after a key."""
        after = self._after
        while True:
            query = {"encoding-type": "url", "list-type": "2", "max-keys": "1000"}
            query |= {"start-after": after} if after else {}
            answer = self._ask(f"/{self._bucket}?{urlencode(sorted(query.items()), quote_via=quote, safe='-_.~')}")
            page = ElementTree.fromstring(answer.read())  # noqa: S314  # the server that the application trusts
            listed = [_listed(found) for found in page.findall("{*}Contents")]
            yield from (one for one in listed if not one.key.startswith(self._left_out))
            if page.findtext("{*}IsTruncated") != "true" or not listed:
                return
            if listed[-1].key == after:
                raise Trouble(f"the list of bucket {self._bucket} does not go on after {after}")
            after = listed[-1].key

    def _send(self, listed: Listed, wire: Wire) -> int:
        """One object; none if it is gone meanwhile."""
        answer = self._ask(f"/{self._bucket}/{quote(listed.key, safe='/~')}", or_gone=True)
        if answer is None:
            return 0
        size = int(answer.headers.get("content-length") or 0)
        wire.tell(b"o", {"key": listed.key, "size": size, "etag": listed.etag, **_known(answer)})
        left = size
        while left and (piece := answer.read(min(PIECE, left))):
            wire.data(piece)
            left -= len(piece)
        if left:
            raise Trouble(f"the object {listed.key} of bucket {self._bucket} broke off", hint="do the same again")
        answer.read()
        wire.tell(b"e", {})
        return 1

    def _ask(self, target: str, *, or_gone: bool = False) -> Any:
        """What the server answers; tried again where it only hung up."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._exchange(target)
            except (OSError, http.client.HTTPException) as error:
                self._line = None
                if attempt == ATTEMPTS:
                    words = str(error) or type(error).__name__
                    raise Trouble(f"S3 does not answer at {self._access.address}: {words}") from error
                time.sleep(attempt)
                continue
            if answer.status == 200:
                return answer
            body = answer.read().decode(errors="replace")
            if or_gone and answer.status == 404:
                return None
            if answer.status < 500 or attempt == ATTEMPTS:
                raise Trouble(
                    f"S3 at {self._access.address} refuses bucket {self._bucket} with HTTP status {answer.status}",
                    tail=body[:1000],
                )
            time.sleep(attempt)
        return None

    def _exchange(self, target: str) -> http.client.HTTPResponse:
        line = self._line = self._line or self._dial()
        line.request("GET", target, headers=signed_headers(self._access, f"GET {target}", b""))
        return line.getresponse()

    def _dial(self) -> http.client.HTTPConnection:
        place = urlsplit(self._access.address)
        if place.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(place.hostname or "", place.port, timeout=SECONDS, context=context)
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)


def _listed(found: ElementTree.Element) -> Listed:
    def text(name: str) -> str:
        return found.findtext(f"{{*}}{name}") or ""

    return Listed(unquote_plus(text("Key")), int(text("Size") or 0), text("ETag").strip('"'))


def _known(answer: http.client.HTTPResponse) -> dict[str, Any]:
    """What an object is sent with to whoever asks for it."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    own = {name.removeprefix(OWN): value for name, value in headers.items() if name.startswith(OWN)}
    return {"headers": {name: headers[name] for name in TOLD if name in headers}, "metadata": own}
