"""Signature Version 4 of the AWS documentation, by which an S3 server knows who asks.

Imports nothing of ours, so that this file runs wherever it is copied.
"""

import hashlib
import hmac
import time
from typing import NamedTuple

Headers = dict[str, str]


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
    lowered = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
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
        "host": access.address.split("://", 1)[1],
        "x-amz-content-sha256": payload,
        "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
    }
    return {**signed, "Authorization": sign(access, request, signed, payload)}
