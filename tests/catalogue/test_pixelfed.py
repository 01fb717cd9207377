"""Pixelfed: what it asks for, how its settings reach it, whom it takes, and that nothing is made twice."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fedikit.catalogue.pixelfed import Pixelfed
from fedikit.catalogue.pixelfed_settings import PixelfedSettings
from fedikit.errors import ConfigurationError
from fedikit.model import (
    CommandHealth,
    Configuration,
    Container,
    Context,
    Deployment,
    HttpHealth,
    Job,
    OneOffJob,
    Request,
    Task,
    Volume,
    WebSite,
    initial_password,
)
from tests.model.example import configuration, environment, files, ids, refusal, variables

MAIL = {"mail": {"host": "smtp.example.org", "user": "fedi", "port": 2465, "encryption": "tls"}}
REMADE = ("framework/cache", "framework/sessions", "framework/views", "logs")
STORAGE = Volume(name="pixelfed-storage", mount="/var/www/html/storage", owner=33, leave_out=REMADE)
BESIDE = STORAGE.model_copy(update={"mount": "/new"})


@pytest.fixture
def requests(context: Context) -> list[Request]:
    settings = PixelfedSettings.model_validate({"enable": True})
    return list(Pixelfed().typed_requests(context)(settings).values())


def deployed(policies: dict[str, Any] | None = None, **settings: Any) -> Deployment:
    return environment(policies or MAIL).deployment(configuration("pixelfed", pixelfed=settings))


def told(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    """The variables of all its containers and jobs."""
    return variables(deployed(policies, **settings), "pixelfed")


def containers(requests: list[Request]) -> dict[str, Container]:
    return {request.name: request for request in requests if isinstance(request, Container)}


def named(requests: list[Request], name: str) -> OneOffJob | Task:
    (found,) = (request for request in requests if isinstance(request, OneOffJob | Task) and request.name == name)
    return found


# What runs


def test_three_processes_of_one_image_share_variables_and_storage(requests: list[Request]) -> None:
    found = containers(requests)

    assert list(found) == ["pixelfed-web", "pixelfed-worker", "pixelfed-scheduler"]
    assert len({container.image for container in found.values()}) == 1
    assert all(container.variables == found["pixelfed-web"].variables for container in found.values())
    assert all(container.volumes == (STORAGE,) for container in found.values())


def test_each_process_has_the_health_check_that_is_its_own(requests: list[Request]) -> None:
    """The web server's own says nothing of PHP behind it, and all three inherit it from the image."""
    health = {name: container.health for name, container in containers(requests).items()}

    web = health.pop("pixelfed-web")
    assert isinstance(web, HttpHealth)
    assert (web.path, web.domain) == ("/api/service/health-check", "pixelfed.fediversity.test")
    assert health == {
        "pixelfed-worker": CommandHealth(command=("php", "artisan", "horizon:status")),
        "pixelfed-scheduler": CommandHealth(command=("healthcheck-schedule",)),
    }


def test_only_the_web_process_prepares_itself_and_migrations_are_a_job(requests: list[Request]) -> None:
    own = {name: dict(container.environment) for name, container in containers(requests).items()}

    assert {name: value for name, value in own["pixelfed-web"].items() if name.startswith("AUTORUN")} == {
        "AUTORUN_ENABLED": "true",
        "AUTORUN_LARAVEL_MIGRATION": "false",
    }
    assert own["pixelfed-worker"] == own["pixelfed-scheduler"] == {}


def test_its_web_server_listens_on_the_host_alone_and_no_other_server_starts(requests: list[Request]) -> None:
    """The image of FrankenPHP can be told where to listen. That of nginx cannot, and has no such command."""
    web = containers(requests)["pixelfed-web"]

    assert web.environment["CADDY_GLOBAL_OPTIONS"] == "default_bind 127.0.0.1"
    assert web.command[:2] == ("frankenphp", "run")
    assert "CADDY_HTTP_PORT" in web.environment


