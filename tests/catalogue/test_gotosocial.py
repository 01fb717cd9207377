"""GoToSocial: what it asks for, how its settings reach it, and the script that makes its initial user."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fedikit.environment import load_catalogue
from fedikit.errors import ConfigurationError
from fedikit.model import Deployment, Job, PostgresDatabase, SecretText, initial_password
from fedikit_lab.contract.gotosocial_settings import read_settings
from fedikit_lab.contract.shared import Environment as Given
from tests.catalogue.gotosocial import FakeGotosocial
from tests.model.example import configuration, configured, environment, files, ids, only, written_variables

DOMAIN, EMAIL = "gotosocial.fedi.test", "test@fedi.test"
PASSWORD = 'correct "horse" battery % staple'
HOST = "spare"
PERSON = {"displayName": "Testy McTestface", "username": "test", "email": EMAIL}
MAIL = {"mail": {"host": "smtp.example.org", "user": "fedi"}}
S3 = {"means": "s3", "endpoint": "https://s3.example.org", "region": "eu", "access_key": "key"}
SIGN_IN = {"issuer": "https://id.example.org", "client": "gts", "adminGroups": ["staff", "board"]}
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@cache
def plain() -> Deployment:
    return environment(placement={"gotosocial": HOST}).deployment(configuration("gotosocial"))


def deployment(policies: dict[str, Any] | None = None, **settings: Any) -> Deployment:
    if not policies and not settings:
        return plain()
    return environment(policies, {"gotosocial": HOST}).deployment(configuration("gotosocial", gotosocial=settings))


def items(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    return {item.id: item for item in deployment(policies, **settings).hosts[HOST].items}


def variables(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    lines = written_variables(deployment(policies, **settings).hosts[HOST], "gotosocial").splitlines()
    return dict(line.split("=", 1) for line in lines)


def refusals(person: dict[str, str] | None = None, **settings: Any) -> set[str]:
    chosen = {"initialUser": PERSON | (person or {}), "gotosocial": {"enable": True, **settings}}
    with pytest.raises(ConfigurationError) as refused:
        configured(load_catalogue(), chosen)
    return {mistake.path for mistake in refused.value.mistakes}


def quadlet() -> str:
    return files(deployment().hosts[HOST])["/etc/containers/systemd/gotosocial.container"]


# What runs


def test_one_process_answers_beside_pixelfed() -> None:
    assert "Image=docker.io/superseriousbusiness/gotosocial:0.22.2\n" in quadlet()
    assert "Volume=/srv/gotosocial-cache:/gotosocial/.cache\n" in quadlet()
    assert variables()["GTS_PORT"] == "8081"


def test_a_migration_takes_as_long_as_it_takes() -> None:
    """GoToSocial answers /livez while it migrates, and /readyz when it is through."""
    assert "http://127.0.0.1:8081/livez" in quadlet()
    assert "/readyz" not in quadlet()
    ready = items()["job:gotosocial ready"]

    assert isinstance(ready, Job)
    assert "http://127.0.0.1:8081/readyz" in ready.run
    assert ready.deadline >= 12 * 3600


def test_it_may_take_its_own_grace_to_end_and_write_down_what_it_has_not_sent() -> None:
    """Half a minute for open requests, and a whole one for its queues."""
    assert "StopTimeout=100\n" in quadlet()


def test_a_slow_upload_reaches_it_at_once() -> None:
    """It breaks off what takes longer than half a minute."""
    site = files(deployment(maxMediaMegabytes=100).hosts[HOST])[f"/etc/caddy/sites/{DOMAIN}.caddy"]

    assert "buffer_requests\n\t\t\t\tmax_buffer_size 100MB\n" in site
    assert "max_size 115MB" in site


def test_its_account_is_made_when_it_is_ready() -> None:
    order = ["database:postgresql/gotosocial", "unit:gotosocial.service", "job:gotosocial ready"]
    order += ["job:gotosocial initial user"]

    assert [id for id in ids(deployment().hosts[HOST]) if id in order] == order


def test_it_fits_on_one_host_with_the_others() -> None:
    everything = ("gotosocial", "mastodon", "peertube", "pixelfed")
    placed = only(dict.fromkeys(everything, "objects"), {"postgresql": {"max_connections": 300}})

    assert "unit:gotosocial.service" in ids(placed.deployment(configuration(*everything)).hosts["objects"])


def test_its_database_sorts_by_bytes_and_nobody_else_reads_its_bucket() -> None:
    placed = deployment()

    assert items()["database:postgresql/gotosocial"].collation == "C.UTF-8"
    assert not [record for record in placed.dns if record.name.startswith("media.")]


def test_it_is_checked_as_a_user_would_see_it() -> None:
    kinds = [check.kind for check in deployment().checks if check.application == "gotosocial"]

    assert kinds == ["bucket-works", "dns-resolves", "tls-is-valid", "http-answers", "node-info", "web-finger"]


# Its settings


def test_its_secrets_are_those_of_its_database_and_its_bucket() -> None:
    assert {name: value for name, value in variables().items() if value.startswith("<")} == {
        "GTS_DB_PASSWORD": "<gotosocial/database password 1>",
        "GTS_STORAGE_S3_ACCESS_KEY": "<gotosocial/bucket-key garage-key-id 1>",
        "GTS_STORAGE_S3_SECRET_KEY": "<gotosocial/bucket-key garage-key-secret 1>",
    }


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {"GTS_HOST": DOMAIN, "GTS_ACCOUNT_DOMAIN": DOMAIN, "GTS_BIND_ADDRESS": "127.0.0.1"}),
        ({"subdomain": "social"}, {"GTS_HOST": "social.fedi.test", "GTS_ACCOUNT_DOMAIN": "social.fedi.test"}),
        ({"shortHandles": True}, {"GTS_HOST": DOMAIN, "GTS_ACCOUNT_DOMAIN": "fedi.test"}),
        ({}, {"GTS_ACCOUNTS_REGISTRATION_OPEN": "false", "GTS_ACCOUNTS_REASON_REQUIRED": "true"}),
        ({"registrations": "approved"}, {"GTS_ACCOUNTS_REGISTRATION_OPEN": "true"}),
        ({"registrationsWaiting": 0}, {"GTS_ACCOUNTS_REGISTRATION_BACKLOG_LIMIT": "0"}),
        ({"registrationsADay": 3}, {"GTS_ACCOUNTS_REGISTRATION_DAILY_LIMIT": "3"}),
        ({}, {"GTS_MEDIA_LOCAL_MAX_SIZE": "40MiB", "GTS_MEDIA_REMOTE_CACHE_DAYS": "7"}),
        ({"maxMediaMegabytes": 100, "remoteMediaDays": 0}, {"GTS_MEDIA_LOCAL_MAX_SIZE": "100MiB"}),
        ({"languages": ["de", "pt-BR"]}, {"GTS_INSTANCE_LANGUAGES": "de,pt-BR"}),
        ({"federation": "allowlist"}, {"GTS_INSTANCE_FEDERATION_MODE": "allowlist"}),
        ({"exposes": ["peers", "public_timeline"]}, {"GTS_INSTANCE_EXPOSE_PUBLIC_TIMELINE": "true"}),
        ({"cacheMegabytes": 50}, {"GTS_CACHE_MEMORY_TARGET": "50MiB"}),
        ({}, {"GTS_STORAGE_S3_PROXY": "true"}),
        ({"signIn": SIGN_IN}, {"GTS_OIDC_ENABLED": "true", "GTS_OIDC_ADMIN_GROUPS": "staff,board"}),
        ({"signIn": SIGN_IN}, {"GTS_OIDC_IDP_NAME": "OpenID Connect", "GTS_OIDC_LINK_EXISTING": "true"}),
        ({"signIn": SIGN_IN}, {"GTS_OIDC_CLIENT_SECRET": "<gotosocial/oidc-client password 1>"}),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], wanted: dict[str, str]) -> None:
    assert variables(MAIL, **settings).items() >= wanted.items()


def test_what_is_not_asked_for_is_left_to_upstream() -> None:
    told = variables()

    unasked = ("GTS_SMTP_HOST", "GTS_SMTP_USERNAME", "GTS_INSTANCE_LANGUAGES", "GTS_HTTP_CLIENT_ALLOW_IPS")
    assert not {*unasked, "GTS_OIDC_ENABLED", "GTS_LANDING_PAGE_USER"} & set(told)


def test_every_variable_is_one_that_upstream_reads_and_takes() -> None:
    every = {"signIn": SIGN_IN, "languages": ["de"], "landingPageUser": "test", "exposes": ["peers", "blocklist"]}
    settings = read_settings(Given(variables(MAIL, registrations="approved", shortHandles=True, **every)))

    assert settings.bucket
    assert settings.bucket.endpoint == "http://10.0.0.2:3900"


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
    told = variables(MAIL)

    assert (told["GTS_SMTP_HOST"], told["GTS_SMTP_PORT"], told["GTS_SMTP_USERNAME"]) == (
        *("smtp.example.org", "587", "fedi"),
    )
    assert told["GTS_SMTP_PASSWORD"] == "<mail/password password 1>"


@pytest.mark.parametrize(
    ("relay", "path"),
    [
        ({"encryption": "tls", "port": 465}, "encryption"),
        ({"user": "fedi", "authentication": "cram-md5"}, "authentication"),
        ({"user": "fedi", "encryption": "none"}, "encryption"),
    ],
)
def test_a_relay_that_it_could_not_send_through_is_refused_when_planning(relay: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"policies\.mail\.{path}: should be .*gotosocial"):
        variables({"mail": {"host": "smtp.example.org", **relay}})


@pytest.mark.parametrize(
    "relay",
    [
        {"host": "smtp.example.org", "encryption": "none"},
        {"host": "127.0.0.1", "encryption": "none", "user": "fedi"},
        {"encryption": "tls"},
    ],
    ids=["nobody signs in", "on this host", "no relay at all"],
)
def test_any_other_relay_is_taken(relay: dict[str, Any]) -> None:
    assert variables({"mail": relay}).get("GTS_SMTP_HOST", "") == relay.get("host", "")


def connections(**settings: Any) -> int:
    chosen = configuration("gotosocial", gotosocial=settings)
    requests = chosen.catalogue["gotosocial"].typed_requests(chosen.context)(chosen.settings("gotosocial"))
    (database,) = (request for request in requests.values() if isinstance(request, PostgresDatabase))
    return database.connections


def test_its_connections_to_the_database_are_those_that_it_can_open_on_any_machine() -> None:
    """By upstream, so many for each processor, of which Go takes no more than it is told."""
    assert variables().items() >= {"GOMAXPROCS": "4", "GTS_DB_MAX_OPEN_CONNS_MULTIPLIER": "4"}.items()
    assert connections() == 4 * 4 + 2
    assert connections(processors=16, connectionsPerProcessor=8) == 16 * 8 + 2
    with pytest.raises(ConfigurationError, match=r"policies\.postgresql\.max_connections"):
        variables(processors=16, connectionsPerProcessor=8)


def test_neither_its_address_nor_the_domain_of_its_handles_changes_unnoticed() -> None:
    usual, short, moved = deployment(), deployment(shortHandles=True), deployment(shortHandles=True, subdomain="social")

    assert usual.hosts[HOST].domains == {"gotosocial": DOMAIN, "gotosocial's handles": DOMAIN}
    assert short.hosts[HOST].domains == {"gotosocial": DOMAIN, "gotosocial's handles": "fedi.test"}
    assert moved.hosts[HOST].domains == {"gotosocial": "social.fedi.test", "gotosocial's handles": "fedi.test"}


def test_registrations_without_mail_are_refused_for_nobody_could_confirm_an_address() -> None:
    with pytest.raises(ConfigurationError, match="needs mail for registrations"):
        deployment(registrations="approved")


def test_further_authorities_private_networks_and_proxies_reach_its_container() -> None:
    web = {"trust": CA, "private_networks": ["10.9.0.0/24", "fd00::/8"], "proxies": ["192.0.2.0/24"]}
    told, placed = variables({"web": web}), deployment({"web": web})

    assert told["GTS_HTTP_CLIENT_ALLOW_IPS"] == "10.9.0.0/24,fd00::/8"
    assert told["GTS_TRUSTED_PROXIES"] == "127.0.0.1/32,192.0.2.0/24"
    assert f"Volume={BUNDLE}:{BUNDLE}:ro" in files(placed.hosts[HOST])["/etc/containers/systemd/gotosocial.container"]


def test_short_handles_lead_from_the_bare_domain_to_its_site() -> None:
    site = files(deployment(shortHandles=True).hosts[HOST])["/etc/caddy/sites/fedi.test.caddy"]

    for path in ("webfinger", "host-meta", "nodeinfo"):
        assert f"handle /.well-known/{path} {{\n\t\t\tredir https://{DOMAIN}{{uri}} permanent\n" in site
    check = next(check for check in deployment(shortHandles=True).checks if check.kind == "web-finger")
    assert (check.domain, check.account) == ("fedi.test", "test@fedi.test")


def test_what_it_would_not_take_of_a_person_is_told_before_anything_is_sent() -> None:
    for wrong in ("password12345", "A long one: " + "é" * 31):
        assert refusals({"password": wrong}) == {"initialUser.password"}
    for wrong in ("a..b@fedi.test", ".a@fedi.test", "a.@fedi.test"):
        assert refusals({"email": wrong}) == {"initialUser.email"}


@pytest.mark.parametrize("wrong", [{"languages": ["german"]}, {"landingPageUser": "@test"}, {"federation": "none"}])
def test_a_setting_that_it_would_not_start_with_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        configuration("gotosocial", gotosocial=wrong)


# The initial user


@pytest.fixture
def job() -> Job:
    found = items()["job:gotosocial initial user"]
    assert isinstance(found, Job)
    return found


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
    def run(command: tuple[str, ...], password: str = PASSWORD, **other: str) -> tuple[int, str]:
        place = {"python3": sys.executable, "8081": str(gotosocial.server_port), **other}
        words = [place.get(word, word) for word in command]
        done = subprocess.run(
            words, input=password, capture_output=True, text=True, timeout=60, env={"PATH": str(tmp_path)}, check=False
        )
        assert not password or password not in done.stdout + done.stderr
        return done.returncode, done.stderr

    return run


def test_the_password_travels_on_standard_input_only(job: Job) -> None:
    assert job.stdin == SecretText(parts=(initial_password("gotosocial"),))
    assert job.run[-6:] == ("8081", DOMAIN, "gotosocial", "test", EMAIL, "Testy McTestface")


def test_the_user_is_made_as_administrator(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    assert run(job.check)[0] == 1
    assert run(job.run) == (0, "")
    assert run(job.check) == (0, "")

    user = gotosocial.seen["test"]
    assert (user["email"], user["password"], user["admin"]) == (EMAIL, PASSWORD, True)
    assert user["display_name"] == "Testy McTestface"


def test_a_user_may_be_called_as_the_list_of_users_is_headed(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    assert run(job.check, test="user")[0] == 1
    assert run(job.run, test="user") == (0, "")
    assert run(job.check, test="user") == (0, "")
    assert [command[8] for command in gotosocial.commands if "sh" in command] == ["create"]


def test_no_command_is_given_a_password_that_stays(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    run(job.run)

    assert len(gotosocial.secrets) == 1
    assert len(gotosocial.secrets[0]) >= 40
    assert gotosocial.secrets[0] != PASSWORD
    words = [word for command in gotosocial.commands for word in command]
    assert not {PASSWORD, *gotosocial.secrets} & set(words)


def test_making_the_user_again_changes_nothing(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    run(job.run)
    gotosocial.commands.clear()
    gotosocial.calls.clear()

    assert run(job.run) == (0, "")
    assert [command[-1] for command in gotosocial.commands] == ["list"]
    assert not [call for call in gotosocial.calls if call.startswith("PATCH") or call.endswith("_change")]


def test_no_session_is_left_behind(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, PASSWORD, admin=True)
    gotosocial.tokens |= {"old": ("test", "fedikit"), "phone": ("test", "Tusky"), "other": ("bob", "fedikit")}

    run(job.run)

    assert set(gotosocial.tokens) == {"phone", "other"}


def test_another_password_ends_every_session_of_the_user(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, "stolen", admin=True)
    gotosocial.tokens |= {"thief": ("test", "Tusky"), "other": ("bob", "Tusky")}

    run(job.run)

    assert set(gotosocial.tokens) == {"other"}


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


def test_checking_changes_nothing_and_leaves_nothing(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, PASSWORD, admin=True, display_name="Old")

    assert run(job.check)[0] == 1
    assert [command[-1] for command in gotosocial.commands] == ["list"]
    assert gotosocial.calls == ["POST /auth/sign_in", "GET /@test"]
    assert (gotosocial.apps, gotosocial.tokens) == ({}, {})


def test_it_waits_until_the_server_has_migrated(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, PASSWORD, admin=True)
    gotosocial.unready = 3

    assert run(job.run) == (0, "")


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
    assert f"error executing command: email address {EMAIL} is already in use" in complaint


def test_a_password_that_upstream_refuses_is_a_failure(job: Job, run: Any) -> None:
    status, complaint = run(job.run, "too short")

    assert status == 1
    assert "password_change with 400" in complaint
    assert "% strength" in complaint


def test_a_second_factor_is_the_users_own(job: Job, gotosocial: FakeGotosocial, run: Any) -> None:
    gotosocial.user("test", EMAIL, PASSWORD, admin=True, display_name="Testy McTestface", second_factor=True)

    assert run(job.check) == run(job.run) == (0, "")


def test_a_name_that_only_a_user_with_a_second_factor_can_change_is_not_passed_off_as_changed(
    job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    gotosocial.user("test", EMAIL, PASSWORD, admin=True, display_name="Old", second_factor=True)

    assert run(job.check)[0] == 1
    status, complaint = run(job.run)
    assert status == 1
    assert "only the user can change the display name" in complaint


def test_a_password_behind_a_second_factor_is_a_failure_that_tells_the_way_out(
    job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    gotosocial.user("test", EMAIL, "another", admin=True, second_factor=True)

    status, complaint = run(job.run)
    assert status == 1
    way = "podman exec gotosocial /gotosocial/gotosocial admin account disable-2fa --username test"
    assert f"`{way}`, and apply again" in complaint
    gotosocial.administered("disable-2fa", {"--username": "test"})

    assert run(job.run) == (0, "")
    assert run(job.check) == (0, "")


def test_whoever_signs_in_elsewhere_gets_an_account_whose_password_nobody_knows(
    gotosocial: FakeGotosocial, run: Any
) -> None:
    job = items(signIn=SIGN_IN)["job:gotosocial initial user"]
    assert job.stdin == ""

    assert run(job.check, "")[0] == 1
    assert run(job.run, "") == (0, "")
    assert run(job.check, "") == (0, "")
    assert gotosocial.seen["test"]["password"] == gotosocial.secrets[0]
    assert "POST /api/v1/user/password_change" not in gotosocial.calls


def test_a_server_that_is_not_there_is_a_failure_and_no_traceback(
    job: Job, gotosocial: FakeGotosocial, run: Any
) -> None:
    gotosocial.user("test", EMAIL, PASSWORD, admin=True)
    gotosocial.shutdown()
    gotosocial.server_close()

    status, complaint = run(job.check)
    assert status == 1
    assert "Traceback" not in complaint
    assert "refused" in complaint
