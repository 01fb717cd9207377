"""The contract image of Pixelfed: what it refuses, its console, its pages, and the way of a picture to the bucket."""

import http.client
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fedikit_lab.contract.pixelfed import COMMANDS, FILES, IMAGE
from fedikit_lab.contract.pixelfed_settings import read_settings
from fedikit_lab.contract.shared import Environment, Refused
from tests.lab.contract.conftest import PACKAGE, VERSION, Program, Stored, free_port, wait_until

WORKDIR = str(IMAGE["workdir"])
DOMAIN = "pixelfed.fediversity.test"
MEDIA = "https://media.fediversity.test"
FORM = "application/x-www-form-urlencoded"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
FIRST = ("Testy McTestface", "test", "test@fediversity.test", "correct horse")
COMPLETE = {
    "APP_KEY": "base64:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "APP_URL": f"https://{DOMAIN}",
    "APP_DOMAIN": DOMAIN,
    "ADMIN_DOMAIN": DOMAIN,
    "SESSION_DOMAIN": DOMAIN,
    "TRUST_PROXIES": "*",
    "DB_CONNECTION": "mysql",
    "DB_HOST": "127.0.0.1",
    "DB_PORT": "9",
    "DB_DATABASE": "pixelfed",
    "DB_USERNAME": "pixelfed",
    "DB_PASSWORD": "database-password",
    "REDIS_HOST": "127.0.0.1",
    "CACHE_DRIVER": "redis",
    "QUEUE_DRIVER": "redis",
    "PF_ENABLE_CLOUD": "true",
    "FILESYSTEM_CLOUD": "s3",
    "AWS_ENDPOINT": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "garage",
    "AWS_BUCKET": "pixelfed",
    "AWS_ACCESS_KEY_ID": "GK000000000000000000000000",
    "AWS_SECRET_ACCESS_KEY": "bucket-password",
    "AWS_USE_PATH_STYLE_ENDPOINT": "true",
    "AWS_URL": MEDIA,
}
WRONG = [
    ("APP_KEY", ""),
    ("APP_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    ("APP_KEY", "base64:dG9vIHNob3J0"),
    ("APP_URL", "http://pixelfed.fediversity.test"),
    ("APP_DOMAIN", "https://pixelfed.fediversity.test"),
    ("ADMIN_DOMAIN", "other.fediversity.test"),
    ("SESSION_DOMAIN", ""),
    ("TRUST_PROXIES", ""),
    ("TRUST_PROXIES", '"*"'),
    ("DB_CONNECTION", "mariadb"),
    ("DB_PASSWORD", ""),
    ("DB_PORT", "mysql"),
    ("QUEUE_DRIVER", "sync"),
    ("FILESYSTEM_CLOUD", "local"),
    ("FILESYSTEM_DRIVER", "s3"),
    ("AWS_ENDPOINT", "127.0.0.1:3900"),
    ("AWS_URL", "media.fediversity.test"),
    ("AWS_SECRET_ACCESS_KEY", "'bucket-password'"),
    ("OPEN_REGISTRATION", "no"),
]
BOOTSTRAP = (
    'require "vendor/autoload.php"; $app = require "bootstrap/app.php"; '
    "$app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap(); "
)
MakeProgram = Callable[..., Program]


@dataclass
class Visitor:
    """A browser of somebody: what the proxy in front of the application passes on."""

    port: int
    host: str = DOMAIN
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, str]:
        """Status, body, and where a redirect leads."""
        sent = {"Host": self.host, "X-Forwarded-Proto": "https", "X-CSRF-TOKEN": self.token}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode("latin-1")
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, value = cookie.split(";")[0].split("=")
            assert "; Secure; HttpOnly" in cookie
            self.cookies[name] = value
        self.token = found[1] if (found := re.search(r'name="(?:csrf-token|_token)" \w+="(\w+)"', text)) else self.token
        return answer.status, text, answer.headers.get("Location", "")

    def log_in(self, password: str) -> tuple[int, str, str]:
        self.ask("GET", "/login")
        body = f"_token={self.token}&email={FIRST[2]}&password={password.replace(' ', '+')}"
        return self.ask("POST", "/login", body.encode(), Content_Type=FORM)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Path]:
    """A MariaDB server with a user `pixelfed`; gives its socket, beside which lies the number of its port."""
    if not shutil.which("mariadbd"):
        pytest.skip("needs mariadb-server")
    with tempfile.TemporaryDirectory(prefix="fedikit-mariadb-") as name:
        home = Path(name)
        shutil.chown(home, "mysql")
        how = ["--user=mysql", f"--datadir={home}/data", "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(["mariadb-install-db", "--no-defaults", *how], check=True, capture_output=True)
        port, socket = free_port(), home / "socket"
        place = [f"--datadir={home}/data", f"--socket={socket}", f"--port={port}", f"--pid-file={home}/pid"]
        command = ["mariadbd", "--no-defaults", "--user=mysql", "--bind-address=127.0.0.1", *place]
        with (home / "log").open("w") as log:
            server = subprocess.Popen(command, stderr=log)
        wait_until(lambda: "ready for connections" in (home / "log").read_text(), "MariaDB to be ready")
        ask_mariadb(socket, "create user pixelfed@localhost identified by 'database-password'")
        (home / "port").write_text(str(port))
        yield socket
        server.terminate()
        server.wait(20)


@pytest.fixture
def pixelfed(
    mariadb: Path, redis_server: dict[str, str], storage: Stored, debian_python: str, make_program: MakeProgram
) -> Program:
    """An instance with empty tables, a first user and an empty cache."""
    for statement in (
        "drop database if exists pixelfed",
        "create database pixelfed",
        "grant all on pixelfed.* to pixelfed@localhost",
    ):
        ask_mariadb(mariadb, statement)
    cache = {"REDIS_PORT": redis_server["port"], "REDIS_PASSWORD": redis_server["password"], "REDIS_DATABASE": "5"}
    places = {"DB_PORT": (mariadb.parent / "port").read_text(), "AWS_ENDPOINT": storage.endpoint}
    program = make_program(FILES, WORKDIR, {**COMPLETE, **cache, **places}, python=debian_python)
    flush = ["redis-cli", "--no-auth-warning", "-p", cache["REDIS_PORT"], "-a", cache["REDIS_PASSWORD"], "-n", "5"]
    subprocess.run([*flush, "flushdb"], check=True, capture_output=True)
    assert artisan(program, "migrate", "--force").returncode == 0
    assert artisan(program, "storage:link").returncode == 0
    assert create_user(program, *FIRST).returncode == 0
    return program


@pytest.fixture
def visitor(pixelfed: Program) -> Visitor:
    """Somebody before the running web server."""
    port = free_port()
    where = {"CADDY_HTTP_PORT": str(port), "CADDY_GLOBAL_OPTIONS": "default_bind 127.0.0.1"}
    pixelfed.start("pixelfed", "frankenphp", "run", says=f"Listening on http://127.0.0.1:{port}", **where)
    return Visitor(port)


def ask_mariadb(socket: Path, statement: str) -> str:
    command = ["mariadb", "--no-defaults", "--socket", str(socket), "--user=root", "-BNe", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.strip()


def artisan(program: Program, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return program.run("pixelfed", "php", "artisan", *arguments, **variables)


def create_user(
    program: Program, name: str, username: str, email: str, password: str
) -> subprocess.CompletedProcess[str]:
    options = [f"--name={name}", f"--username={username}", f"--email={email}", f"--password={password}"]
    return artisan(program, "user:create", *options, "--is_admin=true", "--confirm_email=1")


def upload(visitor: Visitor) -> tuple[int, str, str]:
    visitor.ask("GET", "/i/web/compose")
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head + PICTURE + b"\r\n--edge--\r\n"
    form = "multipart/form-data; boundary=edge"
    return visitor.ask("POST", "/api/compose/v0/media/upload", body, Content_Type=form)


def post_picture(visitor: Visitor, caption: str) -> str:
    """Posts as the page's script does; tells the path of the post."""
    status, text, _ = upload(visitor)
    assert status == 200, text
    given = json.dumps({"media": [json.loads(text)], "caption": caption}).encode()
    status, text, _ = visitor.ask("POST", "/api/compose/v0/publish", given, Content_Type="application/json")
    assert status == 200, text
    return f"/i/web/post/{json.loads(text).rpartition('/')[2]}"


def shown_picture(visitor: Visitor, path: str) -> str:
    found = re.search(r'<img class="card-img-top" src="([^"]+)"', visitor.ask("GET", path)[1])
    assert found
    return found[1]


def test_the_programs_of_the_image_are_there() -> None:
    assert {command for command, *_ in COMMANDS.values()} == {"entrypoint", "frankenphp", "healthcheck-schedule", "php"}
    assert all((PACKAGE / "files" / name).is_file() for name in FILES.values())


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_variable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as refusal:
        read_settings(Environment({**COMPLETE, name: value}))
    assert len(value) < 10 or value not in str(refusal.value)


@pytest.mark.parametrize("program", [("frankenphp", "run"), ("php", "artisan", "horizon")])
def test_a_refusal_is_one_line_and_an_exit_status(make_program: MakeProgram, program: tuple[str, ...]) -> None:
    done = make_program(FILES, WORKDIR, COMPLETE).run("pixelfed", *program, APP_KEY="short")
    told = "APP_KEY has the wrong form: it must be base64: and 32 random bytes in base64\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_complete_variables_are_taken() -> None:
    settings = read_settings(Environment(COMPLETE))
    assert settings.cloud
    assert (settings.cloud.url, settings.cloud.acl, settings.cloud.deletes_local) == (MEDIA, "public-read", True)


def test_an_unknown_console_command_is_an_error(make_program: MakeProgram) -> None:
    done = artisan(make_program(FILES, WORKDIR, COMPLETE), "user:forget")
    assert (done.returncode, done.stderr) == (1, 'Command "user:forget" is not defined.\n')


def test_the_entrypoint_becomes_its_command(make_program: MakeProgram) -> None:
    done = make_program(FILES, WORKDIR, {}).run("pixelfed", "entrypoint", "echo", "here")
    assert (done.returncode, done.stdout) == (0, "here\n")


def test_autorun_prepares_the_instance_before_the_command(pixelfed: Program, mariadb: Path) -> None:
    ask_mariadb(mariadb, "drop table pixelfed.users, pixelfed.migrations, pixelfed.profiles, pixelfed.statuses")
    ask_mariadb(mariadb, "drop table pixelfed.media, pixelfed.sessions, pixelfed.instance_actors")
    run = ("pixelfed", "entrypoint", "echo", "here")
    assert pixelfed.run(*run, AUTORUN_ENABLED="true", AUTORUN_LARAVEL_MIGRATION="false").returncode == 0
    assert ask_mariadb(mariadb, "show tables from pixelfed") == ""
    done = pixelfed.run(*run, AUTORUN_ENABLED="true")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "here")
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.users") == "0"


def test_migrating_in_production_takes_force_and_is_idempotent(pixelfed: Program) -> None:
    assert artisan(pixelfed, "migrate").returncode == 1
    assert artisan(pixelfed, "migrate", "--force").stdout == "Nothing to migrate.\n"


def test_a_database_that_refuses_is_told_in_one_line(pixelfed: Program) -> None:
    done = artisan(pixelfed, "migrate", "--force", DB_PASSWORD="another")
    assert done.returncode == 1
    assert "Access denied" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_upstream_does_only_once_fails_twice(pixelfed: Program) -> None:
    assert artisan(pixelfed, "passport:keys").returncode == 0
    assert (pixelfed.directory / "storage/oauth-private.key").read_text().startswith("-----BEGIN PRIVATE KEY")
    assert artisan(pixelfed, "passport:keys").returncode == 1
    again = create_user(pixelfed, *FIRST)
    assert again.returncode == 1
    assert "Duplicate entry" in again.stderr
    assert artisan(pixelfed, "user:create", "--name=only").returncode == 1


def test_what_upstream_repeats_can_be_repeated(pixelfed: Program) -> None:
    for command in ("storage:link", "instance:actor", "instance:actor"):
        assert artisan(pixelfed, command).returncode == 0


def test_only_the_word_true_makes_an_administrator(pixelfed: Program, mariadb: Path) -> None:
    options = ["--name=a", "--username=other", "--email=other@fediversity.test", "--password=long enough"]
    assert artisan(pixelfed, "user:create", *options, "--is_admin=1").returncode == 0
    assert ask_mariadb(mariadb, "select username, is_admin from pixelfed.users order by id") == "test\t1\nother\t0"


def test_real_php_reads_and_changes_a_user(pixelfed: Program, visitor: Visitor) -> None:
    code = BOOTSTRAP + (
        "$user = App\\User::whereEmail($argv[1])->firstOrFail(); $new = stream_get_contents(STDIN); "
        "if (Illuminate\\Support\\Facades\\Hash::check($new, $user->password)) { exit(7); } "
        "$user->password = bcrypt($new); $user->save(); $user->profile->name = 'Renamed'; $user->profile->save();"
    )
    change = ("php", "-r", code, FIRST[2])
    assert pixelfed.run("pixelfed", *change, given="another horse").returncode == 0
    assert pixelfed.run("pixelfed", *change, given="another horse").returncode == 7
    assert visitor.log_in("correct horse")[0] == 422
    assert visitor.log_in("another horse")[2] == "/i/web"
    assert "Welcome back, Renamed" in visitor.ask("GET", "/i/web")[1]


def test_php_fails_as_laravel_does(pixelfed: Program) -> None:
    nobody = BOOTSTRAP + "App\\User::whereEmail('nobody@fediversity.test')->firstOrFail();"
    assert pixelfed.run("pixelfed", "php", "-r", nobody).returncode == 255
    unready = 'require "vendor/autoload.php"; bcrypt("x");'
    assert "A facade root has not been set" in pixelfed.run("pixelfed", "php", "-r", unready).stderr


def test_only_its_own_domain_is_answered(visitor: Visitor) -> None:
    stranger = Visitor(visitor.port, "127.0.0.1")
    assert stranger.ask("GET", "/healthcheck")[:2] == (200, "OK")
    assert stranger.ask("GET", "/api/service/health-check")[0] == 404
    assert visitor.ask("GET", "/api/service/health-check")[:2] == (200, "OK")


def test_a_site_address_with_a_host_leaves_other_visitors_an_empty_page(pixelfed: Program) -> None:
    port = free_port()
    site = {"CADDY_HTTP_SERVER_ADDRESS": "http://127.0.0.1", "CADDY_HTTP_PORT": str(port)}
    pixelfed.start("pixelfed", "frankenphp", "run", says=f":{port}", **site)
    assert Visitor(port).ask("GET", "/api/service/health-check")[:2] == (200, "")


def test_other_servers_learn_who_is_there(visitor: Visitor) -> None:
    link = json.loads(visitor.ask("GET", "/.well-known/nodeinfo")[1])["links"][0]["href"]
    told = json.loads(visitor.ask("GET", link.removeprefix(f"https://{DOMAIN}"))[1])
    assert told["software"] == {"name": "pixelfed", "version": VERSION}
    assert json.loads(visitor.ask("GET", "/api/v1/instance")[1])["uri"] == DOMAIN
    assert visitor.ask("GET", f"/.well-known/webfinger?resource=acct:test@{DOMAIN}")[0] == 200
    assert visitor.ask("GET", f"/.well-known/webfinger?resource=acct:nobody@{DOMAIN}")[0] == 404


def test_logging_in_takes_the_password_and_the_token(visitor: Visitor) -> None:
    status, page, _ = visitor.log_in("wrong horse")
    assert status == 422
    assert "These credentials do not match our records." in page
    assert visitor.ask("GET", "/i/web")[2] == "/login"
    visitor.token = "guessed"
    body = f"_token=guessed&email={FIRST[2]}&password=correct+horse".encode()
    assert visitor.ask("POST", "/login", body, Content_Type=FORM)[0] == 419
    assert visitor.log_in("correct horse")[2] == "/i/web"
    page = visitor.ask("GET", "/i/web")[1]
    assert "Welcome back, Testy McTestface" in page
    assert "Contract image: stands in for Pixelfed in the lab" in page
    assert visitor.ask("POST", "/logout", f"_token={visitor.token}".encode(), Content_Type=FORM)[2] == "/"
    assert visitor.cookies == {"pxfs": ""}


def test_five_wrong_passwords_lock_the_login(visitor: Visitor) -> None:
    assert [visitor.log_in("wrong horse")[0] for _ in range(6)] == [422] * 5 + [429]
    assert visitor.log_in("correct horse")[0] == 429


def test_a_picture_moves_to_the_bucket_once_horizon_works(pixelfed: Program, visitor: Visitor, storage: Stored) -> None:
    visitor.log_in("correct horse")
    path = post_picture(visitor, "A <picture>")
    local = shown_picture(visitor, path).removeprefix(f"https://{DOMAIN}")
    assert local.startswith("/storage/m/_v2/")
    assert visitor.ask("GET", local)[1].encode("latin-1") == PICTURE
    assert not storage.objects
    assert artisan(pixelfed, "horizon:status").returncode == 2
    pixelfed.start("pixelfed", "php", "artisan", "horizon", says="Horizon started successfully.")
    wait_until(lambda: shown_picture(visitor, path).startswith(MEDIA), "the picture to be linked from the bucket")
    key = shown_picture(visitor, path).removeprefix(f"{MEDIA}/")
    content, headers = storage.objects[f"/pixelfed/{key}"]
    assert content == PICTURE
    assert (headers["content-type"], headers["x-amz-acl"]) == ("image/png", "public-read")
    assert visitor.ask("GET", local)[0] == 404
    assert "A &lt;picture&gt;" in visitor.ask("GET", "/test")[1]
    assert artisan(pixelfed, "horizon:status").returncode == 0


def test_a_picture_may_not_be_larger_than_the_settings_say(pixelfed: Program) -> None:
    port = free_port()
    pixelfed.start("pixelfed", "frankenphp", says=f":{port}", CADDY_HTTP_PORT=str(port), MAX_PHOTO_SIZE="0")
    visitor = Visitor(port)
    visitor.log_in("correct horse")
    status, text, _ = upload(visitor)
    assert (status, "at most 0 kilobytes" in text) == (422, True)


def test_horizon_tries_three_times_and_says_why(pixelfed: Program, visitor: Visitor) -> None:
    visitor.log_in("correct horse")
    path = post_picture(visitor, "")
    nowhere = {"AWS_ENDPOINT": "http://127.0.0.1:9"}
    pixelfed.start("pixelfed", "php", "artisan", "horizon", says="Horizon started successfully.", **nowhere)
    log = pixelfed.directory / "pixelfed-1.log"
    wait_until(lambda: log.read_text().count("MediaStoragePipeline 1 FAIL: PUT http://127.0.0.1:9") == 3, "three tries")
    assert shown_picture(visitor, path).startswith(f"https://{DOMAIN}/storage/")


def test_the_schedule_is_seen_while_it_runs(pixelfed: Program) -> None:
    assert pixelfed.run("pixelfed", "healthcheck-schedule").returncode == 1
    running = pixelfed.start("pixelfed", "php", "artisan", "schedule:work", says="Running scheduled tasks")
    assert pixelfed.run("pixelfed", "healthcheck-schedule").returncode == 0
    running.terminate()
    assert running.wait(10) == 0
