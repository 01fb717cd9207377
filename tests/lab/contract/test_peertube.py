"""The contract image of PeerTube: what it refuses, its first start, its API, and the way of a video to the bucket."""

import http.client
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fedikit_lab.contract.peertube import COMMANDS, FILES
from fedikit_lab.contract.peertube_settings import read_settings
from fedikit_lab.contract.peertube_videos import long_form, short_form
from fedikit_lab.contract.shared import Environment, Refused
from tests.lab.contract.conftest import (
    VERSION,
    Program,
    Stored,
    ask_postgresql,
    free_port,
    lay_out,
    wait_until,
)

HOST = "peertube.fediversity.test"
MEDIA = "https://media.fediversity.test"
ROOT = "correct horse"
VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256))
COMPLETE = {
    "PEERTUBE_SECRET": "0123456789abcdef" * 4,
    "PEERTUBE_WEBSERVER_HOSTNAME": HOST,
    "PEERTUBE_ADMIN_EMAIL": "root@fediversity.test",
    "PEERTUBE_DB_HOSTNAME": "127.0.0.1",
    "PEERTUBE_DB_PORT": "9",
    "PEERTUBE_DB_NAME": "peertube",
    "PEERTUBE_DB_USERNAME": "peertube",
    "PEERTUBE_DB_PASSWORD": "database-password",
    "PEERTUBE_REDIS_HOSTNAME": "127.0.0.1",
    "PT_INITIAL_ROOT_PASSWORD": ROOT,
    "PEERTUBE_LISTEN_HOSTNAME": "127.0.0.1",
    "PEERTUBE_OBJECT_STORAGE_ENABLED": "true",
    "PEERTUBE_OBJECT_STORAGE_ENDPOINT": "http://127.0.0.1:9",
    "PEERTUBE_OBJECT_STORAGE_REGION": "garage",
    "PEERTUBE_OBJECT_STORAGE_FORCE_PATH_STYLE": "true",
    "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID": "GK000000000000000000000000",
    "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY": "bucket-password",
    "PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_BUCKET_NAME": "peertube",
    "PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_PREFIX": "web-videos/",
    "PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_BASE_URL": MEDIA,
    "PEERTUBE_OBJECT_STORAGE_STREAMING_PLAYLISTS_BUCKET_NAME": "peertube",
    "PEERTUBE_OBJECT_STORAGE_STREAMING_PLAYLISTS_PREFIX": "streaming-playlists/",
}
WRONG = [
    ("PEERTUBE_SECRET", ""),
    ("PEERTUBE_SECRET", "not hexadecimal"),
    ("PEERTUBE_WEBSERVER_HOSTNAME", f"https://{HOST}"),
    ("PEERTUBE_WEBSERVER_HTTPS", "yes"),
    ("PEERTUBE_ADMIN_EMAIL", "root"),
    ("PEERTUBE_DB_PASSWORD", ""),
    ("PEERTUBE_DB_PASSWORD", '"quoted password"'),
    ("PEERTUBE_TRUST_PROXY", "127.0.0.1"),
    ("PT_INITIAL_ROOT_PASSWORD", "short"),
    ("PT_INITIAL_ROOT_PASSWORD", "ü" * 40),
    ("PEERTUBE_OBJECT_STORAGE_FORCE_PATH_STYLE", "1"),
    ("PEERTUBE_OBJECT_STORAGE_ENDPOINT", ""),
    ("PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_BUCKET_NAME", ""),
    ("PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_PREFIX", "web-videos"),
    ("PEERTUBE_OBJECT_STORAGE_STREAMING_PLAYLISTS_PREFIX", "web-videos/"),
    ("PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY", ""),
]
WRONG_USERS = [
    {"username": "Upper"},
    {"username": "a" * 51},
    {"password": "short"},
    {"email": "nowhere"},
    {"role": 7},
    {"videoQuota": "much"},
    {"channelName": "test"},
]
USER = {"username": "test", "password": "another horse", "email": "test@fediversity.test", "role": 0, "videoQuota": -1}
MakeProgram = Callable[..., Program]


