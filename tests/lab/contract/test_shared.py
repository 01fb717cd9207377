"""What the contract images share: variables, passwords, signed values, the small server, buckets."""

import ast
import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder

from fedikit_lab.contract import shared, web
from fedikit_lab.contract.shared import Answer, Application, Bucket, BucketError, Environment, Refused, Request
from tests.lab.contract.conftest import PACKAGE, SECONDS, Program, Stored, free_port

MakeProgram = Callable[..., Program]

PACKAGES = {"psycopg2", "pymysql", "redis", "werkzeug"}
TYPES = {"_typeshed"}  # known to type checkers only
COPIED = {"fedikit.agent.signature", "fedikit.model.strength"}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_programs_import_only_what_an_image_has(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert {name.partition(".")[0] for name in names - COPIED} <= set(sys.stdlib_module_names) | PACKAGES | TYPES
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
    whole = body + content + b"\r\n--X--\r\n"
    request = make_request(whole, {"Content-Type": 'multipart/form-data; boundary="X"'})
    assert request.fields() == {"text": "hello"}
    assert request.files() == {"file": shared.Upload("a.png", "image/png", content)}
    assert request.body == whole


def test_a_large_file_needs_no_place_to_be_kept_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    content = bytes(2_000_000)
    body = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + content + b"\r\n--X--\r\n"
    request = make_request(body, {"Content-Type": "multipart/form-data; boundary=X"})
    assert request.files()["file"].content == content


def test_a_form_without_a_file_has_none() -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--X--\r\n'
    assert make_request(body, {"Content-Type": "multipart/form-data; boundary=X"}).files() == {}


def test_the_last_of_several_values_counts() -> None:
    request = make_request(b"a=1&a=2&b=", {"Content-Type": "application/x-www-form-urlencoded"})
    assert request.fields() == {"a": "2", "b": ""}


@pytest.mark.parametrize(("body", "value"), [(b'{"a": 1}', {"a": 1}), (b"no json", None), (b"", None)])
def test_json_is_read_whatever_it_is_called(body: bytes, value: object) -> None:
    assert make_request(body, {"Content-Type": "text/plain"}).json() == value


def test_the_host_is_compared_without_its_port() -> None:
    request = make_request(b"", {"Host": "Social.example:8443", "X-Forwarded-For": "198.51.100.1, 192.0.2.7"})
    assert (request.host, request.visitor, request.peer) == ("social.example", "192.0.2.7", "127.0.0.1")


@pytest.mark.parametrize(("said", "is_https"), [("https", True), ("http", False), (None, False)])
def test_the_proxy_says_how_the_visitor_came(said: str | None, is_https: bool) -> None:
    headers = {"X-Forwarded-Proto": said} if said else {}
    assert make_request(b"", headers).is_https is is_https


def test_a_cookie_comes_back_as_it_was_given() -> None:
    name, value = shared.cookie("session", "a--b=1; c", lifetime=0)
    assert name == "Set-Cookie"
    pair, *attributes = value.split("; ")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=0"} <= set(attributes)
    assert make_request(b"", {"Cookie": pair}).cookies == {"session": "a--b=1; c"}


def make_request(body: bytes, headers: dict[str, str]) -> Request:
    place = {"REMOTE_ADDR": "127.0.0.1"}
    made = EnvironBuilder("/", method="POST", data=body, headers=headers, environ_base=place)
    return Request(made.get_environ())


def crash(request: Request) -> Answer:
    raise RuntimeError("a mistake")


def answer_late(request: Request) -> Answer:
    time.sleep(0.6)
    return shared.plain("at last")


@pytest.fixture
def visitor() -> Iterator[http.client.HTTPConnection]:
    """Talks to a server with a few routes."""
    routes = {
        ("GET", "/one/{step}"): lambda request, step: shared.plain(f"one {step}"),
        ("GET", "/one/known"): lambda request: shared.plain("known"),
        ("GET", "/{z}-of/{a}"): lambda request, *steps: shared.plain(" ".join(steps)),
        ("GET", "/all/{steps...}"): lambda request, steps: shared.plain(f"all {steps}"),
        ("POST", "/echo"): lambda request: shared.plain(request.body.decode()),
        ("GET", "/crash"): crash,
        ("GET", "/late"): answer_late,
        ("GET", "/away"): lambda request: shared.redirect("/one/a b"),
    }
    ready = lambda request, answer: answer.having(("X-Seen", request.method))  # noqa: E731
    server = web.server_at(Application(routes, ready=ready, read_seconds=0.5, write_seconds=0.5), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    yield connection
    connection.close()
    server.shutdown()
    thread.join()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/one/a%20b", 200, "one a b"),
        ("/one/known", 200, "known"),
        ("/one/a/b", 404, "Not Found"),
        ("/one/", 404, "Not Found"),
        ("/one//a", 404, "Not Found"),
        ("/some-of/these", 200, "some these"),
        ("/all/a/b", 200, "all a/b"),
        ("/echo", 404, "Not Found"),
        ("/crash", 500, "Internal Server Error"),
    ],
)
def test_a_path_finds_its_route(visitor: http.client.HTTPConnection, path: str, status: int, text: str) -> None:
    visitor.request("GET", path)
    response = visitor.getresponse()
    assert (response.status, response.read().decode()) == (status, text)


