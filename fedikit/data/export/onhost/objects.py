"""A bucket: its objects in the order of their keys, each with what its server says of it."""

from collections.abc import Iterator
from typing import Any

from fedikit.data.onhost.asking import Gone, Incoming
from fedikit.data.onhost.s3 import Bucket, Listed
from fedikit.data.onhost.signature import Access

from .wire import PIECE, Wire

TOLD = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language")
OWN = "x-amz-meta-"


class Part:
    """One bucket, opened by its application's key."""

    def __init__(self, spec: dict[str, Any], secrets: dict[str, str], after: str) -> None:
        access = Access(spec["endpoint"], spec["region"], spec["key_id"], secrets["bucket-secret"])
        self._bucket = Bucket(access, spec["bucket"])
        self._left_out = tuple(spec.get("leave_out", ()))
        self._after = after

    def measure(self) -> int:
        """The bytes of its objects."""
        return sum(listed.size for listed in self._all())

    def stream(self, wire: Wire) -> dict[str, Any]:
        count = sum(self._send(listed, wire) for listed in self._all())
        return {"counts": {"objects": count}, "version": ""}

    def _all(self) -> Iterator[Listed]:
        return (found for found in self._bucket.objects(self._after) if not found.key.startswith(self._left_out))

    def _send(self, listed: Listed, wire: Wire) -> int:
        """One object; none if it is gone meanwhile."""
        try:
            with self._bucket.reading(listed.key) as content:
                size = int(content.headers.get("content-length") or 0)
                wire.tell(b"o", {"key": listed.key, "size": size, "etag": listed.etag, **_known(content)})
                while piece := content.read(PIECE):
                    wire.data(piece)
        except Gone:
            return 0
        wire.tell(b"e", {})
        return 1


def _known(content: Incoming) -> dict[str, Any]:
    """What an object is sent with to whoever asks for it."""
    headers = content.headers
    own = {name.removeprefix(OWN): value for name, value in headers.items() if name.startswith(OWN)}
    return {"headers": {name: headers[name] for name in TOLD if name in headers}, "metadata": own}
