"""Mastodon: what comes of its recipe, how its settings reach it, and what is refused before anything is sent."""

import json
from typing import Any

import pytest

from fedikit.catalogue.mastodon import Mastodon
from fedikit.catalogue.mastodon_settings import MastodonSettings, SignIn
from fedikit.errors import ConfigurationError
from fedikit.model import (
    Configuration,
    Context,
    Deployment,
    Job,
    SecretText,
    Settings,
    configuration_model,
    initial_password,
)
from fedikit.model.item import secrets_in
from tests.model.example import PERSON, configuration, environment, files, ids, refusal, variables

Data = dict[str, Any]
RELAY = {"mail": {"host": "relay.example.org"}}
SETTINGS = MastodonSettings.model_json_schema()["properties"]


def deployment(policies: Data | None = None, **settings: Any) -> Deployment:
    return environment(policies).deployment(configuration("mastodon", mastodon=settings))


def told(policies: Data | None = None, **settings: Any) -> dict[str, str]:
    return variables(deployment(policies, **settings), "mastodon")


def jobs(policies: Data | None = None, **settings: Any) -> dict[str, Job]:
    items = deployment(policies, **settings).hosts["mastodon"].items
    return {item.name.removeprefix("mastodon "): item for item in items if isinstance(item, Job)}


def kept(policies: Data | None = None, **settings: Any) -> Data:
    """What Mastodon shall keep in its database."""
    wished: Data = json.loads(jobs(policies, **settings)["settings"].run[-1])
    return wished


def quadlet(name: str, policies: Data | None = None, **settings: Any) -> str:
    return files(deployment(policies, **settings).hosts["mastodon"])[
        f"/etc/containers/systemd/mastodon-{name}.container"
    ]


def with_person(**person: str) -> Configuration:
    chosen = {"domain": "fedi.test", "initialUser": PERSON | person, "mastodon": {"enable": True}}
    model: Configuration = configuration_model({"mastodon": Mastodon()}).model_validate(chosen)
    return model


# What runs


def test_three_processes_of_two_images_listen_on_the_host_alone() -> None:
    web, streaming, sidekiq = quadlet("web"), quadlet("streaming"), quadlet("sidekiq")

    assert all("Image=ghcr.io/mastodon/mastodon:v4.7.4\n" in text for text in (web, sidekiq))
    assert "Image=ghcr.io/mastodon/mastodon-streaming:v4.7.4\n" in streaming
    assert all("Environment=BIND=127.0.0.1\n" in text for text in (web, streaming))
    assert ("PORT=3000" in web, "PORT=4000" in streaming) == (True, True)
    assert "http://127.0.0.1:3000/health" in web
    assert "http://127.0.0.1:4000/api/v1/streaming/health" in streaming


def test_sidekiq_is_healthy_when_it_says_that_it_works() -> None:
    file = "/opt/mastodon/tmp/sidekiq_process_has_started_and_will_begin_processing_jobs"

    assert f'HealthCmd=["test", "-f", "{file}"]' in quadlet("sidekiq")
    assert "Notify=healthy" in quadlet("sidekiq")


def test_slow_hosts_have_the_time_that_the_unit_gives_them() -> None:
    assert all("TimeoutStartSec=300\n" in quadlet(name) for name in ("web", "streaming", "sidekiq"))


def test_old_processes_never_see_what_only_the_new_release_can_work_with() -> None:
    order = [
        "database:postgresql/mastodon",
        "unit:redis-server@mastodon.service",
        "job:mastodon migrations",
        "unit:mastodon-web.service",
        "unit:mastodon-streaming.service",
        "unit:mastodon-sidekiq.service",
        "job:mastodon late migrations",
        "job:mastodon owner",
        "job:mastodon settings",
        "unit:caddy.service",
    ]
    first, second = jobs()["migrations"], jobs()["late migrations"]

    assert [id for id in ids(deployment().hosts["mastodon"]) if id in order] == order
    assert first.run[-4:] == ("bundle", "exec", "rails", "db:prepare")
    assert second.run[-4:] == ("bundle", "exec", "rails", "db:migrate")
    later = "--env=SKIP_POST_DEPLOYMENT_MIGRATIONS=true"
    assert (later in first.run, later in second.run) == (True, False)
    assert all(job.inputs == ("image:ghcr.io/mastodon/mastodon:v4.7.4",) for job in (first, second))


def test_migrations_may_take_hours() -> None:
    assert all(jobs()[name].deadline > 6 * 3600 for name in ("migrations", "late migrations"))