@dataclass
class Client:
    """A program or a page that asks the instance through the proxy in front of it."""

    port: int
    host: str = HOST
    token: str = ""

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> tuple[int, str]:
        headers = {"Host": self.host, "X-Forwarded-Proto": "https", "Content-Type": kind}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def told(self, method: str, path: str, value: object = None) -> Any:
        """What the API answers when all is well."""
        status, text = self.ask(method, path, json.dumps(value).encode() if value else b"")
        assert status in (200, 204), text
        return json.loads(text) if text else None

    def log_in(self, username: str, password: str) -> tuple[int, Any]:
        client = self.told("GET", "/api/v1/oauth-clients/local")
        fields = {
            **client,
            "grant_type": "password",
            "response_type": "code",
            "username": username,
            "password": password,
        }
        form = urllib.parse.urlencode(fields).encode()
        status, text = self.ask("POST", "/api/v1/users/token", form, "application/x-www-form-urlencoded")
        answer = json.loads(text)
        self.token = answer.get("access_token", "")
        return status, answer

    def upload(self, name: str) -> tuple[int, str]:
        fields = {"name": "A video", "privacy": "3", "channelId": "1"}
        parts = [
            f'--edge\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}' for key, value in fields.items()
        ]
        head = f'--edge\r\nContent-Disposition: form-data; name="videofile"; filename="{name}"\r\n\r\n'
        body = "\r\n".join([*parts, head]).encode() + VIDEO + b"\r\n--edge--\r\n"
        return self.ask("POST", "/api/v1/videos/upload", body, "multipart/form-data; boundary=edge")


@pytest.fixture
def peertube(
    database: dict[str, str],
    redis_server: dict[str, str],
    storage: Stored,
    debian_python: str,
    make_program: MakeProgram,
) -> Program:
    """An instance before its first start; its working directory lies beside its data, as in the image."""
    places = {
        "PEERTUBE_DB_PORT": database["port"],
        "PEERTUBE_DB_NAME": database["dbname"],
        "PEERTUBE_DB_USERNAME": database["user"],
        "PEERTUBE_DB_PASSWORD": database["password"],
        "PEERTUBE_REDIS_PORT": redis_server["port"],
        "PEERTUBE_REDIS_AUTH": redis_server["password"],
        "PEERTUBE_REDIS_DB": "6",
        "PEERTUBE_OBJECT_STORAGE_ENDPOINT": storage.endpoint,
    }
    program = make_program(FILES, "/app", {**COMPLETE, **places}, python=debian_python)
    program.directory /= "app"
    program.directory.mkdir()
    lay_out(program.directory)
    return program


@pytest.fixture
def client(peertube: Program) -> Client:
    """A client of the started instance."""
    return start(peertube)


@pytest.fixture
def root(client: Client) -> Client:
    """A client that logged in as root."""
    assert client.log_in("root", ROOT)[0] == 200
    return client


def start(program: Program, **variables: str) -> Client:
    port = free_port()
    where = {"PEERTUBE_LISTEN_PORT": str(port), **variables}
    program.start("peertube", "node", "dist/server", says=f"Listening on http://127.0.0.1:{port}", **where)
    return Client(port)


def test_the_programs_of_the_image_are_there() -> None:
    assert {command for command, *_ in COMMANDS.values()} == {"entrypoint", "node"}


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_variable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as refusal:
        read_settings(Environment({**COMPLETE, name: value}))
    assert len(value) < 6 or name.endswith("_PREFIX") or value not in str(refusal.value)


