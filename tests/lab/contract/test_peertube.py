"""The contract image of PeerTube: what it refuses, its first start, its API, and the way of a video to the bucket."""

import http.client
import io
import json
import os
import shutil
import signal
import time
import urllib.parse
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedikit_lab.contract.peertube import COMMANDS
from fedikit_lab.contract.peertube_entry import code_of
from fedikit_lab.contract.peertube_settings import read_settings
from fedikit_lab.contract.peertube_videos import long_form, short_form
from fedikit_lab.contract.shared import Environment, Refused
from tests.catalogue import test_peertube as recipe
from tests.catalogue.test_peertube import told
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
    "PEERTUBE_OBJECT_STORAGE_STREAMING_PLAYLISTS_BASE_URL": MEDIA,
    "PEERTUBE_OBJECT_STORAGE_USER_EXPORTS_BUCKET_NAME": "peertube",
    "PEERTUBE_OBJECT_STORAGE_USER_EXPORTS_PREFIX": "user-exports/",
}
WRONG = [
    ("PEERTUBE_SECRET", ""),
    ("PEERTUBE_INSTANCE_TITLE", "Films"),
    ("SMTP_HOSTNAME", "mail.test"),
    ("PEERTUBE_SIGNUP_LIMIT", "none"),
    ("PEERTUBE_SMTP_CA_FILE", "/etc/ssl/certs/ca-certificates.crt"),
    ("PEERTUBE_TRANSCODING_CONCURRENCY", "0"),
    ("PEERTUBE_WEBSERVER_HOSTNAME", f"https://{HOST}"),
    ("PEERTUBE_WEBSERVER_HTTPS", "yes"),
    ("PEERTUBE_ADMIN_EMAIL", "root"),
    ("PEERTUBE_DB_PASSWORD", ""),
    ("PEERTUBE_DB_PASSWORD", '"quoted password"'),
    ("PEERTUBE_TRUST_PROXY", "127.0.0.1"),
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
    {"password": "ü" * 40},
    {"email": "nowhere"},
    {"role": 7},
    {"videoQuota": "much"},
    {"channelName": "Test"},
]
USER = {"username": "test", "password": "another horse", "email": "test@fediversity.test", "role": 0, "videoQuota": -1}
MakeProgram = Callable[..., Program]