def test_head_is_answered_without_a_body(visitor: http.client.HTTPConnection) -> None:
    visitor.request("HEAD", "/one/known")
    response = visitor.getresponse()
    assert (response.status, response.headers["Content-Length"], response.headers["X-Seen"]) == (200, "5", "HEAD")
    assert response.read() == b""


def test_a_way_elsewhere_stays_as_short_as_it_was(visitor: http.client.HTTPConnection) -> None:
    visitor.request("GET", "/away")
    response = visitor.getresponse()
    assert (response.status, response.headers["Location"]) == (302, "/one/a%20b")
    assert response.headers["Server"].startswith("contract")


def test_a_body_in_chunks_is_read(visitor: http.client.HTTPConnection) -> None:
    for _ in range(2):
        visitor.request(
            "POST", "/echo", iter([b"one ", b"two"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        assert visitor.getresponse().read() == b"one two"


@pytest.mark.parametrize("encoding", [{"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}])
def test_a_visitor_that_takes_too_long_is_hung_up_on(
    visitor: http.client.HTTPConnection, encoding: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """It is never silent for long."""
    visitor.putrequest("POST", "/echo")
    for name, value in encoding.items():
        visitor.putheader(name, value)
    visitor.endheaders()
    with pytest.raises(ConnectionError):
        trickle(visitor)
    assert not capfd.readouterr().err, "it is nothing to speak of"


def trickle(visitor: http.client.HTTPConnection) -> None:
    """Sends a little, again and again, for longer than anybody should wait."""
    for _ in range(50):
        visitor.send(b"1\r\n-\r\n")
        time.sleep(0.1)


def test_an_answer_that_comes_too_late_is_not_sent(
    visitor: http.client.HTTPConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor.request("GET", "/late")
    with pytest.raises(http.client.RemoteDisconnected):
        visitor.getresponse()
    assert not capfd.readouterr().err, "it is nothing to speak of"


PROGRAM = """\
import signal
from contract.shared import Application, plain, serve
serve(Application({{("GET", "/"): lambda request: plain("yes")}}), "127.0.0.1", {port}, {stop})
"""


@pytest.mark.parametrize(("stop", "ends"), [("", True), ("stop=(signal.SIGINT,)", False)])
def test_a_server_ends_by_the_signals_that_it_heeds(make_program: MakeProgram, stop: str, ends: bool) -> None:
    program = make_program({}, "/", {})
    (program.directory / "probe.py").write_text(PROGRAM.format(port=(port := free_port()), stop=stop))
    command = [sys.executable, "probe.py"]
    with subprocess.Popen(command, cwd=program.directory, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"Listening on http://127.0.0.1:{port}\n"
        process.terminate()
        assert process.wait(SECONDS) == (0 if ends else -signal.SIGTERM)


def test_a_page_says_what_it_stands_for() -> None:
    drawn = shared.page("<title>", "<main></main>", stands_for="Mastodon")
    assert "Contract image: stands in for Mastodon in the lab" in drawn
    assert "<title>&lt;title&gt;</title>" in drawn
