"""GoToSocial's contract: its variables, its commands, signing in for a token, and a picture from the bucket."""

import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fedikit.catalogue import gotosocial_account
from fedikit_lab.contract.gotosocial_media import without_exif
from fedikit_lab.contract.gotosocial_peers import PeerError, Peers, Signer, is_signed, key_id_of, new_key, signed
from fedikit_lab.contract.gotosocial_settings import read_settings
from fedikit_lab.contract.gotosocial_store import Invalid, check_password
from fedikit_lab.contract.shared import Environment, Refused
from tests.lab.contract.conftest import Program, Stored, ask_postgresql, free_port, wait_until

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
    ("GTS_MEDIA_MAX_SIZE", "40MiB"),
    ("GTS_INSTANCE_FEDERATION_MODE", "open"),
    ("GTS_INSTANCE_LANGUAGES", "english"),
    ("GTS_HTTP_CLIENT_ALLOW_IPS", "everybody"),
    ("GTS_MEDIA_REMOTE_CACHE_DAYS", "a week"),
    ("GTS_ACCOUNTS_REASON_REQUIRED", "maybe"),
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
PLACE = {"host": "ADDRESS", "port": "PORT", "dbname": "DATABASE", "user": "USER", "password": "PASSWORD"}
SCRIPT = Path(gotosocial_account.__file__)
HOST_PROGRAM = """\
import json, pathlib, subprocess, sys, time
here = pathlib.Path(__file__)
command, environment, home = json.loads((here.parent / "gotosocial.json").read_text())
if here.name == "podman":  # podman exec --interactive gotosocial WORDS
    words = sys.argv[4:]
    if words[0] == "sh":
        words = ["gotosocial", "admin", "account", *words[4:], "--password", sys.stdin.readline().rstrip()]
    sys.exit(subprocess.run([*command, *words[1:]], env=environment, cwd=home).returncode)
asked = here.with_name("restart")
asked.touch()
while asked.exists():
    time.sleep(0.05)
"""
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
    return make_program({}, "/gotosocial", {**COMPLETE, **places}, python=debian_python)


@pytest.fixture
def client(gotosocial: Program) -> Client:
    """A client of the started instance, where there is one user."""
    client = start(gotosocial)
    assert account(gotosocial, "create", email=EMAIL, password=PASSWORD) == (0, "")
    return client


def start(program: Program, *, at: int = 0, **variables: str) -> Client:
    port = at or free_port()
    says = f"Listening on http://127.0.0.1:{port}"
    program.start("gotosocial", "server", "start", says=says, GTS_PORT=str(port), **variables)
    client = Client(port)
    wait_until(lambda: client.ask("GET", "/readyz")[0] == 200, "the instance to be ready")
    return client


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
    done = make_program({}, "/gotosocial", COMPLETE).run("gotosocial", "server", "start", GTS_HOST="")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("", "no password provided / provided password was 0 bytes"),
        ("Ab1!" * 19, "password should be no more than 72 bytes, provided password was 76 bytes"),
        (
            "password",
            "password is only 62% strength, try including more special characters, using uppercase letters, using "
            "numbers or using a longer password",
        ),
        (
            "abcdefghijklmnop1234567890",
            "password is only 77% strength, try including more special characters, using uppercase letters or using a "
            "longer password",
        ),
    ],
)
def test_a_password_is_refused_in_the_words_that_upstream_gave_when_it_was_run(wrong: str, complaint: str) -> None:
    check_password(PASSWORD)
    with pytest.raises(Invalid) as refused:
        check_password(wrong)
    assert str(refused.value) == complaint


def test_an_account_is_made_only_when_the_server_has_run(gotosocial: Program) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD}
    status, complaint = account(gotosocial, "create", **wanted)
    assert (status, "instance application" in complaint) == (1, True)

    start(gotosocial)

    assert account(gotosocial, "create", **wanted) == (0, "")
    status, complaint = account(gotosocial, "create", **wanted)
    assert (status, "username test is already in use" in complaint) == (1, True)


def test_a_command_without_what_it_needs_says_so(gotosocial: Program) -> None:
    status, complaint = account(gotosocial, "create")
    assert status == 1
    assert complaint.endswith('error executing command: required flag(s) "email", "password" not set\n')
    status, complaint = account(gotosocial, "promote", username="nobody")
    assert (status, "no rows" in complaint) == (1, True)
    assert "--help" in gotosocial.run("gotosocial", "admin", "account", "praise").stdout
    assert gotosocial.run("gotosocial", "praise").returncode == 1


