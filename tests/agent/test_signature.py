"""Signatures as the AWS documentation has them ("Signature Calculations for the Authorization Header"), and botocore.

Whatever signs requests for S3 does it by these functions: the agent, the checks, the programs of contract images.
"""

import hashlib
import time

import pytest

from fedikit.agent.signature import Access, sign, signed_headers

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
    ("address", "request_line", "headers", "body", "signature"),
    [
        (
            "https://media.s3.example.org", "GET /media/a/b%20c~d%2Be.png", {"range": "bytes=0-9"}, b"",
            "9da91ebc94e96c9ad010f28a4ddaa2c5858ddac7bb77a26828d8e4e112105ea6",
        ),
        (
            "http://127.0.0.1:3900", "GET /media?encoding-type=url&list-type=2&max-keys=1000", {}, b"",
            "73cde5f42135339131bcdbae5596105c19182f532ee8267f1243eb0b976642a1",
        ),
        (
            "http://[fd00::1]:3900", "PUT /media/%C3%BCber.png",
            {"content-type": "image/png", "x-amz-acl": "public-read"}, b"\x89PNG",
            "9ed4ca634b76ba733b6f3c017e4161de61e099499b396ba16dc0a444bfd1bed3",
        ),
        (
            "http://127.0.0.1:3900", "POST /media?delete=", {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, b"<Delete/>",
            "df2d7b41aca3b65c5fc1856f2d55f4f812027af14a808a48e991d9ac23aa68c7",
        ),
        (
            "http://127.0.0.1:3900", "DELETE /media/a//b", {"x-amz-meta-title": "  many   spaces "}, b"",
            "cac2574451b18632baf1bbd31a2e6103fa4c64109f024e3e06238b000feba292",
        ),
    ],
)  # fmt: skip
def test_a_signature_is_the_one_that_botocore_made(
    address: str,
    request_line: str,
    headers: dict[str, str],
    body: bytes,
    signature: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Botocore 1.44.8 signed the same requests at that moment, by its S3SigV4Auth."""
    moment = time.strptime("2026-11-27 04:05:06", "%Y-%m-%d %H:%M:%S")
    monkeypatch.setattr("fedikit.agent.signature.time.gmtime", lambda: moment)
    access = Access(address, "garage", "GK31c2f218a2e44f485b94239e", "secret/with+signs")
    assert signed_headers(access, request_line, body, headers)["Authorization"].endswith(f",Signature={signature}")