def test_the_provider_may_allot_its_web_server_another_port() -> None:
    written = files(deployed(MAIL | {"port": {"allotted": {"pixelfed-web": 8085}}}).hosts["pixelfed"])

    assert "CADDY_HTTP_PORT=8085" in written["/etc/containers/systemd/pixelfed-web.container"]
    (site,) = (text for path, text in written.items() if path.endswith("/pixelfed.fedi.test.caddy"))
    assert "127.0.0.1:8085" in site


def test_storage_tables_actor_and_keys_are_there_before_anything_runs_and_the_account_after() -> None:
    there = ids(deployed().hosts["pixelfed"])
    order = [
        "database:mariadb/pixelfed",
        "unit:redis-server@pixelfed.service",
        "directory:/srv/pixelfed-storage",
        "job:pixelfed storage",
        "job:pixelfed migrations",
        "job:pixelfed instance actor",
        "job:pixelfed keys",
        "unit:pixelfed-web.service",
        "unit:pixelfed-worker.service",
        "unit:pixelfed-scheduler.service",
        "job:pixelfed personal client",
        "job:pixelfed cities",
        "job:pixelfed what it tells",
        "job:pixelfed owner",
        "job:pixelfed owner name",
        "job:pixelfed owner password",
    ]

    assert [id for id in there if id in order] == order


def test_storage_is_looked_at_anew_for_each_image(requests: list[Request]) -> None:
    storage = named(requests, "storage")
    jobs = {item.name: item for item in deployed().hosts["pixelfed"].items if isinstance(item, Job)}

    assert isinstance(storage, OneOffJob)
    assert storage.volumes == (BESIDE,)
    assert storage.run[-3:] == ("make", "/var/www/html/storage", "/new")
    assert storage.check[-3:] == ("check", "/var/www/html/storage", "/new")
    assert jobs["pixelfed storage"].inputs == (f"image:{Pixelfed.image}",)


# What it is told


def test_its_database_is_mariadb_by_the_driver_that_is_tried() -> None:
    wanted = {"DB_CONNECTION": "mysql", "DB_HOST": "127.0.0.1", "DB_PORT": "3306", "DB_DATABASE": "pixelfed"}

    assert wanted.items() <= told().items()


def test_its_secrets_have_the_forms_that_it_wants() -> None:
    assert {name: value for name, value in told().items() if value.startswith("<")} == {
        "APP_KEY": "<pixelfed/app-key laravel-key 1>",
        "DB_PASSWORD": "<pixelfed/database password 1>",
        "REDIS_PASSWORD": "<pixelfed/cache password 1>",
        "AWS_ACCESS_KEY_ID": "<pixelfed/bucket-key garage-key-id 1>",
        "AWS_SECRET_ACCESS_KEY": "<pixelfed/bucket-key garage-key-secret 1>",
        "MAIL_PASSWORD": "<mail/password password 1>",
    }


def test_it_finds_its_bucket_and_its_own_name() -> None:
    assert {
        "APP_URL": "https://pixelfed.fedi.test",
        "APP_DOMAIN": "pixelfed.fedi.test",
        "ADMIN_DOMAIN": "pixelfed.fedi.test",
        "TRUST_PROXIES": "127.0.0.1/32",
        "FILESYSTEM_CLOUD": "s3",
        "AWS_BUCKET": "pixelfed",
        "AWS_DEFAULT_REGION": "garage",
        "AWS_ENDPOINT": "http://10.0.0.2:3900",
        "AWS_USE_PATH_STYLE_ENDPOINT": "true",
        "AWS_URL": "https://media.pixelfed.fedi.test",
    }.items() <= told().items()


