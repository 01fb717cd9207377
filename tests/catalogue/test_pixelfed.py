"""Pixelfed: what it asks for, how its settings reach it, and that keys and account are made no more than once."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fedikit.catalogue.pixelfed import (
    LARAVEL,
    PASSWORD_IS_SET,
    SET_NAME,
    SET_PASSWORD,
    USER_EXISTS,
    Pixelfed,
    PixelfedSettings,
)
from fedikit.model import (
    CommandHealth,
    Container,
    Context,
    HttpHealth,
    MariaDatabase,
    OneOffJob,
    Request,
    Task,
    Volume,
    WebSite,
    initial_password,
)
from tests.model.example import configuration, environment, ids, variables

Requests = dict[str, Request]
STORAGE = Volume(name="pixelfed-storage", mount="/var/www/html/storage", owner=33)


@pytest.fixture
def requests(context: Context) -> Requests:
    return Pixelfed().typed_requests(context)(PixelfedSettings(enable=True))


def test_three_processes_of_one_image_share_variables_and_storage(requests: Requests) -> None:
    found = {name: request for name, request in requests.items() if isinstance(request, Container)}

    assert list(found) == ["web", "worker", "scheduler"]
    for container in found.values():
        assert (container.image, container.variables) == (found["web"].image, found["web"].variables)
        assert container.volumes == (STORAGE,)


def test_each_process_has_the_health_check_that_is_its_own(requests: Requests) -> None:
    health = {name: request.health for name, request in requests.items() if isinstance(request, Container)}

    assert health == {
        "web": HttpHealth(port=8080, path="/healthcheck"),
        "worker": CommandHealth(command=("php", "artisan", "horizon:status")),
        "scheduler": CommandHealth(command=("healthcheck-schedule",)),
    }


def test_only_the_web_process_prepares_itself_and_migrations_are_a_job(requests: Requests) -> None:
    own = {name: request.environment for name, request in requests.items() if isinstance(request, Container)}

    assert own == {
        "web": {"AUTORUN_ENABLED": "true", "AUTORUN_LARAVEL_MIGRATION": "false"},
        "worker": {},
        "scheduler": {},
    }


def test_its_database_is_mariadb_by_the_driver_that_is_tried(requests: Requests) -> None:
    told = variables(environment().deployment(configuration("pixelfed")), "pixelfed")

    assert requests["database"] == MariaDatabase(name="pixelfed", collation="utf8mb4_unicode_ci")
    assert (told["DB_CONNECTION"], told["DB_HOST"], told["DB_PORT"]) == ("mysql", "127.0.0.1", "3306")


def test_tables_actor_and_keys_are_there_before_anything_runs_and_the_account_after() -> None:
    there = ids(environment().deployment(configuration("pixelfed")).hosts["pixelfed"])
    order = [
        "database:mariadb/pixelfed",
        "unit:redis-server@pixelfed.service",
        "directory:/srv/pixelfed-storage",
        "job:pixelfed migrations",
        "job:pixelfed instance actor",
        "job:pixelfed keys",
        "unit:pixelfed-web.service",
        "unit:pixelfed-worker.service",
        "unit:pixelfed-scheduler.service",
        "job:pixelfed owner",
        "job:pixelfed owner name",
        "job:pixelfed owner password",
    ]

    assert [id for id in there if id in order] == order


def test_its_secrets_have_the_forms_that_it_wants() -> None:
    told = variables(environment().deployment(configuration("pixelfed")), "pixelfed")

    assert {name: value for name, value in told.items() if value.startswith("<")} == {
        "APP_KEY": "<pixelfed/app-key laravel-key 1>",
        "DB_PASSWORD": "<pixelfed/database password 1>",
        "REDIS_PASSWORD": "<pixelfed/cache password 1>",
        "AWS_ACCESS_KEY_ID": "<pixelfed/bucket-key garage-key-id 1>",
        "AWS_SECRET_ACCESS_KEY": "<pixelfed/bucket-key garage-key-secret 1>",
    }


def test_its_web_server_is_told_to_listen_on_the_host_alone() -> None:
    told = variables(environment().deployment(configuration("pixelfed")), "pixelfed")

    assert told["CADDY_GLOBAL_OPTIONS"] == "default_bind 127.0.0.1"


def test_it_finds_its_bucket_and_its_own_name() -> None:
    told = variables(environment().deployment(configuration("pixelfed")), "pixelfed")

    assert {
        "APP_URL": "https://pixelfed.fedi.test",
        "APP_DOMAIN": "pixelfed.fedi.test",
        "ADMIN_DOMAIN": "pixelfed.fedi.test",
        "SESSION_DOMAIN": "pixelfed.fedi.test",
        "TRUST_PROXIES": "127.0.0.1",
        "FILESYSTEM_DRIVER": "local",
        "FILESYSTEM_CLOUD": "s3",
        "AWS_BUCKET": "pixelfed",
        "AWS_DEFAULT_REGION": "garage",
        "AWS_ENDPOINT": "http://10.0.0.2:3900",
        "AWS_USE_PATH_STYLE_ENDPOINT": "true",
        "AWS_URL": "https://media.pixelfed.fedi.test",
    }.items() <= told.items()


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({"subdomain": "pictures"}, "APP_DOMAIN", "pictures.fedi.test"),
        ({"subdomain": "pictures"}, "AWS_URL", "https://media.pictures.fedi.test"),
        ({}, "OPEN_REGISTRATION", "false"),
        ({"registrations": "open"}, "OPEN_REGISTRATION", "true"),
        ({"title": "Our # pictures"}, "APP_NAME", "Our # pictures"),
        ({"title": "Ours"}, "MAIL_FROM_NAME", "Ours"),
        ({"description": "Of the sea"}, "INSTANCE_DESCRIPTION", "Of the sea"),
        ({"maxPhotoMegabytes": 30}, "MAX_PHOTO_SIZE", "30000"),
        ({"maxAlbumPhotos": 10}, "MAX_ALBUM_LENGTH", "10"),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], variable: str, value: str) -> None:
    chosen = configuration("pixelfed", pixelfed=settings)

    assert variables(environment().deployment(chosen), "pixelfed")[variable] == value


def test_a_whole_album_of_the_largest_pictures_fits_through_the_web_server(context: Context) -> None:
    settings = PixelfedSettings.model_validate({"enable": True, "maxPhotoMegabytes": 30, "maxAlbumPhotos": 10})
    site = Pixelfed().typed_requests(context)(settings)["site"]

    assert isinstance(site, WebSite)
    assert site.max_body_megabytes >= 300


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    checks = Pixelfed().typed_checks(context)(PixelfedSettings(enable=True))

    assert [check.kind for check in checks] == ["http-answers", "http-answers", "node-info", "web-finger"]
    assert {check.application for check in checks} == {"pixelfed"}


# Commands that fail where something is there already, with a stand-in for PHP

PHP = """\
#!/bin/sh
test "$1" = -r && exec test -f "account $3"
printf "%s|" "$@" >> called; echo >> called
case "$2" in
passport:keys) test ! -f storage/oauth-private.key && touch storage/oauth-private.key storage/oauth-public.key ;;
user:create) test ! -f "account ${5#--email=}" && touch "account ${5#--email=}" ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "storage").mkdir()
    (tmp_path / "bin/php").write_text(PHP)
    (tmp_path / "bin/php").chmod(0o755)
    return tmp_path


