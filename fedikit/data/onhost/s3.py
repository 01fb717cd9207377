"""A bucket over S3, as far as it takes to read all of it and to make it as it was: any server's, not Garage's alone.

Listings are never trusted to be in order, nor to have an end: both are looked at.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple, Self
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .asking import Answer, Asking, Gone, Incoming
from .signature import Access, Headers
from .trouble import Trouble

PAGE = 1000
"""What one request lists or deletes."""
PIECE_BYTES = 16 * 1024 * 1024
"""What is sent at once; larger objects go up in pieces."""
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")


class Listed(NamedTuple):
    """An object as a listing tells of it; `modified` in the server's own words, `etag` without quotes."""

    key: str
    size: int
    etag: str
    modified: str


class Bucket:
    """A bucket and the key that opens it; requests may be sent from several threads. Close it in the end."""

    def __init__(self, access: Access, name: str) -> None:
        self.access = access
        self.name = name
        self._asking = Asking(access, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asking.close()

    def objects(self, after: str = "") -> Iterator[Listed]:
        """All objects, or those after a key, in the order of their keys, which is looked at; asks page by page."""
        before = after
        for page in self._pages(after):
            for found in page:
                if found.key <= before:
                    words = f"S3 at {self.access.address} lists bucket {self.name} out of order"
                    hint = "the listing cannot be trusted to be whole; see what stands between this host and S3"
                    raise Trouble(f"{words}, {found.key!r} after {before!r}", hint=hint)
                before = found.key
                yield found

    def head(self, key: str) -> Headers:
        """What is kept with an object beside its bytes, as headers; raises Gone."""
        return kept_headers(self._asking.ask("HEAD", key).headers)

    def reading(self, key: str) -> AbstractContextManager[Incoming]:
        """An object's bytes as they come; raises Gone."""
        return self._asking.reading(key)

    def put(self, key: str, body: bytes, headers: Headers) -> str:
        """Writes a small object whole; returns its ETag."""
        return _etag(self._asking.ask("PUT", key, body=body, headers=headers))

    def put_in_pieces(self, key: str, pieces: Iterator[bytes], headers: Headers) -> str:
        """Writes a large object; returns its ETag. What was sent of it is forgotten by the server if it fails."""
        begun = self._asking.ask_for_xml("POST", key, "uploads=", headers=headers)
        upload = f"uploadId={quote(begun.findtext('{*}UploadId') or '', safe='~')}"
        try:
            etags = [
                _etag(self._asking.ask("PUT", key, f"partNumber={number}&{upload}", body=piece))
                for number, piece in enumerate(pieces, start=1)
            ]
            ended = self._asking.ask_for_xml("POST", key, upload, body=_put_together(etags))
        except BaseException:
            with suppress(Trouble):
                self._asking.ask("DELETE", key, upload)
            raise
        if not ended.tag.endswith("CompleteMultipartUploadResult"):  # S3 tells of some failures with HTTP 200
            raise Trouble(f"S3 at {self.access.address} did not put {key!r} together: {ended.findtext('{*}Code')}")
        return (ended.findtext("{*}ETag") or "").strip('"')

    def delete(self, keys: list[str]) -> None:
        """Deletes a page of objects at most; such as are not there are no failure."""
        alone = [key for key in keys if not _fits_xml(key)]
        together = [key for key in keys if _fits_xml(key)]
        if together:
            named = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in together)
            body = f"<Delete><Quiet>true</Quiet>{named}</Delete>".encode()
            checksum = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            answer = self._asking.ask_for_xml("POST", "", "delete=", body=body, headers={"content-md5": checksum})
            left = answer.find("{*}Error")
            if left is not None:
                why = f"{left.findtext('{*}Code')} {left.findtext('{*}Message')}"
                raise Trouble(f"bucket {self.name} keeps {left.findtext('{*}Key')!r}, which was to go: {why}")
        for key in alone:
            with suppress(Gone):
                self._asking.ask("DELETE", key)

    def _pages(self, after: str) -> Iterator[list[Listed]]:
        token, start = "", f"&start-after={quote(after, safe='~')}" if after else ""
        while True:
            follow = f"continuation-token={quote(token, safe='~')}&" if token else ""
            query = f"{follow}encoding-type=url&list-type=2&max-keys={PAGE}{start}"
            listing = self._asking.ask_for_xml("GET", "", query)
            is_encoded = listing.findtext("{*}EncodingType") == "url"
            try:
                yield [_listed(found, is_encoded) for found in listing.findall("{*}Contents")]
            except ValueError as error:
                raise Trouble(
                    f"S3 at {self.access.address} lists bucket {self.name} in a way that nobody knows"
                ) from error
            if listing.findtext("{*}IsTruncated") != "true":
                return
            before, token = token, listing.findtext("{*}NextContinuationToken") or ""
            if token in ("", before):
                raise Trouble(f"S3 at {self.access.address} lists bucket {self.name} without an end")


def kept_headers(headers: Headers) -> Headers:
    """Those of an answer's headers that belong to the object, and that a write of it sends again."""
    return {name: value for name, value in sorted(headers.items()) if name in _KEPT or name.startswith("x-amz-meta-")}


def _put_together(etags: list[str]) -> bytes:
    parts = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>'
        for number, etag in enumerate(etags, start=1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def _listed(found: ElementTree.Element, is_encoded: bool) -> Listed:
    told = {name: found.findtext(f"{{*}}{name}") or "" for name in ("Key", "Size", "ETag", "LastModified")}
    key = unquote_plus(told["Key"], errors="strict") if is_encoded else told["Key"]
    return Listed(key, int(told["Size"]), told["ETag"].strip('"'), told["LastModified"])


def _etag(answer: Answer) -> str:
    return answer.headers.get("etag", "").strip('"')


def _fits_xml(key: str) -> bool:
    return all(
        char in "\t\n" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff" for char in key
    )