def test_what_is_written_decides_and_not_what_the_database_keeps() -> None:
    """A release after 0.14 lets the database decide whatever is not written at all."""
    without = {"description": "", "rules": [], "registrations": "none", "stories": False, "mediaTypes": ["image/png"]}
    decided = {"APP_NAME", "PF_SHORT_DESCRIPTION", "PF_DESCRIPTION", "PF_RULES", "OPEN_REGISTRATION", "ACTIVITY_PUB"}
    decided |= {"INSTANCE_CUR_REG", "STORIES_ENABLED", "MEDIA_TYPES", "MAX_PHOTO_SIZE", "MAX_ALBUM_LENGTH"}
    decided |= {"IMAGE_QUALITY", "MAX_ACCOUNT_SIZE", "LIMIT_ACCOUNT_SIZE", "ENFORCE_EMAIL_VERIFICATION"}

    written = told(**without)

    assert written["ENABLE_CONFIG_CACHE"] == "false"
    assert [name for name in sorted(decided) if not written.get(name)] == []


def test_its_cookie_is_not_for_the_media_host() -> None:
    assert told()["SESSION_DOMAIN"] == "null"


def test_what_waits_is_found_under_a_new_title() -> None:
    prefixes = ("CACHE_PREFIX", "REDIS_PREFIX", "HORIZON_PREFIX")
    before, after = told(title="One"), told(title="Another")

    assert all(before[name] and before[name] == after[name] for name in prefixes)


def test_code_is_compiled_once() -> None:
    assert told()["PHP_OPCACHE_ENABLE"] == "1"


@pytest.mark.parametrize(("megabytes", "photos"), [(1, 1), (15, 4), (500, 20)])
def test_php_and_the_web_server_let_through_what_pixelfed_takes(megabytes: int, photos: int, context: Context) -> None:
    settings = {"maxPhotoMegabytes": megabytes, "maxAlbumPhotos": photos}
    written = told(**settings)
    model = PixelfedSettings.model_validate({"enable": True, **settings})
    (site,) = (r for r in Pixelfed().typed_requests(context)(model).values() if isinstance(r, WebSite))

    assert int(written["MAX_PHOTO_SIZE"]) * 1024 <= int(written["PHP_UPLOAD_MAX_FILE_SIZE"].removesuffix("M")) * 2**20
    assert int(written["PHP_POST_MAX_SIZE"].removesuffix("M")) > megabytes * photos
    assert site.max_body_megabytes > megabytes * photos


def test_the_providers_proxies_and_authorities_reach_it() -> None:
    authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    policies = MAIL | {"web": {"trust": authority, "proxies": ["192.0.2.0/24"]}}
    written = files(deployed(policies).hosts["pixelfed"])
    containers = [text for path, text in written.items() if path.endswith(".container")]
    bundle = "/etc/ssl/certs/ca-certificates.crt"

    assert told(policies)["TRUST_PROXIES"] == "127.0.0.1/32,192.0.2.0/24"
    assert told(policies)["SSL_CERT_FILE"] == bundle
    assert [f"Volume={bundle}:{bundle}:ro\n" in text for text in containers] == [True] * 3
    assert "SSL_CERT_FILE" not in told()


def test_no_variable_is_one_that_upstream_does_not_read() -> None:
    assert {"FILESYSTEM_DRIVER", "INSTANCE_DESCRIPTION", "MAIL_ENCRYPTION"}.isdisjoint(told())


