"""The files of GoToSocial's stand-in: what it makes of an upload, and where it keeps it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from .gotosocial_settings import Settings
from .shared import BucketError, Refused

EXTENSIONS = {
    "image/jpeg": ".jpeg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
}
_LOCAL = Path("storage")


class Media:
    """The files of the instance, in its bucket or, if it has none, in a directory."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.bucket

    def demand(self) -> None:
        """Learns the bucket's region, as upstream's S3 client does; refuses to go on without the bucket."""
        if self._bucket is None:
            return
        try:
            self._bucket.get("")
        except BucketError as error:
            if error.region in ("", self._bucket.region):
                raise Refused(f"the bucket of GTS_STORAGE_S3_BUCKET cannot be used: {error}") from error
            self._bucket = dataclasses.replace(self._bucket, region=error.region)
            self.demand()

    def put(self, key: str, content: bytes, kind: str) -> None:
        if self._bucket:
            self._bucket.put(key, content, kind)
        else:
            (_LOCAL / key).parent.mkdir(parents=True, exist_ok=True)
            (_LOCAL / key).write_bytes(content)

    def get(self, key: str) -> bytes:
        return self._bucket.get(key) if self._bucket else (_LOCAL / key).read_bytes()


def thumbnail_extension(kind: str) -> str:
    """Pictures get one that is a JPEG, films one in WebP; here it is the file itself, for nothing draws it smaller."""
    return ".webp" if kind.startswith("video/") else ".jpeg"


def without_exif(content: bytes) -> bytes:
    """A picture without what cameras write into it, as upstream stores it: PNG's chunk eXIf, JPEG's segment Exif."""
    if content.startswith(b"\x89PNG"):
        return _without(content, 8, lambda at: 12 + int.from_bytes(content[at : at + 4]), (4, b"eXIf"))
    if content.startswith(b"\xff\xd8"):
        return _without(content, 2, lambda at: 2 + int.from_bytes(content[at + 2 : at + 4]), (4, b"Exif"))
    return content


def _without(content: bytes, at: int, size: Callable[[int], int], mark: tuple[int, bytes]) -> bytes:
    """Without the parts that bear a mark. What follows something that is not a part is left as it is."""
    kept = content[:at]
    while at + 12 <= len(content) and (content.startswith(b"\x89PNG") or content[at : at + 1] == b"\xff"):
        end = at + size(at)
        if content[at + mark[0] : at + mark[0] + 4] != mark[1]:
            kept += content[at:end]
        at = end
    return kept + content[at:]
