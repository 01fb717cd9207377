"""PeerTube: what it asks for, how its settings reach it, and the script that makes its initial user."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fedikit.catalogue.peertube import KINDS_OF_OBJECTS, Peertube, PeertubeSettings
from fedikit.model import (
    Container,
    Context,
    HostItems,
    HttpHealth,
    Job,
    Person,
    PostgresDatabase,
    Request,
    SecretRef,
    SecretText,
    Volume,
    WebSite,
    initial_password,
)
from tests.catalogue.peertube import ADMINISTRATOR, USER, FakePeertube
from tests.model.example import configuration, environment, ids, variables

Requests = dict[str, Request]
DOMAIN = "peertube.fediversity.test"
ROOT, PASSWORD = "root's own password", 'correct "horse" battery % staple'


@pytest.fixture
def requests(context: Context) -> Requests:
    return Peertube().typed_requests(context)(PeertubeSettings(enable=True))


def test_one_process_owns_its_directories_and_answers_to_its_name(requests: Requests) -> None:
    server = requests["server"]

    assert isinstance(server, Container)
    assert (server.image, server.user, server.ports) == ("docker.io/chocobozzz/peertube:v8.3.1", "999:999", (9000,))
    assert server.volumes == (
        Volume(name="peertube-data", mount="/data", owner=999),
        Volume(name="peertube-config", mount="/config", owner=999),
    )
    assert server.health == HttpHealth(port=9000, path="/api/v1/ping", domain=DOMAIN)


def test_its_database_has_the_extensions_that_it_needs(requests: Requests) -> None:
    assert requests["database"] == PostgresDatabase(name="peertube", extensions=("pg_trgm", "unaccent"))


def test_its_account_is_made_when_it_runs() -> None:
    there = ids(environment().deployment(configuration("peertube")).hosts["peertube"])
    order = [
        "database:postgresql/peertube",
        "unit:redis-server@peertube.service",
        "directory:/srv/peertube-data",
        "unit:peertube.service",
        "job:peertube initial user",
    ]

    assert [id for id in there if id in order] == order


def test_its_secrets_have_the_forms_that_it_wants() -> None:
    told = variables(environment().deployment(configuration("peertube")), "peertube")

    assert {name: value for name, value in told.items() if value.startswith("<")} == {
        "PEERTUBE_SECRET": "<peertube/secret hex64 1>",
        "PT_INITIAL_ROOT_PASSWORD": "<peertube/root password 1>",
        "PEERTUBE_DB_PASSWORD": "<peertube/database password 1>",
        "PEERTUBE_REDIS_AUTH": "<peertube/cache password 1>",
        "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID": "<peertube/bucket-key garage-key-id 1>",
        "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY": "<peertube/bucket-key garage-key-secret 1>",
    }


def test_each_kind_of_object_has_a_prefix_of_its_own_in_one_bucket_and_no_acl() -> None:
    told = variables(environment().deployment(configuration("peertube")), "peertube")
    places = [f"PEERTUBE_OBJECT_STORAGE_{kind.upper()}" for kind in KINDS_OF_OBJECTS]

    assert {told[f"{place}_BUCKET_NAME"] for place in places} == {"peertube"}
    assert {told[f"{place}_BASE_URL"] for place in places} == {"https://media.peertube.fedi.test"}
    assert len({told[f"{place}_PREFIX"] for place in places}) == len(places) == 5
    assert all(told[f"{place}_PREFIX"].endswith("/") for place in places)
    assert told["PEERTUBE_OBJECT_STORAGE_ENDPOINT"] == "http://10.0.0.2:3900"
    assert not [name for name in told if "ACL" in name]


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({}, "PEERTUBE_LISTEN_HOSTNAME", "127.0.0.1"),
        ({}, "PEERTUBE_ADMIN_EMAIL", "test@fedi.test"),
        ({}, "PEERTUBE_INSTANCE_NAME", "peertube.fedi.test"),
        ({"title": "Our films"}, "PEERTUBE_INSTANCE_NAME", "Our films"),
        ({"description": "Of the sea"}, "PEERTUBE_INSTANCE_DESCRIPTION", "Of the sea"),
        ({"subdomain": "films"}, "PEERTUBE_WEBSERVER_HOSTNAME", "films.fedi.test"),
        ({"subdomain": "films"}, "PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_BASE_URL", "https://media.films.fedi.test"),
        ({}, "PEERTUBE_SIGNUP_ENABLED", "false"),
        ({"registrations": "open"}, "PEERTUBE_SIGNUP_ENABLED", "true"),
        ({"transcoding": False}, "PEERTUBE_TRANSCODING_ENABLED", "false"),
        ({}, "PEERTUBE_USER_VIDEO_QUOTA", "-1"),
        ({"userQuotaGigabytes": 5}, "PEERTUBE_USER_VIDEO_QUOTA", "5000000000"),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], variable: str, value: str) -> None:
    chosen = configuration("peertube", peertube=settings)

    assert variables(environment().deployment(chosen), "peertube")[variable] == value


def test_the_largest_video_fits_through_the_web_server(context: Context) -> None:
    settings = PeertubeSettings.model_validate({"enable": True, "maxUploadGigabytes": 3})
    site = Peertube().typed_requests(context)(settings)["site"]

    assert isinstance(site, WebSite)
    assert site.max_body_megabytes == 3000


def test_a_shared_database_is_reached_by_an_encrypted_connection() -> None:
    for policies, word in (({}, "false"), ({"postgresql": {"host": "spare"}}, "true")):
        told = variables(environment(policies).deployment(configuration("peertube")), "peertube")
        assert told["PEERTUBE_DB_SSL"] == word


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    checks = Peertube().typed_checks(context)(PeertubeSettings(enable=True))

    assert [check.kind for check in checks] == ["http-answers", "http-answers", "node-info"]
    assert {check.application for check in checks} == {"peertube"}


# The initial user, made over the REST API


def job_of(context: Context) -> Job:
    account = Peertube().typed_requests(context)(PeertubeSettings(enable=True))["account"]
    assert isinstance(account, HostItems)
    (job,) = account.items
    assert isinstance(job, Job)
    return job


@pytest.fixture
def job(context: Context) -> Job:
    return job_of(context)


@pytest.fixture
def peertube() -> Iterator[FakePeertube]:
    with FakePeertube(DOMAIN, ROOT) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(
    command: tuple[str, ...], server: FakePeertube, *, password: str = PASSWORD, root: str = ROOT
) -> subprocess.CompletedProcess[str]:
    here = {"python3": sys.executable, "http://127.0.0.1:9000": f"http://127.0.0.1:{server.server_port}"}
    words = [here.get(word, word) for word in command]
    done = subprocess.run(
        words, input=f"{root}\n{password}", capture_output=True, text=True, timeout=30, env={}, check=False
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert ROOT not in done.stdout + done.stderr
    return done


def test_both_passwords_travel_on_standard_input_only(job: Job) -> None:
    root, password = SecretRef(name="peertube/root", permanent=True), initial_password("peertube")

    assert job.stdin == SecretText(parts=(root, "\n", password))
    assert job.run[-5:] == ("http://127.0.0.1:9000", DOMAIN, "test", "test@fediversity.test", "Testy McTestface")


def test_an_initial_user_called_root_is_peertubes_own(context: Context) -> None:
    person = {"displayName": "R", "username": "root", "email": "r@fediversity.test"}
    job = job_of(context.model_copy(update={"initial_user": Person.model_validate(person)}))

    password = initial_password("peertube")
    assert job.stdin == SecretText(parts=(password, "\n", password))


def test_the_user_is_made_as_administrator(job: Job, peertube: FakePeertube) -> None:
    assert run(job.check, peertube).returncode == 1
    assert run(job.run, peertube).returncode == 0
    assert run(job.check, peertube).returncode == 0

    made = peertube.users["test"]
    assert (made["email"], made["role"]) == ("test@fediversity.test", ADMINISTRATOR)
    assert made["displayName"] == "Testy McTestface"


def test_making_the_user_again_makes_no_second_one(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)

    assert run(job.run, peertube).returncode == 0
    assert peertube.calls.count("POST /api/v1/users") == 1
    assert list(peertube.users) == ["root", "test"]


def test_a_user_who_is_like_another_is_told_apart(job: Job, peertube: FakePeertube) -> None:
    peertube.users["test_two"] = peertube.user("test_two", "x" * 12, "two@fedi.test", USER)

    assert run(job.run, peertube).returncode == 0
    assert peertube.users["test_two"]["password"] == "x" * 12
    assert run(job.check, peertube).returncode == 0


@pytest.mark.parametrize(
    "changed", [{"password": "changed by hand"}, {"email": "old@fedi.test"}, {"role": USER}], ids=str
)
def test_what_is_otherwise_does_not_hold_and_is_mended(
    changed: dict[str, Any], job: Job, peertube: FakePeertube
) -> None:
    run(job.run, peertube)
    peertube.users["test"].update(changed)

    assert run(job.check, peertube).returncode == 1
    assert run(job.run, peertube).returncode == 0
    assert run(job.check, peertube).returncode == 0


def test_checking_changes_nothing(job: Job, peertube: FakePeertube) -> None:
    run(job.check, peertube)

    assert list(peertube.users) == ["root"]
    assert {call for call in peertube.calls if not call.startswith("GET")} == {"POST /api/v1/users/token"}


def test_a_root_who_is_the_initial_user_gets_address_and_name(context: Context, peertube: FakePeertube) -> None:
    person = {"displayName": "Boss", "username": "root", "email": "boss@fediversity.test"}
    job = job_of(context.model_copy(update={"initial_user": Person.model_validate(person)}))

    assert run(job.run, peertube, password=ROOT).returncode == 0
    assert run(job.check, peertube, password=ROOT).returncode == 0
    assert (peertube.users["root"]["email"], peertube.users["root"]["displayName"]) == ("boss@fediversity.test", "Boss")


def test_a_server_of_another_name_refuses_and_is_quoted(job: Job, peertube: FakePeertube) -> None:
    peertube.domain = "other.test"

    for command in (job.run, job.check):
        done = run(command, peertube)
        assert done.returncode == 1
        assert "PeerTube answered GET /api/v1/oauth-clients/local with 403" in done.stderr


def test_an_address_that_is_taken_is_a_failure_with_upstreams_words(job: Job, peertube: FakePeertube) -> None:
    peertube.users["other"] = peertube.user("other", "x" * 12, "test@fediversity.test", USER)

    done = run(job.run, peertube)

    assert done.returncode == 1
    assert "POST /api/v1/users with 409" in done.stderr
    assert "already exists" in done.stderr


def test_a_root_with_another_password_is_a_failure(job: Job, peertube: FakePeertube) -> None:
    done = run(job.run, peertube, root="no longer this one")

    assert done.returncode == 1
    assert "POST /api/v1/users/token with 400" in done.stderr


def test_a_server_that_is_not_there_is_a_failure_and_no_traceback(job: Job, peertube: FakePeertube) -> None:
    peertube.shutdown()
    peertube.server_close()

    for command in (job.run, job.check):
        done = run(command, peertube)
        assert done.returncode == 1
        assert "Connection refused" in done.stderr
        assert "Traceback" not in done.stderr