@pytest.mark.parametrize(
    ("encryption", "scheme", "auto_tls"),
    [("none", "smtp", "false"), ("starttls", "smtp", "true"), ("tls", "smtps", "true")],
)
def test_mail_is_encrypted_as_the_provider_says_at_any_port(encryption: str, scheme: str, auto_tls: str) -> None:
    written = told({"mail": MAIL["mail"] | {"encryption": encryption}})

    assert (written["MAIL_SCHEME"], written["MAIL_AUTO_TLS"], written["MAIL_PORT"]) == (scheme, auto_tls, "2465")


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({"subdomain": "pictures"}, "APP_DOMAIN", "pictures.fedi.test"),
        ({"subdomain": "pictures"}, "AWS_URL", "https://media.pictures.fedi.test"),
        ({"title": "Our # pictures"}, "APP_NAME", "Our # pictures"),
        ({"title": "Ours"}, "MAIL_FROM_NAME", "Ours"),
        ({"title": "Ours"}, "PF_SHORT_DESCRIPTION", "Ours"),
        ({"description": "Of the sea"}, "PF_SHORT_DESCRIPTION", "Of the sea"),
        ({"description": "Of the sea"}, "PF_DESCRIPTION", "Of the sea"),
        ({}, "PF_RULES", "[]"),
        ({"rules": ["Be kind.", 'No "ads", höflich']}, "PF_RULES", '["Be kind.", "No \\"ads\\", höflich"]'),
        ({}, "OPEN_REGISTRATION", "false"),
        ({}, "INSTANCE_CUR_REG", "false"),
        ({}, "ENFORCE_EMAIL_VERIFICATION", "false"),
        ({"registrations": "open"}, "OPEN_REGISTRATION", "true"),
        ({"registrations": "open"}, "INSTANCE_CUR_REG", "false"),
        ({"registrations": "open"}, "ENFORCE_EMAIL_VERIFICATION", "true"),
        ({"registrations": "approved"}, "OPEN_REGISTRATION", "false"),
        ({"registrations": "approved"}, "INSTANCE_CUR_REG", "true"),
        ({"registrations": "approved"}, "ENFORCE_EMAIL_VERIFICATION", "true"),
        ({}, "ACTIVITY_PUB", "true"),
        ({"federation": False}, "ACTIVITY_PUB", "false"),
        ({"publicDiscovery": True}, "INSTANCE_DISCOVER_PUBLIC", "true"),
        ({"stories": True}, "STORIES_ENABLED", "true"),
        ({}, "MEDIA_TYPES", "image/jpeg,image/png,image/gif"),
        ({"mediaTypes": ["image/png", "video/mp4"]}, "MEDIA_TYPES", "image/png,video/mp4"),
        ({"maxPhotoMegabytes": 30}, "MAX_PHOTO_SIZE", "30000"),
        ({"maxAlbumPhotos": 10}, "MAX_ALBUM_LENGTH", "10"),
        ({"maxCaptionCharacters": 2000}, "MAX_CAPTION_LENGTH", "2000"),
        ({"imageQuality": 95}, "IMAGE_QUALITY", "95"),
        ({"quotaMegabytes": 500}, "MAX_ACCOUNT_SIZE", "500000"),
        ({"quotaMegabytes": 500}, "LIMIT_ACCOUNT_SIZE", "true"),
        ({"quotaMegabytes": None}, "LIMIT_ACCOUNT_SIZE", "false"),
        ({"maxUsers": 50}, "PF_MAX_USERS", "50"),
        ({"maxUsers": 50}, "PF_ENFORCE_MAX_USERS", "true"),
        ({"maxUsers": None}, "PF_ENFORCE_MAX_USERS", "false"),
        ({}, "CAPTCHA_ENABLED", "false"),
        ({"captchaSiteKey": "10000000-ffff"}, "CAPTCHA_ENABLED", "true"),
        ({"captchaSiteKey": "10000000-ffff"}, "CAPTCHA_SITEKEY", "10000000-ffff"),
        ({"captchaSiteKey": "10000000-ffff"}, "CAPTCHA_H_SITEKEY", "10000000-ffff"),
        ({"captchaSiteKey": "10000000-ffff"}, "CAPTCHA_SECRET", "<pixelfed/captcha password 1>"),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], variable: str, value: str) -> None:
    assert told(**settings)[variable] == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"quotaMegabytes": 49},
        {"maxAlbumPhotos": 21},
        {"imageQuality": 0},
        {"mediaTypes": []},
        {"mediaTypes": ["image/heic"]},
        {"title": ""},
        {"registrations": "closed"},
    ],
)
def test_what_upstream_would_not_start_with_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        configuration("pixelfed", pixelfed=wrong)


# Whom it takes


@pytest.mark.parametrize("registrations", ["open", "approved"])
def test_who_may_sign_up_needs_mail(registrations: str) -> None:
    asked = configuration("pixelfed", pixelfed={"registrations": registrations})

    ((path, message),) = refusal(environment(), asked)
    assert path == "policies.mail.host"
    assert "pixelfed needs mail for registrations" in message


