"""Signatures as the AWS documentation has them: "Signature Calculations for the Authorization Header"."""

import hashlib

import pytest

from fedikit.agent.exchange import Place
from fedikit.agent.s3 import Access, sign

EXAMPLE = Access(
    "https://examplebucket.s3.amazonaws.com", "us-east-1",
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)  # fmt: skip
PUT = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "signature"),
    [
        (
            "GET /test.txt", {"range": "bytes=0-9"}, b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT /test%24file.text", PUT, b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET /?lifecycle=", {}, b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET /?max-keys=2&prefix=J", {}, b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)  # fmt: skip
def test_a_signature_is_the_published_one(
    request_line: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    payload = hashlib.sha256(body).hexdigest()
    signed = {
        **headers,
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": payload,
        "x-amz-date": "20130524T000000Z",
    }
    header = sign(EXAMPLE, request_line, signed, payload)
    assert header.endswith(f",Signature={signature}")
    assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," in header


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://127.0.0.1:3900", (False, "127.0.0.1", 3900, "127.0.0.1:3900")),
        ("http://[fd00::1]:3900", (False, "fd00::1", 3900, "[fd00::1]:3900")),
        ("https://s3.example.org", (True, "s3.example.org", 443, "s3.example.org")),
    ],
)
def test_an_address_says_where_a_server_is(address: str, place: tuple[bool, str, int, str]) -> None:
    assert Place.of(address) == place
