"""GoToSocial's contract: its variables, its commands, signing in for a token, and a picture from the bucket."""

import http.client
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from fedikit_lab.contract.gotosocial import FILES
from fedikit_lab.contract.gotosocial_settings import read_settings
from fedikit_lab.contract.gotosocial_store import Invalid, check_password
from fedikit_lab.contract.shared import Environment, Refused
from tests.lab.contract.conftest import Program, Stored, ask_postgresql, free_port

HOST = "gotosocial.fediversity.test"
EMAIL = "test@fediversity.test"
PASSWORD, OTHER = "correct horse battery", "another horse battery"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HERE = "urn:ietf:wg:oauth:2.0:oob"
COMPLETE = {
    "GTS_HOST": HOST,
    "GTS_BIND_ADDRESS": "127.0.0.1",
    "GTS_TRUSTED_PROXIES": "127.0.0.1/32",
    "GTS_LETSENCRYPT_ENABLED": "false",
    "GTS_MEDIA_LOCAL_MAX_SIZE": "1MiB",
    "GTS_DB_TYPE": "postgres",
    "GTS_DB_ADDRESS": "127.0.0.1",
    "GTS_DB_PORT": "9",
    "GTS_DB_DATABASE": "gotosocial",
    "GTS_DB_USER": "gotosocial",
    "GTS_DB_PASSWORD": "database-password",
    "GTS_DB_TLS_MODE": "disable",
    "GTS_STORAGE_BACKEND": "s3",
    "GTS_STORAGE_S3_ENDPOINT": "127.0.0.1:9",
    "GTS_STORAGE_S3_USE_SSL": "false",
    "GTS_STORAGE_S3_BUCKET": "gotosocial",
    "GTS_STORAGE_S3_BUCKET_LOOKUP": "path",
    "GTS_STORAGE_S3_ACCESS_KEY": "GK000000000000000000000000",
    "GTS_STORAGE_S3_SECRET_KEY": "bucket-password",
    "GTS_STORAGE_S3_PROXY": "true",
    "GTS_SMTP_HOST": "",
}
WRONG = [
    ("GTS_HOST", ""),
    ("GTS_HOST", f"https://{HOST}"),
    ("GTS_ACCOUNT_DOMAIN", "elsewhere.test"),
    ("GTS_PROTOCOL", "gopher"),
    ("GTS_PORT", "http"),
    ("GTS_TRUSTED_PROXIES", '["127.0.0.1"]'),
    ("GTS_LETSENCRYPT_ENABLED", "no"),
    ("GTS_MEDIA_LOCAL_MAX_SIZE", "much"),
    ("GTS_DB_TYPE", "mysql"),
    ("GTS_DB_ADDRESS", ""),
    ("GTS_DB_PASSWORD", ""),
    ("GTS_DB_PASSWORD", '"quoted password"'),
    ("GTS_DB_TLS_MODE", "prefer"),
    ("GTS_STORAGE_BACKEND", "minio"),
    ("GTS_STORAGE_S3_ENDPOINT", "http://127.0.0.1:9"),
    ("GTS_STORAGE_S3_BUCKET", ""),
    ("GTS_STORAGE_S3_BUCKET_LOOKUP", "virtual"),
    ("GTS_STORAGE_S3_SECRET_KEY", ""),
]
MakeProgram = Callable[..., Program]


@dataclass
class Client:
    """A browser or a program that asks the instance through the proxy in front of it."""

    port: int
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, bytes]:
        """Status, where a redirect leads, and the body."""
        sent = {"Host": HOST, "X-Forwarded-Proto": "https", "User-Agent": "test"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers.get("Location", ""), text

    def send(self, method: str, path: str, form: dict[str, str]) -> tuple[int, str, bytes]:
        body = urllib.parse.urlencode(form).encode()
        return self.ask(method, path, body, Content_Type="application/x-www-form-urlencoded")

    def told(self, path: str) -> Any:
        status, _, text = self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)

    def sign_in(self, password: str, *, email: str = EMAIL) -> int:
        """The status of the form's answer; with the right password, this client bears a token from then on."""
        asked = {"client_name": "test", "redirect_uris": HERE, "scopes": "read write"}
        app = json.loads(self.send("POST", "/api/v1/apps", asked)[2])
        client = {"client_id": app["client_id"], "redirect_uri": HERE}
        begun = urllib.parse.urlencode({**client, "response_type": "code", "scope": "read write"})
        assert self.ask("GET", f"/oauth/authorize?{begun}")[:2] == (303, "/auth/sign_in")
        status, place, _ = self.send("POST", "/auth/sign_in", {"username": email, "password": password})
        if status == 302:
            assert b"would like to perform actions" in self.ask("GET", place)[2]
            place = self.ask("POST", place)[1]
            code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(place).query))["code"]
            form = {**client, "client_secret": app["client_secret"], "grant_type": "authorization_code", "code": code}
            self.token = json.loads(self.send("POST", "/oauth/token", form)[2])["access_token"]
            assert self.send("POST", "/oauth/token", form)[0] == 401, "a code is good for one token"
        return status