def test_without_registrations_it_needs_no_mail() -> None:
    assert variables(environment().deployment(configuration("pixelfed")), "pixelfed")["MAIL_MAILER"] == "log"


def person(**details: str) -> Configuration:
    known = {"displayName": "Alice", "username": "alice", "email": "alice@fedi.test"} | details
    written = {"domain": "fedi.test", "initialUser": known, "pixelfed": {"enable": True}}
    return type(configuration("pixelfed")).model_validate_json(json.dumps(written))


@pytest.mark.parametrize("username", ["alice", "al", "alice_b", "a1", "a" * 30])
def test_names_that_it_takes_are_taken(username: str) -> None:
    assert person(username=username).initial_user.username == username


@pytest.mark.parametrize("username", ["alice_b_c", "alice_", "alice__b"])
def test_names_that_make_no_usable_profile_are_refused(username: str) -> None:
    with pytest.raises(ConfigurationError, match="2 to 30 letters and digits"):
        person(username=username)


@pytest.mark.parametrize("username", ["admin", "root", "discover", "settings"])
def test_names_of_its_own_pages_are_refused(username: str) -> None:
    with pytest.raises(ConfigurationError, match="keeps for itself"):
        person(username=username)


def test_a_display_name_that_it_cannot_edit_later_is_refused() -> None:
    assert person(displayName="A" * 30)
    with pytest.raises(ConfigurationError, match="at most 30 characters"):
        person(displayName="A" * 31)


# What is made once


def test_the_password_travels_on_standard_input_only(requests: list[Request]) -> None:
    password, name, owner = (named(requests, f"owner{part}") for part in (" password", " name", ""))

    assert password.stdin == initial_password("pixelfed")
    assert password.run[3:] == ("make", "password", "test")
    assert password.check[3:] == ("check", "password", "test")
    assert name.run[3:] == ("make", "name", "test", "Testy McTestface")
    assert owner.run[3:] == ("make", "account", "test", "test@fediversity.test", "Testy McTestface")
    assert not name.stdin
    assert not owner.stdin


def test_a_new_name_does_not_set_the_password_again() -> None:
    """Who changed it in Pixelfed keeps it."""
    renamed = {"displayName": "Alicia"}
    before, after = (
        {item.id: item for item in environment(MAIL).deployment(person(**details)).hosts["pixelfed"].items}
        for details in ({}, renamed)
    )

    changed = {id for id in before if id.startswith("job:pixelfed") and before[id] != after[id]}
    assert changed == {"job:pixelfed owner", "job:pixelfed owner name"}


def listens_for(number: int, process: int) -> bool:
    caught = re.findall(r"SigCgt:\s+(\w+)", Path(f"/proc/{process}/status").read_text())
    return bool(int(caught[0], 16) & 1 << number - 1)