def test_streaming_has_paths_of_its_own_and_the_largest_video_passes() -> None:
    site = files(deployment().hosts["mastodon"])["/etc/caddy/sites/mastodon.fedi.test.caddy"]

    assert "handle /api/v1/streaming* {\n\t\t\treverse_proxy 127.0.0.1:4000" in site
    assert "max_size 105MB" in site


@pytest.mark.parametrize(("shared", "mode"), [(None, "disable"), ("objects", "no-verify")])
def test_streaming_encrypts_where_the_database_is_elsewhere(shared: str | None, mode: str) -> None:
    policies = {"postgresql": {"host": shared}} if shared else {}

    assert f"Environment=DB_SSLMODE={mode}\n" in quadlet("streaming", policies)
    assert "DB_SSLMODE" not in quadlet("web", policies)
    assert "DB_SSLMODE" not in told(policies)


def test_threads_are_connections_and_more_than_postgresql_takes_are_refused() -> None:
    mistakes = refusal(environment(), configuration("mastodon", mastodon={"webProcesses": 32, "backgroundThreads": 50}))
    roomy = {"postgresql": {"max_connections": 300}}

    assert [path for path, _ in mistakes] == ["policies.postgresql.max_connections"]
    assert "225 connections to PostgreSQL may be needed" in mistakes[0][1]
    assert told(roomy, webProcesses=32, backgroundThreads=50)["WEB_CONCURRENCY"] == "32"


# What it is told


def test_its_secrets_have_the_forms_that_it_wants() -> None:
    assert {name: value for name, value in told().items() if value.startswith("<")} == {
        "SECRET_KEY_BASE": "<mastodon/secret-key-base hex128 1>",
        "ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY": "<mastodon/encryption-deterministic-key letters32 1>",
        "ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT": "<mastodon/encryption-key-derivation-salt letters32 1>",
        "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY": "<mastodon/encryption-primary-key letters32 1>",
        "VAPID_PRIVATE_KEY": "<mastodon/vapid vapid-private 1>",
        "VAPID_PUBLIC_KEY": "<mastodon/vapid vapid-public 1>",
        "DB_PASS": "<mastodon/database password 1>",
        "REDIS_PASSWORD": "<mastodon/cache password 1>",
        "AWS_ACCESS_KEY_ID": "<mastodon/bucket-key garage-key-id 1>",
        "AWS_SECRET_ACCESS_KEY": "<mastodon/bucket-key garage-key-secret 1>",
    }


def test_what_is_encrypted_with_a_secret_binds_it_for_ever() -> None:
    secrets = secrets_in(deployment().hosts["mastodon"].items)

    permanent = {secret.name for secret in secrets if secret.permanent}
    keys = ("deterministic-key", "key-derivation-salt", "primary-key")
    assert permanent == {f"mastodon/encryption-{key}" for key in keys}


def test_it_finds_its_database_cache_and_bucket() -> None:
    assert {
        "LOCAL_DOMAIN": "mastodon.fedi.test",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "5432",
        "DB_NAME": "mastodon",
        "DB_USER": "mastodon",
        "REDIS_HOST": "127.0.0.1",
        "S3_ENABLED": "true",
        "S3_BUCKET": "mastodon",
        "S3_REGION": "garage",
        "S3_ENDPOINT": "http://10.0.0.2:3900",
        "S3_PROTOCOL": "https",
        "S3_ALIAS_HOST": "media.mastodon.fedi.test",
        "S3_PERMISSION": "",
        "TRUSTED_PROXY_IP": "127.0.0.1/32",
    }.items() <= told().items()


def test_a_relay_without_a_user_is_not_signed_in_at() -> None:
    plain = told(RELAY)
    named = told({"mail": {**RELAY["mail"], "user": "me", "authentication": "cram-md5"}})

    assert (plain["SMTP_SERVER"], plain["SMTP_AUTH_METHOD"]) == ("relay.example.org", "none")
    assert {"SMTP_LOGIN", "SMTP_PASSWORD"}.isdisjoint(plain)
    assert (named["SMTP_LOGIN"], named["SMTP_AUTH_METHOD"]) == ("me", "cram_md5")
    assert named["SMTP_PASSWORD"] == "<mail/password password 1>"