@dataclass
class Client:
    """A program or a page that asks the instance through the proxy in front of it."""

    port: int
    host: str = HOST
    token: str = ""

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        status, text, _ = self.reach(method, path, body, **headers)
        return status, text

    def reach(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer; headers are given with _ for -."""
        sent = {"Host": self.host, "X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        sent |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders())
        finally:
            connection.close()

    def told(self, method: str, path: str, value: object = None) -> Any:
        """What the API answers when all is well."""
        status, text = self.ask(method, path, json.dumps(value).encode() if value is not None else b"")
        assert status in (200, 204), text
        return json.loads(text) if text else None

    def log_in(self, username: str, password: str, **headers: str) -> tuple[int, Any]:
        client = self.told("GET", "/api/v1/oauth-clients/local")
        fields = {
            **client,
            "grant_type": "password",
            "response_type": "code",
            "username": username,
            "password": password,
        }
        form = urllib.parse.urlencode(fields).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        status, text = self.ask("POST", "/api/v1/users/token", form, **kind, **headers)
        answer = json.loads(text)
        self.token = answer.get("access_token", "")
        return status, answer

    def begin_upload(self, name: str, size: int = len(VIDEO), **fields: str) -> tuple[int, str]:
        """Says what is to come; gives the path that takes the pieces, or what was wrong."""
        told = {"name": "A video", "privacy": "3", "channelId": "1", "filename": name, **fields}
        parts = [f'--e\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{told[key]}\r\n' for key in told]
        body = ("".join(parts) + "--e--\r\n").encode()
        kinds = {"X_Upload_Content_Length": str(size), "X_Upload_Content_Type": "video/mp4"}
        form = {"Content_Type": "multipart/form-data; boundary=e"}
        status, text, headers = self.reach("POST", "/api/v1/videos/upload-resumable", body, **kinds, **form)
        return status, headers.get("Location", text).removeprefix(f"https://{HOST}")

    def send_piece(self, path: str, start: int, end: int) -> tuple[int, str, dict[str, str]]:
        place = f"bytes {start}-{end - 1}/{len(VIDEO)}"
        return self.reach("PUT", path, VIDEO[start:end], Content_Type="application/octet-stream", Content_Range=place)

    def upload(self, name: str = "video.mp4") -> Any:
        """A whole video, in two pieces."""
        _, path = self.begin_upload(name)
        self.send_piece(path, 0, 100)
        return json.loads(self.send_piece(path, 100, len(VIDEO))[1])["video"]


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
    program = make_program({}, "/app", {**COMPLETE, **places}, python=debian_python)
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
    done = make_program({}, "/app", COMPLETE).run("peertube", "node", "dist/server", PEERTUBE_SECRET="")
    told = "PEERTUBE_SECRET is not set: it must be one line of text\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_complete_variables_are_taken() -> None:
    settings = read_settings(Environment(COMPLETE))
    place = settings.places["WEB_VIDEOS"]
    assert (place.base_url, place.prefix, place.acls) == (MEDIA, "web-videos/", ("", ""))
    assert settings.url == f"https://{HOST}"


ALL_SETTINGS: dict[str, Any] = {
    "registrations": "open",
    "title": "Films",
    "description": "Of the sea",
    "userQuotaGigabytes": 50,
    "dailyQuotaGigabytes": 5,
    "transcodingResolutions": ["480p", "2160p"],
    "remoteRunners": True,
    "live": True,
    "importFromWeb": True,
    "importTorrents": True,
}
POLICIES: dict[str, Any] = {
    "mail": {"host": "relay.example.org", "user": "fedi", "encryption": "starttls"},
    "web": {"proxies": ["192.0.2.0/24"], "private_networks": ["10.0.0.0/8"]},
    "postgresql": {"host": "spare"},
}


@pytest.mark.parametrize("policies", [{}, POLICIES], ids=["bare", "provided"])
@pytest.mark.parametrize(
    "settings", [{}, ALL_SETTINGS, {"live": True, "transcoding": False}], ids=["usual", "all", "live only"]
)
def test_the_recipe_says_nothing_that_peertube_does_not_read(settings: Any, policies: Any) -> None:
    assert read_settings(Environment(told(policies, **settings))).listen == ("127.0.0.1", 9000)


def test_open_registrations_let_people_in(peertube: Program) -> None:
    names = [name for name in told() if "_SIGNUP_" in name]
    client = start(peertube, **{name: told(registrations="open")[name] for name in names})
    assert [newcomer(client, f"alice{number}") for number in range(12)] == [200] * 12


def test_whoever_says_nothing_of_signing_up_gets_upstreams_limits() -> None:
    signup = read_settings(Environment({**COMPLETE, "PEERTUBE_SIGNUP_ENABLED": "true"})).signup
    assert (signup.enabled, signup.limit, signup.requires_approval) == (True, 10, True)


def test_a_secret_may_be_any_text() -> None:
    assert read_settings(Environment({**COMPLETE, "PEERTUBE_SECRET": "any text will do"})).secret == "any text will do"


def test_an_endpoint_without_scheme_means_https() -> None:
    settings = read_settings(Environment({**COMPLETE, "PEERTUBE_OBJECT_STORAGE_ENDPOINT": "garage.test:3900"}))
    assert settings.places["WEB_VIDEOS"].bucket.endpoint == "https://garage.test:3900"


def test_replays_of_live_streams_need_transcoding() -> None:
    live = {"PEERTUBE_LIVE_ENABLED": "true", "PEERTUBE_TRANSCODING_ENABLED": "false"}
    with pytest.raises(Refused, match="PEERTUBE_LIVE_ALLOW_REPLAY"):
        read_settings(Environment({**COMPLETE, **live}))
    assert read_settings(Environment({**COMPLETE, **live, "PEERTUBE_LIVE_ALLOW_REPLAY": "false"})).rtmp_port == 1935


def test_another_module_is_not_found(make_program: MakeProgram) -> None:
    done = make_program({}, "/app", COMPLETE).run("peertube", "node", "dist/scripts/other.js")
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


def test_the_first_start_tells_the_log_whatever_password_root_has(peertube: Program) -> None:
    client = start(peertube, PT_INITIAL_ROOT_PASSWORD="")
    log = peertube.directory.parent / "data/logs/peertube.log"
    for said in ((peertube.directory / "peertube-0.log").read_text(), log.read_text()):
        password = said.partition("User password: ")[2][:20]
        assert client.log_in("root", password)[0] == 200
        assert "Client secret: " in said
    assert log.stat().st_mode & 0o777 == 0o644


def test_at_a_higher_level_the_log_has_no_password(peertube: Program) -> None:
    start(peertube, PEERTUBE_LOG_LEVEL="warn")
    assert ROOT not in (peertube.directory / "peertube-0.log").read_text()
    assert not (peertube.directory.parent / "data/logs/peertube.log").exists()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, for a namespace of processes")
def test_as_the_first_process_it_heeds_sigint_only(peertube: Program) -> None:
    program = Path(peertube.python)
    wrapped = peertube.directory / "first"
    wrapped.write_text(f'#!/bin/sh\nexec unshare --pid --fork --kill-child {program} "$@"\n')
    wrapped.chmod(0o755)
    peertube.python = str(wrapped)
    client = start(peertube)
    outer = peertube.running[-1]
    (inner,) = map(int, Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split())
    os.kill(inner, signal.SIGTERM)
    time.sleep(0.5)
    assert client.ask("GET", "/api/v1/ping")[0] == 200
    os.kill(inner, signal.SIGINT)
    assert outer.wait(5) == 0


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
    assert other.log_in("NEW@fediversity.test", "a third horse")[0] == 200
    me = other.told("GET", "/api/v1/users/me")
    assert (me["account"]["displayName"], me["role"]["label"]) == ("test", "Administrator")
    root.told("DELETE", f"/api/v1/users/{number}")
    assert other.ask("GET", "/api/v1/users/me")[0] == 401
    assert root.ask("DELETE", "/api/v1/users/1")[0] == 400


@pytest.mark.parametrize("name", ["peertube", "root", "root_channel"])
def test_names_of_its_own_are_taken(name: str, root: Client) -> None:
    assert root.ask("POST", "/api/v1/users", json.dumps({**USER, "username": name}).encode())[0] == 409


def test_users_come_in_pages_the_newest_first(root: Client) -> None:
    for number in range(16):
        root.told("POST", "/api/v1/users", {**USER, "username": f"test{number}", "email": f"{number}@fedi.test"})
    page = root.told("GET", "/api/v1/users")
    assert (page["total"], len(page["data"]), page["data"][0]["username"]) == (17, 15, "test15")
    oldest = root.told("GET", "/api/v1/users?sort=createdAt&count=100&start=1")["data"]
    assert [user["username"] for user in oldest][:2] == ["test0", "test1"]
    assert root.ask("GET", "/api/v1/users?count=101")[0] == 400


def test_another_password_ends_sessions(root: Client) -> None:
    root.told("PUT", "/api/v1/users/1", {"password": "another horse"})
    assert root.ask("GET", "/api/v1/users/me")[0] == 401


def test_a_second_factor_is_asked_for_when_the_password_is_right(root: Client) -> None:
    asked = root.told("POST", "/api/v1/users/1/two-factor/request", {"currentPassword": ROOT})["otpRequest"]
    code = code_of(asked["secret"])
    confirmed = {"requestToken": asked["requestToken"], "otpToken": code}
    root.told("POST", "/api/v1/users/1/two-factor/confirm-request", confirmed)
    assert root.log_in("root", "wrong horse")[1]["code"] == "invalid_grant"
    status, answer = root.log_in("root", ROOT)
    assert (status, answer["code"]) == (401, "missing_two_factor")
    assert root.log_in("root", ROOT, X_PeerTube_OTP=code_of(asked["secret"]))[0] == 200


def test_the_script_of_the_recipe_leaves_nothing_in_the_log_that_opens_anything(peertube: Program) -> None:
    client = start(peertube, PEERTUBE_WEBSERVER_HOSTNAME=recipe.DOMAIN, PT_INITIAL_ROOT_PASSWORD=recipe.FIRST)
    client.host = recipe.DOMAIN
    job = recipe.item(recipe.Job, "initial user")
    assert recipe.run_script(job.check, client.port).returncode == 1
    made = recipe.run_script(job.run, client.port)
    assert (made.returncode, made.stderr) == (0, "")
    assert recipe.run_script(job.check, client.port).returncode == 0
    assert recipe.FIRST in (peertube.directory / "peertube-0.log").read_text()
    statuses = [client.log_in("root", password)[0] for password in (recipe.FIRST, recipe.ROOT)]
    assert statuses == [400, 200]
    assert client.log_in("test", recipe.PASSWORD)[0] == 200


# Signing up


def newcomer(client: Client, name: str, **more: str) -> int:
    given = {"username": name, "password": "a horse of mine", "email": f"{name}@fedi.test", **more}
    return client.ask("POST", "/api/v1/users/register", json.dumps(given).encode(), X_Forwarded_For=name)[0]


def test_by_default_newcomers_wait_for_approval(peertube: Program) -> None:
    root = start(peertube, PEERTUBE_SIGNUP_ENABLED="true")
    root.log_in("root", ROOT)
    assert newcomer(root, "alice") == 400
    assert newcomer(root, "alice", registrationReason="I like films") == 200
    alice = Client(root.port)
    assert alice.log_in("alice", "a horse of mine")[1]["code"] == "account_waiting_for_approval"
    (waiting,) = root.told("GET", "/api/v1/users/registrations")["data"]
    root.told("POST", f"/api/v1/users/registrations/{waiting['id']}/accept", {})
    assert alice.log_in("alice", "a horse of mine")[0] == 200


def test_by_default_there_is_room_for_ten(peertube: Program) -> None:
    client = start(peertube, PEERTUBE_SIGNUP_ENABLED="true", PEERTUBE_SIGNUP_REQUIRES_APPROVAL="false")
    assert [newcomer(client, f"alice{number}") for number in range(10)] == [200] * 9 + [403]
    assert not client.told("GET", "/api/v1/config")["signup"]["allowed"]


def test_nobody_signs_up_where_it_is_closed(client: Client) -> None:
    assert newcomer(client, "alice", registrationReason="I like films") == 403


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


# Videos


def published(client: Client, number: str) -> Any:
    path = f"/api/v1/videos/{number}"
    wait_until(lambda: client.told("GET", path)["state"]["id"] == 1, "the video to be published")
    return client.told("GET", path)


def test_a_video_comes_in_pieces(root: Client) -> None:
    status, path = root.begin_upload("video.mp4")
    assert status == 201
    status, _, headers = root.send_piece(path, 0, 100)
    assert (status, headers["Range"]) == (308, "bytes=0-99")
    assert root.send_piece(path, 200, 250)[0] == 409
    assert root.send_piece(path, 100, len(VIDEO))[0] == 200
    assert root.send_piece(path, 100, len(VIDEO))[0] == 404


def test_what_is_on_its_way_is_lost_by_a_new_start(peertube: Program) -> None:
    first = start(peertube)
    first.log_in("root", ROOT)
    _, path = first.begin_upload("video.mp4")
    second = start(peertube)
    second.token = first.token
    assert second.send_piece(path, 0, 100)[0] == 404


def test_a_video_becomes_a_playlist_in_the_bucket(root: Client, storage: Stored, peertube: Program) -> None:
    video = root.upload()
    path = f"/api/v1/videos/{video['shortUUID']}"
    assert Client(root.port).ask("GET", path)[0] == 401
    root.told("PUT", f"/api/v1/videos/{video['uuid']}", {"name": "Published", "privacy": 1})
    told = published(root, video["shortUUID"])
    assert (told["name"], told["files"]) == ("Published", [])
    watched = urllib.parse.urlsplit(told["url"]).path
    assert (watched, Client(root.port).ask("GET", watched)[0]) == (f"/videos/watch/{video['uuid']}", 302)
    place = f"streaming-playlists/hls/{video['uuid']}/"
    (playlist,) = told["streamingPlaylists"]
    assert playlist["playlistUrl"].startswith(f"{MEDIA}/{place}")
    kept = {key.removeprefix(f"/peertube/{place}"): content for key, (content, _) in storage.objects.items()}
    assert sorted(len(name) for name in kept) == [len(video["uuid"]) + more for more in (9, 12, 19)]
    (film,) = (content for name, content in kept.items() if name.endswith("-fragmented.mp4"))
    assert film == VIDEO
    assert not [headers for _, headers in storage.objects.values() if "x-amz-acl" in headers]
    assert not [*(peertube.directory.parent / "data/web-videos").iterdir()]


def test_without_transcoding_the_file_itself_is_shown(peertube: Program, storage: Stored) -> None:
    client = start(peertube, PEERTUBE_TRANSCODING_ENABLED="false")
    client.log_in("root", ROOT)
    number = client.upload()["uuid"]
    client.told("PUT", f"/api/v1/videos/{number}", {"privacy": 1})
    told = published(client, number)
    assert told["streamingPlaylists"] == []
    (key,) = storage.objects
    assert told["files"][0]["fileUrl"] == f"{MEDIA}/{key.removeprefix('/peertube/')}"


def test_with_runners_elsewhere_nothing_is_transcoded_here(peertube: Program, storage: Stored) -> None:
    client = start(peertube, PEERTUBE_TRANSCODING_REMOTE_RUNNERS_ENABLED="true")
    client.log_in("root", ROOT)
    video = client.upload()
    time.sleep(0.5)
    assert client.told("GET", f"/api/v1/videos/{video['uuid']}")["state"]["id"] == 2
    assert not storage.objects


def test_a_video_that_was_not_moved_is_moved_by_the_next_start(peertube: Program, storage: Stored) -> None:
    first = start(peertube, PEERTUBE_OBJECT_STORAGE_ENDPOINT="http://127.0.0.1:9")
    first.log_in("root", ROOT)
    video = first.upload("video.webm")
    log = peertube.directory / "peertube-0.log"
    wait_until(lambda: "Cannot process job move-to-object-storage: PUT" in log.read_text(), "the failure to be told")
    peertube.stop()
    second = start(peertube)
    second.token = first.token
    assert published(second, video["uuid"])["streamingPlaylists"]
    assert len(storage.objects) == 3


def test_what_is_not_a_video_is_refused(root: Client) -> None:
    assert root.begin_upload("video.txt")[0] == 415


@pytest.mark.parametrize("quota", ["videoQuota", "videoQuotaDaily"])
def test_a_quota_is_the_only_limit(quota: str, root: Client) -> None:
    assert root.begin_upload("video.mp4", size=10**13)[0] == 201
    root.told("PUT", "/api/v1/users/1", {quota: 1000})
    assert root.begin_upload("video.mp4", size=999)[0] == 201
    status, text = root.begin_upload("video.mp4", size=1000)
    assert (status, json.loads(text)["code"]) == (413, "quota_reached")


# Private videos

PASSWORD = {"X_PeerTube_Video_Password": "-"}


def private_video(root: Client, privacy: int) -> tuple[str, str]:
    """The uuid of a video, and where its owner is told that its playlist is."""
    video = root.upload()
    root.told("PUT", f"/api/v1/videos/{video['uuid']}", {"privacy": privacy})
    (playlist,) = published(root, video["uuid"])["streamingPlaylists"]
    return video["uuid"], playlist["playlistUrl"].removeprefix(f"https://{HOST}")


@pytest.mark.parametrize("privacy", [3, 4])
def test_a_private_video_lies_among_the_others_and_is_read_by_peertube_for_those_who_may(
    privacy: int, root: Client, storage: Stored
) -> None:
    number, path = private_video(root, privacy)
    stranger = Client(root.port)

    assert next(iter(storage.objects)).startswith(f"/peertube/streaming-playlists/hls/{number}/")
    assert path.startswith(f"/object-storage-proxy/streaming-playlists/hls/private/{number}/")
    assert root.ask("GET", path)[1].startswith("#EXTM3U")
    assert stranger.ask("GET", path)[0] == 401
    assert stranger.ask("GET", path, **PASSWORD)[0] == 401
    assert stranger.ask("GET", f"{path}?videoFileToken=any")[0] == 403


def test_whoever_shows_anything_at_all_gets_files_of_a_public_video(root: Client) -> None:
    number, path = private_video(root, 3)
    stranger, key = Client(root.port), path.partition("/private/")[2]
    root.told("PUT", f"/api/v1/videos/{number}", {"privacy": 1})

    assert published(stranger, number)["streamingPlaylists"][0]["playlistUrl"].startswith(f"{MEDIA}/")
    assert stranger.ask("GET", path)[0] == 401
    assert stranger.ask("GET", path, **PASSWORD)[0] == 200
    assert stranger.ask("GET", path.replace(key, f"{number}/no-such-file.m3u8"), **PASSWORD)[0] == 404
    assert stranger.ask("GET", path.replace(number, short_form(number)), **PASSWORD)[0] == 404


def test_what_was_decided_of_a_video_holds_for_a_while(root: Client) -> None:
    number, path = private_video(root, 2)
    stranger = Client(root.port)
    published(stranger, number)
    shown = f"/object-storage-proxy/streaming-playlists/hls/private/{number}/{Path(path).name}"

    assert stranger.ask("GET", shown, **PASSWORD)[0] == 200
    root.told("PUT", f"/api/v1/videos/{number}", {"privacy": 3})
    assert stranger.ask("GET", shown, **PASSWORD)[0] == 200
    assert stranger.ask("GET", shown, X_PeerTube_Video_Password="another")[0] == 401


def test_a_private_file_without_playlist_too(peertube: Program, storage: Stored) -> None:
    client = start(peertube, PEERTUBE_TRANSCODING_ENABLED="false")
    client.log_in("root", ROOT)
    told = published(client, client.upload()["uuid"])
    path = told["files"][0]["fileUrl"].removeprefix(f"https://{HOST}")
    stranger = Client(client.port)

    assert path.startswith("/object-storage-proxy/web-videos/private/")
    assert client.ask("GET", path)[0] == 200
    assert stranger.ask("GET", path, **PASSWORD)[0] == 401
    client.told("PUT", f"/api/v1/videos/{told['uuid']}", {"privacy": 1})
    assert stranger.ask("GET", path, X_PeerTube_Video_Password="=")[0] == 200


def test_where_access_lists_are_told_private_files_have_another(peertube: Program, storage: Stored) -> None:
    acls = {"PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PUBLIC": "public-read"}
    client = start(peertube, **acls, PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PRIVATE="private")
    client.log_in("root", ROOT)
    published(client, client.upload()["uuid"])

    assert {headers["x-amz-acl"] for _, headers in storage.objects.values()} == {"private"}


# Exports


def test_an_export_lies_in_the_bucket_under_a_name_that_can_be_guessed(root: Client, storage: Stored) -> None:
    root.told("POST", "/api/v1/users/1/exports/request", {"withVideoFiles": False})
    wait_until(lambda: storage.objects, "the export")
    ((key, (content, _)),) = storage.objects.items()
    assert key.startswith(f"/peertube/user-exports/user-export-1-{time.strftime('%Y-%m-%d', time.gmtime())}T")
    assert "root@fediversity.test" in zipfile.ZipFile(io.BytesIO(content)).read("peertube/account.json").decode()


def test_exports_can_be_switched_off(peertube: Program, storage: Stored) -> None:
    client = start(peertube, PEERTUBE_EXPORT_USERS_ENABLED="false")
    client.log_in("root", ROOT)
    assert client.ask("POST", "/api/v1/users/1/exports/request", b"{}")[0] == 400
    assert not storage.objects