def test_a_promotion_is_seen_after_a_restart(client: Client, gotosocial: Program) -> None:
    assert client.sign_in(PASSWORD) == 302
    assert client.told("/api/v1/user")["admin"] is False

    assert account(gotosocial, "promote") == (0, "")

    assert client.told("/api/v1/user")["admin"] is False
    again = start(gotosocial)
    again.token = client.token
    assert again.told("/api/v1/user")["admin"] is True
    rows = gotosocial.run("gotosocial", "admin", "account", "list").stdout.splitlines()
    assert rows[0].startswith("timestamp="), "a log comes first"
    assert rows[1].split()[:2] == ["user", "account"]
    assert [rows[2].split()[place] for place in (0, 2, 3, 6)] == ["test", "yes", "yes", "yes"]


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
    assert client.send("POST", path, change)[0] == 200

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
    small = told["preview_url"].removeprefix(f"https://{HOST}")
    assert visitor.ask("GET", small)[0] == 200
    kept = [f"/gotosocial{one.removeprefix('/fileserver')}" for one in (path, small)]
    assert list(storage.objects) == kept
    assert kept == [
        f"{kept[0].rpartition('original')[0]}{end}"
        for end in (f"original/{told['id']}.png", f"small/{told['id']}.jpeg")
    ]


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


def test_while_it_migrates_it_lives_and_is_not_ready(gotosocial: Program) -> None:
    be_awkward(gotosocial, migration_seconds=1.5)
    port = free_port()
    says = f"Listening on http://127.0.0.1:{port}"
    gotosocial.start("gotosocial", "server", "start", says=says, **cache_of(gotosocial), GTS_PORT=str(port))
    client = Client(port)

    assert [client.ask("GET", path)[0] for path in ("/livez", "/readyz", "/api/v1/instance")] == [200, 503, 503]
    wait_until(lambda: client.ask("GET", "/readyz")[0] == 200, "the migration to end")


def test_what_arrives_too_slowly_is_done_but_not_answered_and_what_is_slower_still_is_broken_off(
    gotosocial: Program,
) -> None:
    be_awkward(gotosocial, write_seconds=0.6, read_seconds=1.2)
    client = start(gotosocial, **cache_of(gotosocial))
    account(gotosocial, "create", email=EMAIL, password=PASSWORD)
    client.sign_in(PASSWORD)

    assert send_slowly(client, 0) == b"HTTP/1.1 200"
    assert ask_statuses(gotosocial) == 1
    assert send_slowly(client, 0.9) == b""
    assert ask_statuses(gotosocial) == 2
    assert send_slowly(client, 1.8) == b""
    assert ask_statuses(gotosocial) == 2


def test_a_second_factor_keeps_everybody_else_out_until_it_is_taken_away(client: Client, gotosocial: Program) -> None:
    client.sign_in(PASSWORD)
    assert client.send("POST", "/api/v1/user/2fa/enable", {"code": "123456"})[0] == 200

    form = {"username": EMAIL, "password": PASSWORD}
    assert Client(client.port).send("POST", "/auth/sign_in", form)[:2] == (302, "/auth/2fa")
    assert account(gotosocial, "disable-2fa") == (0, "")
    assert "2fa already disabled" in account(gotosocial, "disable-2fa")[1]
    assert start(gotosocial).sign_in(PASSWORD) == 302


def test_tokens_stay_until_they_are_taken_back(client: Client) -> None:
    client.sign_in(PASSWORD)
    other = Client(client.port)
    other.sign_in(PASSWORD)
    told = client.told("/api/v1/tokens?limit=80")
    assert [one["application"]["name"] for one in told] == ["test", "test"]

    for one in told:
        client.ask("POST", f"/api/v1/tokens/{one['id']}/invalidate")
    assert 401 in (client.ask("GET", "/api/v1/user")[0], other.ask("GET", "/api/v1/user")[0])


def test_what_a_camera_wrote_into_a_picture_is_not_kept() -> None:
    signature, end = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IENDcrc!"
    assert without_exif(signature + b"\0\0\0\4eXIfhomecrc!" + end) == signature + end
    assert (
        without_exif(b"\xff\xd8\xff\xe1\0\x0cExif\0\0home\xff\xda" + b"data" * 4) == b"\xff\xd8\xff\xda" + b"data" * 4
    )
    assert without_exif(PICTURE) == PICTURE


def test_the_recipes_script_makes_its_user(gotosocial: Program, tmp_path: Path) -> None:
    """With programs called `podman` and `systemctl` in the way, which run the stand-in's."""
    port = free_port()
    start(gotosocial, at=port)
    run = script_on(gotosocial, tmp_path, port)

    assert run("check") == (1, "")
    assert run("make") == (0, "")
    assert run("check") == (0, "")
    client = Client(port)
    assert client.sign_in(PASSWORD) == 302
    assert client.told("/api/v1/user")["admin"] is True
    assert len(client.told("/api/v1/tokens")) == 1, "the script's own is gone"