def test_the_providers_proxies_networks_and_authorities_reach_it() -> None:
    authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    web = {"proxies": ["192.0.2.0/24"], "private_networks": ["10.9.0.0/24"], "trust": authority}
    known = told({"web": web})

    assert known["TRUSTED_PROXY_IP"] == "127.0.0.1/32,192.0.2.0/24"
    assert known["ALLOWED_PRIVATE_ADDRESSES"] == "10.9.0.0/24"
    assert known["SSL_CERT_FILE"] == "/etc/ssl/certs/ca-certificates.crt"
    assert {"ALLOWED_PRIVATE_ADDRESSES", "SSL_CERT_FILE"}.isdisjoint(told())


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({"subdomain": "social"}, "LOCAL_DOMAIN", "social.fedi.test"),
        ({"subdomain": "social"}, "S3_ALIAS_HOST", "media.social.fedi.test"),
        ({"subdomain": "social"}, "SMTP_FROM_ADDRESS", "noreply@social.fedi.test"),
        ({"webProcesses": 4}, "WEB_CONCURRENCY", "4"),
        ({"webThreads": 3}, "MAX_THREADS", "3"),
        ({"backgroundThreads": 9}, "SIDEKIQ_CONCURRENCY", "9"),
        ({"bucketSeconds": 20}, "S3_READ_TIMEOUT", "20"),
        ({"locale": "pt-BR"}, "DEFAULT_LOCALE", "pt-BR"),
        ({"singleUser": True}, "SINGLE_USER_MODE", "true"),
        ({"authorizedFetch": True}, "AUTHORIZED_FETCH", "true"),
        ({"authorizedFetch": False}, "AUTHORIZED_FETCH", "false"),
        ({"limitedFederation": True}, "LIMITED_FEDERATION_MODE", "true"),
        ({"registrationsStayOpen": True}, "DISABLE_AUTOMATIC_SWITCHING_TO_APPROVED_REGISTRATIONS", "true"),
    ],
)
def test_settings_reach_the_variables(settings: Data, variable: str, value: str) -> None:
    assert told(**settings)[variable] == value


def test_an_administrator_decides_of_authorized_fetch_unless_the_operator_does() -> None:
    assert "AUTHORIZED_FETCH" not in told()


def test_a_limit_of_media_is_the_buckets() -> None:
    items = deployment(maxMediaGigabytes=3).hosts["objects"].items

    assert [item.model_dump()["max_bytes"] for item in items if item.id == "bucket:mastodon"] == [3_000_000_000]


def test_people_may_be_known_by_the_bare_domain() -> None:
    short = deployment(shortHandles=True)
    known, state = variables(short, "mastodon"), short.hosts["mastodon"]
    bare = files(state)["/etc/caddy/sites/fedi.test.caddy"]

    assert (known["LOCAL_DOMAIN"], known["WEB_DOMAIN"]) == ("fedi.test", "mastodon.fedi.test")
    assert "WEB_DOMAIN" not in told()
    for path in ("webfinger", "host-meta", "nodeinfo"):
        assert f"handle /.well-known/{path} {{\n\t\t\tredir https://mastodon.fedi.test{{uri}} permanent" in bare
    assert 'header Access-Control-Allow-Origin "*"' in bare
    assert {record.name for record in short.dns} >= {"fedi.test", "mastodon.fedi.test"}
    assert [check.account for check in short.checks if check.kind == "web-finger"] == ["test@fedi.test"]


def test_that_people_are_known_by_the_bare_domain_is_noted_for_ever() -> None:
    assert deployment().hosts["mastodon"].domains == {"mastodon": "mastodon.fedi.test"}
    known = {"mastodon": "fedi.test", "mastodon's web address": "mastodon.fedi.test"}
    assert deployment(shortHandles=True).hosts["mastodon"].domains == known
    moved = deployment(shortHandles=True, subdomain="social").hosts["mastodon"].domains
    assert moved == known | {"mastodon's web address": "social.fedi.test"}


def test_another_service_may_sign_people_in() -> None:
    service = {"issuer": "https://id.fedi.test", "client": "mastodon"}
    known = told(signIn=service)

    assert {
        "OIDC_ENABLED": "true",
        "OIDC_DISCOVERY": "true",
        "OIDC_ISSUER": "https://id.fedi.test",
        "OIDC_CLIENT_ID": "mastodon",
        "OIDC_SCOPE": "openid,profile,email",
        "OIDC_UID_FIELD": "preferred_username",
        "OIDC_REDIRECT_URI": "https://mastodon.fedi.test/auth/auth/openid_connect/callback",
        "OIDC_CLIENT_SECRET": "<mastodon/oidc-client password 1>",
        "OMNIAUTH_ONLY": "false",
    }.items() <= known.items()
    assert not any(name.startswith("OIDC") for name in told())


# What it keeps in its database


def test_remote_media_leaves_after_two_weeks_unless_it_shall_stay() -> None:
    assert kept()["media_cache_retention_period"] == 14
    assert kept(remoteMediaDays=30)["media_cache_retention_period"] == 30
    assert kept(remoteMediaDays=None)["media_cache_retention_period"] == ""


def test_what_is_empty_is_left_to_administrators() -> None:
    assert kept() == {"registrations_mode": "none", "media_cache_retention_period": 14}