@pytest.fixture
def gotosocial(database: dict[str, str], storage: Stored, debian_python: str, make_program: MakeProgram) -> Program:
    """An instance before its first start."""
    places = {
        "GTS_DB_PORT": database["port"],
        "GTS_DB_DATABASE": database["dbname"],
        "GTS_DB_USER": database["user"],
        "GTS_DB_PASSWORD": database["password"],
        "GTS_STORAGE_S3_ENDPOINT": storage.endpoint.removeprefix("http://"),
    }
    return make_program(FILES, "/gotosocial", {**COMPLETE, **places}, python=debian_python)


@pytest.fixture
def client(gotosocial: Program) -> Client:
    """A client of the started instance, where there is one user."""
    client = start(gotosocial)
    assert account(gotosocial, "create", email=EMAIL, password=PASSWORD) == (0, "")
    return client


def start(program: Program) -> Client:
    port = free_port()
    says = f"Listening on http://127.0.0.1:{port}"
    program.start("gotosocial", "server", "start", says=says, GTS_PORT=str(port))
    return Client(port)


def account(program: Program, command: str, **options: str) -> tuple[int, str]:
    """Exit status and complaint of an `admin account` command for the user."""
    words = [word for name, value in {"username": "test", **options}.items() for word in (f"--{name}", value)]
    done = program.run("gotosocial", "admin", "account", command, *words)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_variable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as refusal:
        read_settings(Environment({**COMPLETE, name: value}))
    assert len(value) < 8 or value not in str(refusal.value)


def test_complete_variables_are_taken() -> None:
    settings = read_settings(Environment(COMPLETE))
    assert settings.bucket
    assert (settings.bucket.endpoint, settings.bucket.path_style) == ("http://127.0.0.1:9", True)
    assert (settings.url, settings.media_bytes) == (f"https://{HOST}", 2**20)


def test_a_refusal_is_one_line_and_an_exit_status(make_program: MakeProgram) -> None:
    done = make_program(FILES, "/gotosocial", COMPLETE).run("gotosocial", "server", "start", GTS_HOST="")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_a_password_must_be_hard_to_guess_and_not_too_long() -> None:
    check_password(PASSWORD)
    for wrong in ("", "password", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Ab1!" * 19):
        with pytest.raises(Invalid, match="password"):
            check_password(wrong)


def test_an_account_is_made_only_when_the_server_has_run(gotosocial: Program) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD}
    status, complaint = account(gotosocial, "create", **wanted)
    assert (status, "instance application" in complaint) == (1, True)

    start(gotosocial)

    assert account(gotosocial, "create", **wanted) == (0, "")
    status, complaint = account(gotosocial, "create", **wanted)
    assert (status, "username test is already in use" in complaint) == (1, True)


def test_a_command_without_what_it_needs_says_so(gotosocial: Program) -> None:
    assert account(gotosocial, "create") == (1, 'Error: required flag(s) "email", "password" not set\n')
    status, complaint = account(gotosocial, "promote", username="nobody")
    assert (status, "no rows" in complaint) == (1, True)
    assert gotosocial.run("gotosocial", "admin", "account", "praise").returncode == 1


def test_a_promotion_is_seen_after_a_restart(client: Client, gotosocial: Program) -> None:
    assert client.sign_in(PASSWORD) == 302
    assert client.told("/api/v1/user")["admin"] is False

    assert account(gotosocial, "promote") == (0, "")

    assert client.told("/api/v1/user")["admin"] is False
    again = start(gotosocial)
    again.token = client.token
    assert again.told("/api/v1/user")["admin"] is True
    rows = gotosocial.run("gotosocial", "admin", "account", "list").stdout.splitlines()
    assert [rows[1].split()[place] for place in (0, 2, 3, 6)] == ["test", "yes", "yes", "yes"]


