"""Mastodon: what it asks for, how its settings reach it, and that its account is made no more than once."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fedikit.catalogue.mastodon import PASSWORD_IS_SET, SET_NAME, SET_PASSWORD, Mastodon, MastodonSettings
from fedikit.model import (
    Container,
    Context,
    HttpHealth,
    OneOffJob,
    Request,
    Task,
    WebSite,
    initial_password,
)
from tests.model.example import configuration, environment, files, ids, variables

Requests = dict[str, Request]


@pytest.fixture
def requests(context: Context) -> Requests:
    return Mastodon().typed_requests(context)(MastodonSettings(enable=True))


def containers(requests: Requests) -> dict[str, Container]:
    return {name: request for name, request in requests.items() if isinstance(request, Container)}


def test_three_processes_of_two_images_listen_on_the_host_alone(requests: Requests) -> None:
    found = containers(requests)

    assert {name: (container.image.rpartition("/")[2], container.ports) for name, container in found.items()} == {
        "web": ("mastodon:v4.7.4", (3000,)),
        "streaming": ("mastodon-streaming:v4.7.4", (4000,)),
        "sidekiq": ("mastodon:v4.7.4", ()),
    }
    assert all(container.environment["BIND"] == "127.0.0.1" for container in found.values() if container.ports)
    assert found["web"].health == HttpHealth(port=3000, path="/health")
    assert found["streaming"].health == HttpHealth(port=4000, path="/api/v1/streaming/health")


def test_streaming_has_paths_of_its_own(requests: Requests) -> None:
    site = requests["site"]

    assert isinstance(site, WebSite)
    assert {route.path: route.port for route in site.routes} == {"/*": 3000, "/api/v1/streaming*": 4000}
    assert site.max_body_megabytes == 99


def test_the_tables_are_there_before_anything_runs_and_the_account_after() -> None:
    there = ids(environment().deployment(configuration("mastodon")).hosts["mastodon"])
    order = [
        "database:postgresql/mastodon",
        "unit:redis-server@mastodon.service",
        "job:mastodon migrations",
        "unit:mastodon-web.service",
        "job:mastodon owner",
        "job:mastodon owner name",
        "job:mastodon owner password",
        "job:mastodon settings",
    ]

    assert [id for id in there if id in order] == order


def test_a_new_image_migrates_before_it_starts() -> None:
    host = environment().deployment(configuration("mastodon")).hosts["mastodon"]

    (migrations,) = (item.model_dump() for item in host.items if item.id == "job:mastodon migrations")
    assert migrations["inputs"] == ("image:ghcr.io/mastodon/mastodon:v4.7.4",)
    assert migrations["check"] == ()
    assert migrations["run"][-4:] == ("bundle", "exec", "rails", "db:migrate:setup")


def test_its_secrets_have_the_forms_that_it_wants() -> None:
    told = variables(environment().deployment(configuration("mastodon")), "mastodon")

    assert {name: value for name, value in told.items() if value.startswith("<")} == {
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


def test_it_finds_its_database_cache_and_bucket() -> None:
    told = variables(environment().deployment(configuration("mastodon")), "mastodon")

    assert {
        "LOCAL_DOMAIN": "mastodon.fedi.test",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "5432",
        "DB_NAME": "mastodon",
        "DB_USER": "mastodon",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "6401",
        "S3_ENABLED": "true",
        "S3_BUCKET": "mastodon",
        "S3_REGION": "garage",
        "S3_ENDPOINT": "http://10.0.0.2:3900",
        "S3_PROTOCOL": "https",
        "S3_ALIAS_HOST": "media.mastodon.fedi.test",
        "S3_PERMISSION": "",
    }.items() <= told.items()


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({"subdomain": "social"}, "LOCAL_DOMAIN", "social.fedi.test"),
        ({"subdomain": "social"}, "S3_ALIAS_HOST", "media.social.fedi.test"),
        ({"subdomain": "social"}, "SMTP_FROM_ADDRESS", "noreply@social.fedi.test"),
        ({"webProcesses": 4}, "WEB_CONCURRENCY", "4"),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], variable: str, value: str) -> None:
    chosen = configuration("mastodon", mastodon=settings)

    assert variables(environment().deployment(chosen), "mastodon")[variable] == value


def test_background_threads_are_sidekiqs_alone() -> None:
    state = environment().deployment(configuration("mastodon", mastodon={"backgroundThreads": 9})).hosts["mastodon"]

    having = [path for path, content in files(state).items() if "SIDEKIQ_CONCURRENCY=9" in content]
    assert having == ["/etc/containers/systemd/mastodon-sidekiq.container"]


def test_a_limit_of_media_is_the_buckets() -> None:
    chosen = configuration("mastodon", mastodon={"maxMediaGigabytes": 3})

    (bucket,) = (
        item.model_dump()
        for item in environment().deployment(chosen).hosts["objects"].items
        if item.id == "bucket:mastodon"
    )
    assert bucket["max_bytes"] == 3_000_000_000


def test_what_it_keeps_in_its_database_is_given_as_words(context: Context) -> None:
    settings = MastodonSettings(enable=True, registrations="approved", title='The "best"; $HOME', description="")
    job = Mastodon().typed_requests(context)(settings)["settings"]

    assert isinstance(job, OneOffJob | Task)
    assert job.run[:2] == ("bin/rails", "runner")
    assert job.run[3:] == (
        *("registrations_mode", "approved"),
        *("site_title", 'The "best"; $HOME'),
        *("site_short_description", ""),
    )


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    checks = Mastodon().typed_checks(context)(MastodonSettings(enable=True))

    assert [check.kind for check in checks] == ["http-answers", "http-answers", "node-info", "web-finger"]
    assert {check.application for check in checks} == {"mastodon"}


# The owner's account, with stand-ins for upstream's commands


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where `bin/rails` knows whom `bin/tootctl` made; each notes what it was called with."""
    (tmp_path / "bin").mkdir()
    commands = {"rails": 'test -f "account $3"', "tootctl": 'test ! -f "account $5" && touch "account $5"'}
    for name, does in commands.items():
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\nprintf "%s|" {name} "$@" >> called; echo >> called\n{does}\n')
        command.chmod(0o755)
    return tmp_path


