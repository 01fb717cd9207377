"""As much of S3 as it takes to empty a bucket: list, and delete."""

import hashlib
import re

from .exchange import Answer, ask
from .signature import Access, Headers, signed_headers
from .trouble import Trouble

ANSWER_SECONDS = 300
BATCH = 1000
"""What one request may delete."""
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r")
"""What XML cannot carry, or not unchanged."""


def empty(access: Access, bucket: str) -> int:
    """Deletes all objects of a bucket; returns how many. Trouble if some do not go."""
    deleted = 0
    before: list[str] = []
    while keys := list_keys(access, bucket):
        if keys == before:
            raise Trouble(f"the objects of bucket {bucket} cannot be deleted, {keys[0]} is one of them")
        _delete(access, bucket, [key for key in keys if not NO_XML.search(key)])
        for key in filter(NO_XML.search, keys):
            _call(access, f"DELETE /{bucket}/{_escaped(key)}")
        deleted += len(keys)
        before = keys
    return deleted


def list_keys(access: Access, bucket: str) -> list[str]:
    """The keys of the first objects of a bucket, a batch at most."""
    from urllib.parse import unquote_plus  # slow, and needed for removal only
    from xml.etree import ElementTree

    query = f"encoding-type=url&list-type=2&max-keys={BATCH}"
    listing = ElementTree.fromstring(_call(access, f"GET /{bucket}?{query}").body)  # noqa: S314 - our own Garage
    return [unquote_plus(found.text or "") for found in listing.findall("{*}Contents/{*}Key")]


def _delete(access: Access, bucket: str, keys: list[str]) -> None:
    from base64 import b64encode  # needed for removal only
    from xml.sax.saxutils import escape

    if keys:
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        checksum = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        _call(access, f"POST /{bucket}?delete=", body, {"content-md5": checksum})


def _escaped(key: str) -> str:
    from urllib.parse import quote  # slow, and needed for removal only

    return quote(key, safe="/~")


def _call(access: Access, request: str, body: bytes = b"", headers: Headers | None = None) -> Answer:
    sent = signed_headers(access, request, body, headers)
    what = request.split("?")[0]
    try:
        answer = ask(access.address, request, headers=sent, body=body, seconds=ANSWER_SECONDS)
    except OSError as error:
        raise Trouble(
            f"S3 does not answer at {access.address}: {error.strerror or error}",
            hint="the bucket's objects are deleted over S3: see whether it answers there",
        ) from error
    if answer.status >= 300:
        raise Trouble(f"S3 at {access.address} refuses {what} with HTTP status {answer.status}", tail=_said(answer))
    return answer


def _said(answer: Answer) -> str:
    return answer.body.decode(errors="replace")[:1000]
