"""As much of S3 as it takes to empty a bucket: list, delete, and Signature Version 4 of the AWS documentation."""

import hashlib
import hmac
import re
import time
from typing import NamedTuple

from .exchange import Answer, Place, ask
from .trouble import Trouble

Headers = dict[str, str]
ANSWER_SECONDS = 300
BATCH = 1000
"""What one request may delete."""
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r")
"""What XML cannot carry, or not unchanged."""


class Access(NamedTuple):
    """Where a server is, and the key that opens it."""

    address: str
    region: str
    id: str
    secret: str


def sign(access: Access, request: str, headers: Headers, payload: str) -> str:
    """The Authorization header of a request such as `GET /bucket?list-type=2`, its query sorted and escaped.

    `headers` holds all that are to be signed, among them host and x-amz-date; `payload` is the body's SHA-256 in hex.
    """
    verb, target = request.split(" ", 1)
    path, _, query = target.partition("?")
    lowered = sorted((name.lower(), value.strip()) for name, value in headers.items())
    names = ";".join(name for name, _ in lowered)
    lines = [verb, path, query, *(f"{name}:{value}" for name, value in lowered), "", names, payload]
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{access.region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{access.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}".encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={access.id}/{scope},SignedHeaders={names},Signature={signature}"


def signed_headers(access: Access, request: str, body: bytes, headers: Headers | None = None) -> Headers:
    """The headers that a request such as `PUT /bucket/key` is sent with: these, what S3 asks for, and the signature."""
    payload = hashlib.sha256(body).hexdigest()
    signed = {
        **(headers or {}),
        "host": Place.of(access.address).written,
        "x-amz-content-sha256": payload,
        "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
    }
    return {**signed, "Authorization": sign(access, request, signed, payload)}


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