def run(command: tuple[str, ...], home: Path) -> int:
    environment = {"PATH": f"{home}/bin:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=home, env=environment, timeout=30, check=False).returncode


@pytest.mark.parametrize("name", ["keys", "owner"])
def test_it_is_made_once_and_a_new_image_does_not_make_it_again(name: str, requests: Requests, home: Path) -> None:
    job = requests[name]
    assert isinstance(job, OneOffJob | Task)

    assert run(job.check, home) == 1
    assert run(job.run, home) == 0
    assert run(job.check, home) == 0
    assert run(job.run, home) == 0
    assert len((home / "called").read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["keys", "owner"])
def test_what_cannot_be_made_is_a_failure(name: str, requests: Requests, home: Path) -> None:
    job = requests[name]
    assert isinstance(job, OneOffJob | Task)
    (home / "bin/php").write_text("#!/bin/sh\nexit 1\n")

    assert run(job.run, home) == 1


def test_the_account_is_an_administrators_with_a_password_that_nobody_knows(requests: Requests, home: Path) -> None:
    job = requests["owner"]
    assert isinstance(job, OneOffJob | Task)
    run(job.run, home)

    *words, password = (home / "called").read_text().rstrip("|\n").split("|")
    assert words == [
        "artisan",
        "user:create",
        "--name=Testy McTestface",
        "--username=test",
        "--email=test@fediversity.test",
        "--is_admin=true",
        "--confirm_email=1",
    ]
    assert len(password.removeprefix("--password=")) == 32


def test_the_password_travels_on_standard_input_only(requests: Requests) -> None:
    job, name = requests["password"], requests["name"]
    assert isinstance(job, OneOffJob | Task)
    assert isinstance(name, OneOffJob | Task)

    assert job.stdin == initial_password("pixelfed")
    assert job.run == ("php", "-r", SET_PASSWORD, "test@fediversity.test")
    assert job.check == ("php", "-r", PASSWORD_IS_SET, "test@fediversity.test")
    assert name.run == ("php", "-r", SET_NAME, "test@fediversity.test", "Testy McTestface")
    assert all(code.startswith(LARAVEL) for code in (USER_EXISTS, SET_NAME, SET_PASSWORD, PASSWORD_IS_SET))
    assert all("STDIN" in code for code in (SET_PASSWORD, PASSWORD_IS_SET))