def test_words_and_rules_are_given_as_they_are() -> None:
    wished = kept(title='The "best"; $HOME', description="Ours", rules=["Be kind", "No spam"])

    assert (wished["site_title"], wished["site_short_description"]) == ('The "best"; $HOME', "Ours")
    assert wished["rules"] == ["Be kind", "No spam"]


def test_visitors_turn_to_the_initial_user_unless_another_is_named() -> None:
    asked = kept(contactEmail="help@fedi.test")
    other = kept(contactEmail="help@fedi.test", contactAccount="bob")

    assert (asked["site_contact_email"], asked["site_contact_username"]) == ("help@fedi.test", "test")
    assert other["site_contact_username"] == "bob"


def test_one_run_makes_the_owner_and_the_password_travels_on_standard_input_only() -> None:
    owner = jobs()["owner"]

    assert owner.run[:6] == ("podman", "exec", "--interactive", "mastodon-web", "bin/rails", "runner")
    assert owner.run[7] == "make"
    assert json.loads(owner.run[8]) == {"username": "test", "email": "test@fedi.test", "name": "Testy McTestface"}
    assert (owner.check, jobs()["settings"].check) == ((), ())
    assert owner.stdin == SecretText(parts=(initial_password("mastodon"),))


# What is refused when planning


@pytest.mark.parametrize(
    ("person", "path"),
    [
        ({"displayName": "x" * 41}, "initialUser.displayName"),
        ({"email": "a%b@fedi.test"}, "initialUser.email"),
    ],
)
def test_whom_mastodon_would_not_take_is_refused(person: Data, path: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        with_person(**person)
    assert [mistake.path for mistake in refused.value.mistakes] == [path]


def test_a_password_of_more_bytes_than_mastodon_takes_is_refused(context: Context) -> None:
    person, limits = context.initial_user, Mastodon.limits

    assert not list(limits.mistakes("mastodon", person, "x" * 72))
    assert [mistake.path for mistake in limits.mistakes("mastodon", person, "é" * 37)] == ["initialUser.password"]


def test_an_address_is_written_in_small_letters() -> None:
    assert with_person(email="Test@fedi.test").context.initial_user.email == "test@fedi.test"


@pytest.mark.parametrize("registrations", ["open", "approved"])
def test_registrations_need_mail(registrations: str) -> None:
    mistakes = refusal(environment(), configuration("mastodon", mastodon={"registrations": registrations}))

    assert [path for path, _ in mistakes] == ["policies.mail.host"]
    assert "newcomers confirm" in mistakes[0][1]
    assert kept(RELAY, registrations=registrations)["registrations_mode"] == registrations


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"description": "x" * 201}, "mastodon.description"),
        ({"rules": ["x" * 301]}, "mastodon.rules.0"),
        ({"rules": [" "]}, "mastodon.rules.0"),
        ({"locale": "english"}, "mastodon.locale"),
        ({"contactAccount": "bob"}, "mastodon.contactEmail"),
        ({"singleUser": True, "registrations": "open"}, "mastodon.registrations"),
        ({"signIn": {"issuer": "http://id.fedi.test", "client": "x"}}, "mastodon.signIn.issuer"),
        ({"signIn": {"issuer": "https://id.fedi.test", "client": ""}}, "mastodon.signIn.client"),
        ({"signIn": {"issuer": "https://id.fedi.test", "client": "x", "scopes": []}}, "mastodon.signIn.scopes"),
        ({"signIn": {"issuer": "https://id.fedi.test", "client": "x", "nameField": ""}}, "mastodon.signIn.nameField"),
    ],
)
def test_settings_that_upstream_could_not_work_with_are_refused(settings: Data, path: str) -> None:
    with pytest.raises((ConfigurationError, ValueError)) as refused:
        environment(RELAY).deployment(configuration("mastodon", mastodon=settings))
    assert path in str(refused.value)


# What operators see


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"enable", "subdomain", "signIn", "maxMediaGigabytes"}))
def test_every_setting_names_upstreams(name: str) -> None:
    assert SETTINGS[name]["upstream"]


def test_no_setting_is_described_by_its_type_alone() -> None:
    described = [part["description"] for model in (MastodonSettings, SignIn) for part in properties(model)]

    assert "The server's title; what administrators have set if empty." in described
    assert not [words for words in described if words.startswith(("One line of text", "A short name", "An HTTPS"))]


def properties(model: type[Settings] | type[SignIn]) -> list[Data]:
    return list(model.model_json_schema()["properties"].values())


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    checks = Mastodon().typed_checks(context)(MastodonSettings(enable=True))

    assert [check.kind for check in checks] == ["http-answers", "http-answers", "node-info", "web-finger"]
    assert {check.application for check in checks} == {"mastodon"}