def test_a_wrong_password_is_refused(client: Client) -> None:
    assert client.sign_in(OTHER) == 401
    assert client.sign_in(PASSWORD, email="other@fediversity.test") == 401
    assert client.ask("GET", "/api/v1/user")[0] == 401


def test_a_user_changes_the_password(client: Client) -> None:
    client.sign_in(PASSWORD)
    path, change = "/api/v1/user/password_change", {"old_password": PASSWORD, "new_password": OTHER}

    assert client.send("POST", path, {**change, "old_password": "wrong"})[0] == 401
    assert client.send("POST", path, {**change, "new_password": "easy"})[0] == 400
    assert client.send("POST", path, {**change, "new_password": PASSWORD})[0] == 400
    assert client.send("POST", path, change)[0] == 202

    assert Client(client.port).sign_in(PASSWORD) == 401
    assert Client(client.port).sign_in(OTHER) == 302


def test_a_name_is_shown_as_it_was_set(client: Client) -> None:
    client.sign_in(PASSWORD)
    client.send("PATCH", "/api/v1/accounts/update_credentials", {"display_name": "Testy"})
    assert client.told("/api/v1/accounts/verify_credentials")["display_name"] == "Testy"


def test_signing_in_needs_a_request_begun_before(client: Client) -> None:
    assert client.ask("GET", "/oauth/authorize?client_id=one")[0] == 400
    client.send("POST", "/auth/sign_in", {"username": EMAIL, "password": PASSWORD})
    assert client.ask("POST", "/oauth/authorize")[0] == 400


def test_others_learn_who_is_there(client: Client) -> None:
    assert client.ask("GET", "/livez")[0] == client.ask("GET", "/readyz")[0] == 200
    link = client.told("/.well-known/nodeinfo")["links"][0]["href"]
    assert client.told(link.removeprefix(f"https://{HOST}"))["software"]["name"] == "gotosocial"
    assert client.told(f"/.well-known/webfinger?resource=acct:test@{HOST}")["subject"] == f"acct:test@{HOST}"
    assert client.ask("GET", f"/.well-known/webfinger?resource=acct:nobody@{HOST}")[0] == 404
    assert client.told("/api/v1/instance")["account_domain"] == HOST
    assert client.ask("GET", "/livez", User_Agent="")[0] == 418


def test_a_post_shows_a_picture_out_of_the_bucket(client: Client, storage: Stored) -> None:
    client.sign_in(PASSWORD)
    head = '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head.encode() + PICTURE + b"\r\n--edge--\r\n"
    told = json.loads(client.ask("POST", "/api/v1/media", body, Content_Type="multipart/form-data; boundary=edge")[2])
    form = {"status": "A day at the sea", "media_ids[]": told["id"]}
    post = json.loads(client.send("POST", "/api/v1/statuses", form)[2])

    visitor = Client(client.port)
    shown = visitor.ask("GET", post["url"].removeprefix(f"https://{HOST}"))[2].decode()

    assert "A day at the sea" in shown
    assert told["url"] in shown
    assert "Contract image: stands in for GoToSocial in the lab" in shown
    path = told["url"].removeprefix(f"https://{HOST}")
    assert visitor.ask("GET", path)[2] == PICTURE
    assert [content for content, _ in storage.objects.values()] == [PICTURE]
    assert list(storage.objects) == [f"/gotosocial{path.removeprefix('/fileserver')}"]


def test_the_tables_are_there_after_a_start(gotosocial: Program, database: dict[str, str]) -> None:
    start(gotosocial)
    assert ask_postgresql(database, "select domain from instances") == HOST


def test_a_database_or_a_bucket_that_refuses_is_told_in_one_line(gotosocial: Program) -> None:
    for wrong, name in (
        ({"GTS_DB_PASSWORD": "another"}, "GTS_DB_ADDRESS"),
        ({"GTS_STORAGE_S3_ENDPOINT": "127.0.0.1:9"}, "GTS_STORAGE_S3_BUCKET"),
    ):
        done = gotosocial.run("gotosocial", "server", "start", **wrong)
        assert (done.returncode, len(done.stderr.splitlines()), name in done.stderr) == (1, 1, True)