def run(command: tuple[str, ...], home: Path) -> int:
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=home, env=environment, timeout=30, check=False).returncode


def test_the_account_is_made_as_owner_with_an_address_that_counts(requests: Requests, home: Path) -> None:
    owner = requests["owner"]
    assert isinstance(owner, OneOffJob | Task)

    assert run(owner.check, home) == 1
    assert run(owner.run, home) == 0
    assert run(owner.check, home) == 0
    made = "tootctl|accounts|create|test|--email|test@fediversity.test|--confirmed|--approve|--role|Owner|"
    assert (home / "called").read_text().splitlines()[2] == made


def test_a_new_image_makes_no_second_account(requests: Requests, home: Path) -> None:
    owner = requests["owner"]
    assert isinstance(owner, OneOffJob | Task)
    run(owner.run, home)

    assert run(owner.run, home) == 0
    assert (home / "called").read_text().count("tootctl") == 1


def test_an_account_that_cannot_be_made_is_a_failure(requests: Requests, home: Path) -> None:
    owner = requests["owner"]
    assert isinstance(owner, OneOffJob | Task)
    (home / "bin/tootctl").write_text("#!/bin/sh\nexit 1\n")

    assert run(owner.run, home) == 1


def test_the_password_travels_on_standard_input_only(requests: Requests) -> None:
    password, name = requests["password"], requests["name"]
    assert isinstance(password, OneOffJob | Task)
    assert isinstance(name, OneOffJob | Task)

    assert password.stdin == initial_password("mastodon")
    assert password.run == ("bin/rails", "runner", SET_PASSWORD, "test@fediversity.test")
    assert password.check == ("bin/rails", "runner", PASSWORD_IS_SET, "test@fediversity.test")
    assert "$stdin.read" in SET_PASSWORD
    assert "$stdin.read" in PASSWORD_IS_SET
    assert name.run == ("bin/rails", "runner", SET_NAME, "test", "Testy McTestface")
