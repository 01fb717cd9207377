"""GoToSocial: what it asks for, how its settings reach it, and the script that makes its initial user."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedikit.catalogue.gotosocial import Gotosocial, GotosocialSettings
from fedikit.model import (
    Container,
    Context,
    HostItems,
    HttpHealth,
    Job,
    ObjectBucket,
    PostgresDatabase,
    Request,
    SecretText,
    Volume,
    WebSite,
    initial_password,
)
from fedikit_lab.contract.gotosocial_settings import read_settings
from fedikit_lab.contract.shared import Environment as Given
from tests.catalogue.gotosocial import FakeGotosocial
from tests.model.example import configuration, environment, ids, only, written_variables

Requests = dict[str, Request]
DOMAIN, EMAIL = "gotosocial.fediversity.test", "test@fediversity.test"
PASSWORD = 'correct "horse" battery % staple'
HOST = "spare"
S3 = {"means": "s3", "endpoint": "https://s3.example.org", "region": "eu", "access_key": "key"}


def variables(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    placed = environment(policies, {"gotosocial": HOST}).deployment(configuration("gotosocial", gotosocial=settings))
    lines = written_variables(placed.hosts[HOST], "gotosocial").splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def requests(context: Context) -> Requests:
    return Gotosocial().typed_requests(context)(GotosocialSettings(enable=True))


def test_one_process_answers_beside_pixelfed(requests: Requests) -> None:
    server = requests["server"]

    assert isinstance(server, Container)
    assert (server.image, server.ports) == ("docker.io/superseriousbusiness/gotosocial:0.22.2", (8081,))
    assert server.volumes == (Volume(name="gotosocial-cache", mount="/gotosocial/.cache", owner=1000),)
    assert server.health == HttpHealth(port=8081, path="/readyz")


def test_its_database_sorts_by_bytes_and_its_bucket_is_its_own(requests: Requests) -> None:
    database = requests["database"]

    assert isinstance(database, PostgresDatabase)
    assert database.collation == "C.UTF-8"
    assert requests["media"] == ObjectBucket(name="gotosocial", public_at=None)


def test_its_account_is_made_when_it_runs() -> None:
    placed = environment(placement={"gotosocial": HOST}).deployment(configuration("gotosocial"))
    order = ["database:postgresql/gotosocial", "unit:gotosocial.service", "job:gotosocial initial user"]

    assert [id for id in ids(placed.hosts[HOST]) if id in order] == order


def test_it_fits_on_one_host_with_the_others() -> None:
    everything = ("gotosocial", "mastodon", "peertube", "pixelfed")
    placed = only(dict.fromkeys(everything, "objects")).deployment(configuration(*everything))

    assert "unit:gotosocial.service" in ids(placed.hosts["objects"])


def test_its_secrets_are_those_of_its_database_and_its_bucket() -> None:
    assert {name: value for name, value in variables().items() if value.startswith("<")} == {
        "GTS_DB_PASSWORD": "<gotosocial/database password 1>",
        "GTS_STORAGE_S3_ACCESS_KEY": "<gotosocial/bucket-key garage-key-id 1>",
        "GTS_STORAGE_S3_SECRET_KEY": "<gotosocial/bucket-key garage-key-secret 1>",
    }


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({}, "GTS_HOST", "gotosocial.fedi.test"),
        ({"subdomain": "social"}, "GTS_HOST", "social.fedi.test"),
        ({}, "GTS_BIND_ADDRESS", "127.0.0.1"),
        ({}, "GTS_ACCOUNTS_REGISTRATION_OPEN", "false"),
        ({"registrations": "approved"}, "GTS_ACCOUNTS_REGISTRATION_OPEN", "true"),
        ({}, "GTS_MEDIA_LOCAL_MAX_SIZE", "40MiB"),
        ({"maxMediaMegabytes": 100}, "GTS_MEDIA_LOCAL_MAX_SIZE", "100MiB"),
        ({}, "GTS_STORAGE_S3_PROXY", "true"),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], variable: str, value: str) -> None:
    assert variables(**settings)[variable] == value


@pytest.mark.parametrize(
    ("policies", "endpoint", "encrypted"),
    [({}, "10.0.0.2:3900", "false"), ({"bucket": S3}, "s3.example.org", "true")],
)
def test_the_endpoint_of_its_bucket_has_no_scheme(policies: dict[str, Any], endpoint: str, encrypted: str) -> None:
    told = variables(policies)

    assert (told["GTS_STORAGE_S3_ENDPOINT"], told["GTS_STORAGE_S3_USE_SSL"]) == (endpoint, encrypted)


@pytest.mark.parametrize(("policies", "mode"), [({}, "disable"), ({"postgresql": {"host": "objects"}}, "enable")])
def test_a_shared_database_is_reached_by_an_encrypted_connection(policies: dict[str, Any], mode: str) -> None:
    assert variables(policies)["GTS_DB_TLS_MODE"] == mode


def test_mail_goes_through_the_relay() -> None:
    told = variables({"mail": {"host": "smtp.example.org", "user": "fedi"}})

    assert (told["GTS_SMTP_HOST"], told["GTS_SMTP_PORT"], told["GTS_SMTP_USERNAME"]) == (
        *("smtp.example.org", "587", "fedi"),
    )
    assert told["GTS_SMTP_PASSWORD"] == "<mail/password password 1>"


def test_its_contract_takes_its_variables() -> None:
    settings = read_settings(Given(variables()))

    assert settings.bucket
    assert settings.bucket.endpoint == "http://10.0.0.2:3900"


def test_the_largest_film_fits_through_the_web_server(context: Context) -> None:
    settings = GotosocialSettings.model_validate({"enable": True, "maxMediaMegabytes": 100})
    site = Gotosocial().typed_requests(context)(settings)["site"]

    assert isinstance(site, WebSite)
    assert site.max_body_megabytes == 115


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    checks = Gotosocial().typed_checks(context)(GotosocialSettings(enable=True))

    assert [check.kind for check in checks] == ["http-answers", "http-answers", "node-info", "web-finger"]
    assert {check.application for check in checks} == {"gotosocial"}


# The initial user


@pytest.fixture
def job(requests: Requests) -> Job:
    account = requests["account"]
    assert isinstance(account, HostItems)
    (job,) = account.items
    assert isinstance(job, Job)
    return job


@pytest.fixture
def gotosocial(tmp_path: Path) -> Iterator[FakeGotosocial]:
    with FakeGotosocial() as server:
        server.put_programs(tmp_path)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run(gotosocial: FakeGotosocial, tmp_path: Path) -> Any:
    def run(command: tuple[str, ...], password: str = PASSWORD) -> tuple[int, str]:
        words = [{"python3": sys.executable, "8081": str(gotosocial.server_port)}.get(word, word) for word in command]
        done = subprocess.run(
            words, input=password, capture_output=True, text=True, timeout=60, env={"PATH": str(tmp_path)}, check=False
        )
        assert password not in done.stdout + done.stderr
        return done.returncode, done.stderr

    return run


def test_the_password_travels_on_standard_input_only(job: Job) -> None:
    assert job.stdin == SecretText(parts=(initial_password("gotosocial"),))
    assert job.run[-6:] == ("8081", DOMAIN, "gotosocial", "test", EMAIL, "Testy McTestface")


def test_the_user_is_made_as_administrator(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    assert run(job.check)[0] == 1
    assert run(job.run) == (0, "")
    assert run(job.check) == (0, "")

    assert gotosocial.seen["test"] == {
        "email": EMAIL,
        "password": PASSWORD,
        "admin": True,
        "display_name": "Testy McTestface",
    }


def test_no_command_is_given_a_password_that_stays(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    run(job.run)

    assert len(gotosocial.secrets) == 1
    assert len(gotosocial.secrets[0]) >= 40
    assert gotosocial.secrets[0] != PASSWORD
    words = [word for command in gotosocial.commands for word in command]
    assert not {PASSWORD, *gotosocial.secrets} & set(words)


def test_making_the_user_again_changes_nothing(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    run(job.run)
    commands = len(gotosocial.commands)

    assert run(job.run) == (0, "")
    assert len(gotosocial.commands) == commands
    assert gotosocial.calls.count("POST /api/v1/user/password_change") == 1


@pytest.mark.parametrize(
    "changed", [{"password": "changed by hand"}, {"admin": False}, {"display_name": "Old"}], ids=str
)
def test_what_is_otherwise_does_not_hold_and_is_mended(
    changed: dict[str, Any], job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    run(job.run)
    gotosocial.change("test", **changed)

    assert run(job.check)[0] == 1
    assert run(job.run) == (0, "")
    assert run(job.check) == (0, "")


def test_what_an_apply_left_half_done_is_taken_up(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, "thrown away by a run that was killed")

    assert run(job.run) == (0, "")
    assert run(job.check) == (0, "")
    assert [command[4:] for command in gotosocial.commands if "create" in command] == []


def test_checking_changes_nothing(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, PASSWORD)

    assert run(job.check)[0] == 1
    assert gotosocial.commands == []
    assert not [call for call in gotosocial.calls if call.startswith("PATCH") or call.endswith("_change")]


def test_another_address_of_the_same_user_is_a_failure_that_says_what_to_do(
    job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    gotosocial.user("test", "old@fediversity.test", PASSWORD)

    status, complaint = run(job.run)

    assert status == 1
    assert f"another address than {EMAIL}" in complaint
    assert "name the old address in the configuration" in complaint


def test_an_address_that_is_taken_is_a_failure_with_upstreams_words(
    job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    gotosocial.user("other", EMAIL, "whatever it is")

    status, complaint = run(job.run)

    assert status == 1
    assert f"`admin account create` of GoToSocial failed: level=ERROR msg=email address {EMAIL}" in complaint


def test_a_password_that_upstream_refuses_is_a_failure(job: Job, run: Any) -> None:
    status, complaint = run(job.run, "too short")

    assert status == 1
    assert "password_change with 400" in complaint
    assert "50% strength" in complaint


def test_a_second_factor_is_the_users_own(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, PASSWORD)
    gotosocial.second_factor = True

    assert run(job.check) == run(job.run) == (0, "")
    status, complaint = run(job.run, "another password of the configuration")
    assert status == 1
    assert "second factor" in complaint


def test_a_server_that_is_not_there_is_a_failure_and_no_traceback(
    job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    gotosocial.shutdown()
    gotosocial.server_close()

    for command in (job.run, job.check):
        status, complaint = run(command)
        assert status == 1
        assert "Connection refused" in complaint
        assert "Traceback" not in complaint