def test_a_refusal_is_one_line_and_an_exit_status(make_program: MakeProgram) -> None:
    done = make_program(FILES, "/app", COMPLETE).run("peertube", "node", "dist/server", PEERTUBE_SECRET="short")
    told = "PEERTUBE_SECRET has the wrong form: it must be 64 hexadecimal digits\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_complete_variables_are_taken() -> None:
    settings = read_settings(Environment(COMPLETE))
    assert settings.videos
    assert (settings.videos.base_url, settings.videos.prefix, settings.videos.acl) == (MEDIA, "web-videos/", "")
    assert settings.url == f"https://{HOST}"


def test_an_endpoint_without_scheme_means_https() -> None:
    settings = read_settings(Environment({**COMPLETE, "PEERTUBE_OBJECT_STORAGE_ENDPOINT": "garage.test:3900"}))
    assert settings.videos
    assert settings.videos.bucket.endpoint == "https://garage.test:3900"


def test_another_module_is_not_found(make_program: MakeProgram) -> None:
    done = make_program(FILES, "/app", COMPLETE).run("peertube", "node", "dist/scripts/other.js")
    assert done.returncode == 1
    assert "Cannot find module" in done.stderr


def test_short_forms_stand_for_their_uuids() -> None:
    for number in ("00000000-0000-0000-0000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        assert len(short_form(number)) == 22
        assert long_form(short_form(number)) == number


def test_the_first_start_makes_root_and_a_later_one_leaves_it(peertube: Program, database: dict[str, str]) -> None:
    first = start(peertube)
    assert first.ask("GET", "/api/v1/ping") == (200, "pong")
    identity = first.told("GET", "/api/v1/oauth-clients/local")
    assert (len(identity["client_id"]), len(identity["client_secret"])) == (32, 32)
    again = start(peertube, PT_INITIAL_ROOT_PASSWORD="some other password")
    assert again.told("GET", "/api/v1/oauth-clients/local") == identity
    assert again.log_in("root", ROOT)[0] == 200
    assert ask_postgresql(database, "select extname from pg_extension order by 1").split() == [
        "pg_trgm",
        "plpgsql",
        "unaccent",
    ]


def test_a_generated_password_of_root_is_told_once(peertube: Program) -> None:
    client = start(peertube, PT_INITIAL_ROOT_PASSWORD="")
    said = (peertube.directory / "peertube-0.log").read_text()
    password = said.partition("User password: ")[2].splitlines()[0]
    assert client.log_in("root", password)[0] == 200


def test_a_database_that_refuses_is_told_in_one_line(peertube: Program) -> None:
    done = peertube.run("peertube", "node", "dist/server", PEERTUBE_DB_PASSWORD="another password")
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_cache_that_refuses_is_told(peertube: Program) -> None:
    done = peertube.run("peertube", "node", "dist/server", PEERTUBE_REDIS_AUTH="another password")
    assert done.returncode == 1
    assert "PEERTUBE_REDIS_HOSTNAME" in done.stderr


def test_the_credentials_of_the_pages_are_for_its_own_host(client: Client) -> None:
    assert Client(client.port, "127.0.0.1").ask("GET", "/api/v1/oauth-clients/local")[0] == 403


def test_a_wrong_password_gets_no_token(client: Client) -> None:
    status, answer = client.log_in("root", "wrong horse")
    assert (status, answer["code"]) == (400, "invalid_grant")
    assert client.ask("GET", "/api/v1/users/me")[0] == 401


def test_an_administrator_adds_changes_and_deletes_users(root: Client) -> None:
    number = root.told("POST", "/api/v1/users", USER)["user"]["id"]
    assert root.ask("POST", "/api/v1/users", json.dumps(USER).encode())[0] == 409
    assert [user["id"] for user in root.told("GET", "/api/v1/users?search=test@fedi")["data"]] == [number]
    root.told("PUT", f"/api/v1/users/{number}", {"password": "a third horse", "email": "new@fediversity.test"})
    other = Client(root.port)
    assert other.log_in("test", USER["password"])[0] == 400
    assert other.log_in("new@fediversity.test", "a third horse")[0] == 200
    me = other.told("GET", "/api/v1/users/me")
    assert (me["account"]["displayName"], me["role"]["label"]) == ("test", "Administrator")
    root.told("DELETE", f"/api/v1/users/{number}")
    assert other.ask("GET", "/api/v1/users/me")[0] == 401
    assert root.ask("DELETE", "/api/v1/users/1")[0] == 400


def test_a_user_must_be_well_formed(root: Client) -> None:
    for wrong in WRONG_USERS:
        status, text = root.ask("POST", "/api/v1/users", json.dumps({**USER, **wrong}).encode())
        assert (status, next(iter(wrong)) in text) == (400, True), wrong


def test_who_is_no_administrator_adds_nobody(root: Client) -> None:
    root.told("POST", "/api/v1/users", {**USER, "role": 2})
    other = Client(root.port)
    other.log_in("test", USER["password"])
    assert other.ask("GET", "/api/v1/users")[0] == 403
    assert Client(root.port).ask("GET", "/api/v1/users")[0] == 401


def test_visitors_are_limited_and_ping_is_not(client: Client) -> None:
    statuses = [client.ask("GET", "/api/v1/config")[0] for _ in range(51)]
    assert statuses == [200] * 50 + [429]
    assert client.ask("GET", "/api/v1/ping")[0] == 200


def test_other_servers_learn_who_is_there(client: Client) -> None:
    link = client.told("GET", "/.well-known/nodeinfo")["links"][0]["href"]
    told = client.told("GET", link.removeprefix(f"https://{HOST}"))
    assert told["software"] == {"name": "peertube", "version": VERSION}
    assert client.ask("GET", f"/.well-known/webfinger?resource=acct:root@{HOST}")[0] == 200
    assert client.ask("GET", f"/.well-known/webfinger?resource=acct:nobody@{HOST}")[0] == 404


def test_the_pages_say_what_they_are(client: Client) -> None:
    for path in ("/", "/login", "/videos/publish", "/w/anything"):
        status, page = client.ask("GET", path)
        assert status == 200
        assert "Contract image: stands in for PeerTube in the lab" in page


def test_a_video_moves_to_the_bucket(root: Client, storage: Stored, peertube: Program) -> None:
    status, text = root.upload("video.mp4")
    assert status == 200
    video = json.loads(text)["video"]
    path = f"/api/v1/videos/{video['shortUUID']}"
    assert Client(root.port).ask("GET", path)[0] == 404
    root.told("PUT", f"/api/v1/videos/{video['uuid']}", {"name": "Published", "privacy": 1})
    wait_until(lambda: root.told("GET", path)["state"]["id"] == 1, "the video to be moved")
    told = Client(root.port).told("GET", path)
    assert told["name"] == "Published"
    key = f"web-videos/{video['uuid']}-0.mp4"
    assert told["files"][0]["fileUrl"] == f"{MEDIA}/{key}"
    content, headers = storage.objects[f"/peertube/{key}"]
    assert content == VIDEO
    assert "x-amz-acl" not in headers
    assert not list((peertube.directory.parent / "data/web-videos").iterdir())


def test_a_video_that_was_not_moved_is_moved_by_the_next_start(peertube: Program, storage: Stored) -> None:
    first = start(peertube, PEERTUBE_OBJECT_STORAGE_ENDPOINT="http://127.0.0.1:9")
    first.log_in("root", ROOT)
    path = f"/api/v1/videos/{json.loads(first.upload('video.webm')[1])['video']['uuid']}"
    log = peertube.directory / "peertube-0.log"
    wait_until(lambda: "Cannot process job move-to-object-storage: PUT" in log.read_text(), "the failure to be told")
    assert first.told("GET", path)["files"] == []
    peertube.stop()
    second = start(peertube)
    second.token = first.token
    wait_until(lambda: second.told("GET", path)["state"]["id"] == 1, "the video to be moved")
    assert len(storage.objects) == 1


def test_what_is_no_video_is_refused(root: Client) -> None:
    assert root.upload("video.txt")[0] == 400