def be_awkward(program: Program, **seconds: float) -> None:
    (program.directory / "contract.json").write_text(json.dumps(seconds))


def cache_of(program: Program) -> dict[str, str]:
    return {"GTS_WAZERO_COMPILATION_CACHE": str(program.directory)}


def ask_statuses(program: Program) -> int:
    place = {key: program.environment[f"GTS_DB_{name}"] for key, name in PLACE.items()}
    return int(ask_postgresql(place, "select count(*) from statuses"))


def send_slowly(client: Client, seconds: float) -> bytes:
    """The first words of the answer to a post whose body ends so late."""
    body = b"status=slowly"
    names = f"Host: {HOST}\r\nUser-Agent: test\r\nAuthorization: Bearer {client.token}\r\n"
    head = f"POST /api/v1/statuses HTTP/1.1\r\n{names}"
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
        time.sleep(seconds)
        try:
            connection.sendall(body[-1:])
            return connection.recv(12)
        except OSError:
            return b""


def script_on(program: Program, directory: Path, port: int) -> Callable[[str], tuple[int, str]]:
    """Runs the recipe's script against the stand-in: its exit status and complaint."""
    folder = directory / "bin"
    folder.mkdir()
    stand_in, environment = program._command("gotosocial", (), {})
    (folder / "gotosocial.json").write_text(json.dumps([stand_in, environment, str(program.directory)]))
    for name in ("podman", "systemctl"):
        (folder / name).write_text(f"#!{sys.executable}\n{HOST_PROGRAM}")
        (folder / name).chmod(0o755)

    def run(action: str) -> tuple[int, str]:
        command = [sys.executable, "-I", str(SCRIPT), action, str(port), HOST, "gotosocial", "test", EMAIL, "Testy"]
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env={"PATH": f"{folder}:/usr/bin:/bin"}, text=True, **pipes) as script:
            assert script.stdin
            assert script.stderr
            script.stdin.write(PASSWORD)
            script.stdin.close()
            while script.poll() is None:
                restart_if(folder / "restart")
                time.sleep(0.02)
            return script.returncode, script.stderr.read()

    def restart_if(asked: Path) -> None:
        if asked.exists():
            program.running[-1].terminate()
            program.running[-1].wait()
            start(program, at=port)
            asked.unlink()

    return run


# Other servers


@pytest.fixture(scope="module")
def signer() -> tuple[Signer, str]:
    private, public = new_key()
    return Signer("https://there.test/users/bob/main-key", private), public


def test_what_is_signed_is_known_by_its_key_and_by_no_other(signer: tuple[Signer, str]) -> None:
    bob, public = signer
    headers = signed(bob, "POST", "/users/test/inbox", HOST, b"{}")
    asked: tuple[Any, ...] = ("POST", "/users/test/inbox", headers, b"{}")

    assert key_id_of(headers["signature"]) == bob.key_id
    assert is_signed(*asked, public)
    assert not is_signed(*asked, new_key()[1])


@pytest.mark.parametrize(
    "changed",
    [
        {"target": "/users/other/inbox"},
        {"method": "GET"},
        {"body": b"[]"},
        {"host": "elsewhere.test"},
        {"date": "Fri, 27 Nov 2026 08:00:00 GMT"},
        {"signature": ""},
    ],
    ids=str,
)
def test_whatever_is_changed_on_the_way_is_noticed(changed: dict[str, Any], signer: tuple[Signer, str]) -> None:
    bob, public = signer
    headers = signed(bob, "POST", "/users/test/inbox", HOST, b"{}")
    asked = {"method": "POST", "target": "/users/test/inbox", "body": b"{}", **headers, **changed}
    sent = {name: asked[name] for name in headers}

    assert not is_signed(asked["method"], asked["target"], sent, asked["body"], public)


@pytest.mark.parametrize(("allowed", "seen"), [((), "dial within blocked"), (("127.0.0.0/8",), "Connection refused")])
def test_servers_at_private_addresses_are_asked_only_where_that_is_allowed(
    allowed: tuple[str, ...], seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit_lab.contract.gotosocial_peers.PORT", free_port())
    with pytest.raises(PeerError, match=seen):
        Peers(allowed).read("https://localhost/users/bob")


def test_who_signs_nothing_sees_of_an_account_its_key_alone(client: Client) -> None:
    assert client.ask("GET", "/users/test")[0] == 401
    assert client.ask("POST", "/users/test/inbox", b"{}")[0] == 401
    known = client.told("/users/test/main-key")
    assert sorted(known) == ["@context", "id", "preferredUsername", "publicKey", "type"]
    assert known["publicKey"]["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert client.told("/users/test/main-key") == known
    assert client.ask("GET", "/users/nobody/main-key")[0] == 404
