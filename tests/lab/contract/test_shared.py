"""What the contract images share: variables, passwords, signed values, the small server, buckets."""

import ast
import http.client
import sys
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from fedikit_lab.contract import shared, web
from fedikit_lab.contract.shared import Answer, Application, Bucket, BucketError, Environment, Refused, Request
from tests.lab.contract.conftest import PACKAGE, Stored

DRIVERS = {"psycopg2", "pymysql", "redis"}
COPIED = {"fedikit.agent.signature"}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_programs_import_only_what_an_image_has(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert {name.partition(".")[0] for name in names - COPIED} <= set(sys.stdlib_module_names) | DRIVERS
    assert all(node.level <= 1 for node in nodes if isinstance(node, ast.ImportFrom))


@pytest.mark.parametrize(
    ("value", "form", "refusal"),
    [
        ("", shared.HEX_64, "KEY is not set: it must be 64 hexadecimal digits"),
        ("a" * 63, shared.HEX_64, "KEY has the wrong form: it must be 64 hexadecimal digits"),
        ("A" * 64, shared.HEX_64, "KEY has the wrong form"),
        ('"secret"', shared.ANY, "KEY has quotes around it"),
        ("https://a.example", shared.HOST, "KEY has the wrong form: it must be a bare host name"),
        ("garage:3900", shared.URL, "KEY has the wrong form: it must be an address that begins with http"),
        ("base64:short", shared.BASE64_32, "KEY has the wrong form: it must be base64: and 32 random bytes"),
        ("yes", shared.FLAG, "KEY has the wrong form: it must be true or false"),
    ],
)
def test_a_variable_is_refused_by_its_name_and_never_shown(value: str, form: shared.Form, refusal: str) -> None:
    with pytest.raises(Refused) as caught:
        Environment({"KEY": value}).required("KEY", form)
    assert str(caught.value).startswith(refusal)
    assert not value or value not in str(caught.value)


def test_an_empty_variable_counts_as_none_except_as_it_is() -> None:
    environment = Environment({"EMPTY": ""})
    assert environment.optional("EMPTY", "default") == "default"
    assert (environment.raw("EMPTY"), environment.raw("MISSING")) == ("", None)


def test_a_password_is_known_again_and_no_other() -> None:
    kept = shared.hash_password("correct horse")
    assert shared.is_password("correct horse", kept)
    assert not shared.is_password("wrong horse", kept)
    assert kept != shared.hash_password("correct horse")


@pytest.mark.parametrize("changed", ["admin--{signature}", "user--", "user", ""])
def test_a_signed_value_cannot_be_changed(changed: str) -> None:
    signed = shared.sign("user", "key")
    assert shared.unsign(signed, "key") == "user"
    assert shared.unsign(signed, "other key") is None
    assert shared.unsign(changed.format(signature=signed.partition("--")[2]), "key") is None


@pytest.mark.parametrize("acl", ["", "public-read"])
def test_an_acl_is_sent_only_when_there_is_one(storage: Stored, acl: str) -> None:
    Bucket(storage.endpoint, "garage", "media", "id", "secret").put("a/b c.png", b"picture", "image/png", acl=acl)
    content, headers = storage.objects["/media/a/b%20c.png"]
    assert (content, headers["content-type"]) == (b"picture", "image/png")
    assert headers.get("x-amz-acl") == (acl or None)


def test_storage_that_does_not_answer_is_named() -> None:
    with pytest.raises(BucketError, match=r"PUT http://127\.0\.0\.1:9 bucket media key: 0 no answer"):
        Bucket("http://127.0.0.1:9", "garage", "media", "id", "secret").put("key", b"", "image/png")


def test_a_file_comes_out_of_a_form_byte_for_byte() -> None:
    content = bytes(range(256)) + b"\r\n--other\r\n\r\n"
    body = b'--X\r\nContent-Disposition: form-data; name="text"\r\n\r\nhello\r\n'
    body += b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    request = make_request(body + content + b"\r\n--X--\r\n", {"Content-Type": 'multipart/form-data; boundary="X"'})
    assert request.fields() == {"text": "hello"}
    assert request.files() == {"file": shared.Upload("a.png", "image/png", content)}


def test_the_host_is_compared_without_its_port() -> None:
    request = make_request(b"", {"Host": "Social.example:8443", "X-Forwarded-For": "198.51.100.1, 192.0.2.7"})
    assert (request.host, request.visitor) == ("social.example", "192.0.2.7")


def make_request(body: bytes, headers: dict[str, str]) -> Request:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return Request("POST", "/", {}, message, body, "127.0.0.1")


def crash(request: Request) -> Answer:
    raise RuntimeError("a mistake")


@pytest.fixture
def visitor() -> Iterator[http.client.HTTPConnection]:
    """Talks to a server with a few routes."""
    routes = {
        ("GET", "/one/{step}"): lambda request, step: shared.plain(f"one {step}"),
        ("GET", "/all/{steps...}"): lambda request, steps: shared.plain(f"all {steps}"),
        ("POST", "/echo"): lambda request: shared.plain(request.body.decode()),
        ("GET", "/crash"): crash,
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), web._handler(Application(routes)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    yield connection
    connection.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/one/a%20b", 200, "one a b"),
        ("/one/a/b", 404, "Not Found"),
        ("/all/a/b", 200, "all a/b"),
        ("/crash", 500, "Internal Server Error"),
    ],
)
def test_a_path_finds_its_route(visitor: http.client.HTTPConnection, path: str, status: int, text: str) -> None:
    visitor.request("GET", path)
    response = visitor.getresponse()
    assert (response.status, response.read().decode()) == (status, text)


def test_a_body_in_chunks_is_read_and_the_connection_goes_on(visitor: http.client.HTTPConnection) -> None:
    for _ in range(2):
        visitor.request(
            "POST", "/echo", iter([b"one ", b"two"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        assert visitor.getresponse().read() == b"one two"


def test_a_page_says_what_it_stands_for() -> None:
    drawn = shared.page("<title>", "<main></main>", stands_for="Mastodon")
    assert "Contract image: stands in for Mastodon in the lab" in drawn
    assert "<title>&lt;title&gt;</title>" in drawn