def test_the_scheduler_ends_when_told_though_php_does_not_listen(requests: list[Request], home: Path) -> None:
    """The first process of a container gets no signal but those that it listens for."""
    (home / "bin/php").write_text("#!/bin/sh\necho begun\nexec sleep 60\n")
    command = containers(requests)["pixelfed-scheduler"].command
    path = f"{home}/bin:{os.environ['PATH']}"
    with subprocess.Popen(
        command, cwd=home, env={"PATH": path}, stdout=subprocess.PIPE, start_new_session=True
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        is_heard = listens_for(signal.SIGTERM, first.pid)
        os.killpg(first.pid, signal.SIGTERM)

    assert (is_heard, first.returncode) == (True, 143)


PHP = """\
#!/bin/sh
printf "%s|" "$@" >> called; echo >> called
test -f storage/oauth-public.key && test "$3" != --force && exit 1
touch storage/oauth-private.key storage/oauth-public.key
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("bin", "storage", "new"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/php").write_text(PHP)
    (tmp_path / "bin/php").chmod(0o755)
    return tmp_path


def run(command: tuple[Any, ...], home: Path) -> int:
    environment = {"PATH": f"{home}/bin:{os.environ['PATH']}"}
    words = [str(word).replace("/var/www/html", str(home)).replace("/new", f"{home}/new") for word in command]
    return subprocess.run(words, cwd=home, env=environment, timeout=30, check=False).returncode


def test_keys_are_made_once_and_a_new_image_does_not_make_them_again(requests: list[Request], home: Path) -> None:
    job = named(requests, "keys")

    assert run(job.check, home) == 1
    assert run(job.run, home) == 0
    assert run(job.check, home) == 0
    assert run(job.run, home) == 0
    assert len((home / "called").read_text().splitlines()) == 1


def test_a_key_without_the_other_is_made_anew(requests: list[Request], home: Path) -> None:
    (home / "storage/oauth-private.key").touch()

    assert run(named(requests, "keys").check, home) == 1
    assert run(named(requests, "keys").run, home) == 0
    assert (home / "storage/oauth-public.key").exists()


def test_keys_that_cannot_be_made_are_a_failure(requests: list[Request], home: Path) -> None:
    (home / "bin/php").write_text("#!/bin/sh\nexit 1\n")

    assert run(named(requests, "keys").run, home) == 1


def test_the_images_storage_comes_into_the_volume_and_over_nothing(requests: list[Request], home: Path) -> None:
    job = named(requests, "storage")
    image, volume = home / "storage", home / "new"
    (image / "app/public/avatars").mkdir(parents=True)
    (image / "app/public/avatars/default.jpg").write_text("upstream's")
    (image / "app/cities.json").write_text("[]")
    (volume / "app/public/avatars").mkdir(parents=True)
    (volume / "app/public/avatars/default.jpg").write_text("the users'")
    (volume / "app/public/avatars/alice.jpg").write_text("Alice")

    assert run(job.check, home) == 1
    assert run(job.run, home) == 0
    assert run(job.check, home) == 0
    assert (volume / "app/public/avatars/default.jpg").read_text() == "the users'"
    assert (volume / "app/public/avatars/alice.jpg").read_text() == "Alice"
    assert (volume / "app/cities.json").read_text() == "[]"


def test_a_new_image_brings_what_it_has_more(requests: list[Request], home: Path) -> None:
    job = named(requests, "storage")
    run(job.run, home)
    (home / "storage/app").mkdir()
    (home / "storage/app/more.json").write_text("{}")

    assert run(job.check, home) == 1
    assert run(job.run, home) == 0
    assert (home / "new/app/more.json").read_text() == "{}"


@pytest.mark.parametrize("folder", ["framework/views", "framework/cache/data", "framework/sessions", "logs"])
def test_what_laravel_cannot_start_without_is_there_though_the_image_lacks_it(
    folder: str, requests: list[Request], home: Path
) -> None:
    assert run(named(requests, "storage").run, home) == 0

    assert (home / "new" / folder).is_dir()


def test_a_copy_that_was_cut_short_is_not_taken_for_the_file(requests: list[Request], home: Path) -> None:
    job = named(requests, "storage")
    (home / "storage/cities.json").write_text("[1, 2, 3]")
    (home / "bin/cp").write_text('#!/bin/sh\nprintf "[1" > "$2"\nexit 1\n')
    (home / "bin/cp").chmod(0o755)

    assert run(job.run, home) == 1
    assert run(job.check, home) == 1
    (home / "bin/cp").unlink()
    assert run(job.run, home) == 0
    assert (home / "new/cities.json").read_text() == "[1, 2, 3]"


# How one sees that it works


def test_it_is_checked_as_a_user_would_see_it(context: Context) -> None:
    settings = PixelfedSettings.model_validate({"enable": True})
    checks = Pixelfed().typed_checks(context)(settings)

    assert [check.kind for check in checks] == ["http-answers", "http-answers", "node-info", "web-finger"]
    assert {check.application for check in checks} == {"pixelfed"}
