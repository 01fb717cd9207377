"""The contract image of Pixelfed: what it refuses, its console, its pages, and the way of a picture to the bucket."""

import http.client
import json
import re
import shutil
import signal
import smtplib
import socketserver
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

import fedikit.catalogue
from fedikit_lab.contract.pixelfed import COMMANDS, FILES, IMAGE
from fedikit_lab.contract.pixelfed_mail import send
from fedikit_lab.contract.pixelfed_settings import Settings, Variables, read_settings
from fedikit_lab.contract.shared import Refused
from tests.lab.contract.conftest import PACKAGE, VERSION, Program, Stored, free_port, wait_until
from tests.model.example import configuration, environment, variables

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
    "SESSION_DOMAIN": "null",
    "ENABLE_CONFIG_CACHE": "false",
    "MAIL_MAILER": "log",
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
    ("MAX_ALBUM_LENGTH", "21"),
    ("MAX_ACCOUNT_SIZE", "49999"),
    ("MAX_PHOTO_SIZE", ""),
    ("PF_RULES", "Be kind."),
    ("MAIL_SCHEME", "tls"),
    ("PHP_POST_MAX_SIZE", "much"),
    ("INSTANCE_DISCRIPTION", "misspelt"),
    ("TRUST_PROXIES", ""),
    ("TRUST_PROXIES", '"*"'),
    ("DB_CONNECTION", "mariadb"),
    ("DB_PASSWORD", ""),
    ("DB_PORT", "mysql"),
    ("QUEUE_DRIVER", "sync"),
    ("FILESYSTEM_CLOUD", "local"),
    ("FILESYSTEM_DRIVER", "local"),
    ("AWS_ENDPOINT", "127.0.0.1:3900"),
    ("AWS_URL", "media.fediversity.test"),
    ("AWS_SECRET_ACCESS_KEY", "'bucket-password'"),
    ("OPEN_REGISTRATION", "no"),
]
BOOTSTRAP = (
    'require "vendor/autoload.php"; $app = require "bootstrap/app.php"; '
    "$app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap(); "
)
NAMES = PACKAGE / "files/pixelfed_variables.txt"
SCRIPTS = Path(str(fedikit.catalogue.__file__)).parent
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

    def send(self, path: str, **fields: str) -> tuple[int, str, str]:
        """Sends the form that is at an address."""
        self.ask("GET", path)
        body = urllib.parse.urlencode({"_token": self.token, **fields})
        return self.ask("POST", path, body.encode(), Content_Type=FORM)

    def log_in(self, password: str, email: str = FIRST[2]) -> str:
        """Where the login leads."""
        return self.send("/login", email=email, password=password)[2]

    def complaint(self, path: str) -> str:
        """What a form says was wrong."""
        found = re.search(r"<strong>([^<]*)</strong>", self.ask("GET", path)[1])
        return found[1] if found else ""


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Path]:
    """A MariaDB server with a user `pixelfed`; gives its socket, beside which lies the number of its port."""
    if not shutil.which("mariadbd") or not shutil.which("php"):
        pytest.skip("needs mariadb-server, php-cli and php-mysql")
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
    for owned in IMAGE["owned"]:
        (program.directory / Path(owned).relative_to(WORKDIR)).mkdir(parents=True, exist_ok=True)
    flush = ["redis-cli", "--no-auth-warning", "-p", cache["REDIS_PORT"], "-a", cache["REDIS_PASSWORD"], "-n", "5"]
    subprocess.run([*flush, "flushdb"], check=True, capture_output=True)
    assert artisan(program, "migrate", "--force").returncode == 0
    assert artisan(program, "storage:link").returncode == 0
    assert create_user(program, *FIRST).returncode == 0
    return program


@pytest.fixture
def visitor(pixelfed: Program) -> Visitor:
    """Somebody before the running web server."""
    return served(pixelfed)


def served(program: Program, **variables: str) -> Visitor:
    """Somebody before a web server that is started with these variables."""
    port = free_port()
    where = {"CADDY_HTTP_PORT": str(port), "CADDY_GLOBAL_OPTIONS": "default_bind 127.0.0.1"}
    says = f"Listening on http://127.0.0.1:{port}"
    program.start("pixelfed", "frankenphp", "run", says=says, **where, **variables)
    return Visitor(port)


def script(program: Program, name: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """One of the recipe's scripts, as it is run in a container."""
    code = (SCRIPTS / name).read_text().removeprefix("<?php\n")
    return program.run("pixelfed", "php", "-r", code, *arguments, given=given)


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


def upload(visitor: Visitor, content: bytes = PICTURE) -> tuple[int, str, str]:
    visitor.ask("GET", "/i/web/compose")
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head + content + b"\r\n--edge--\r\n"
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


def settings(**variables: str) -> Settings:
    return read_settings(Variables({**COMPLETE, **variables}, NAMES))


# What it is started with


def test_the_programs_of_the_image_are_there() -> None:
    assert {command for command, *_ in COMMANDS.values()} == {"entrypoint", "frankenphp", "healthcheck-schedule", "php"}
    assert all((PACKAGE / "files" / name).is_file() for name in FILES.values())


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_variable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as refusal:
        settings(**{name: value})
    assert len(value) < 10 or value not in str(refusal.value)


@pytest.mark.parametrize("name", ["INSTANCE_DISCRIPTION", "FILESYSTEM_DRIVER", "SMTP_HOST", "PF_ENABLE_S3"])
def test_a_variable_that_upstream_does_not_read_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=f"^{name} is not a variable that upstream reads$"):
        settings(**{name: "x"})


@pytest.mark.parametrize("registrations", ["none", "open", "approved"])
def test_all_variables_of_the_recipe_are_taken(registrations: str) -> None:
    """As the recipe writes them: a secret of a form is as long as its name says."""
    mail = {"mail": {"host": "smtp.example.org", "user": "fedi", "port": 2465, "encryption": "tls"}}
    chosen = configuration("pixelfed", pixelfed={"registrations": registrations, "captchaSiteKey": "a-key"})
    written = variables(environment(mail).deployment(chosen), "pixelfed")
    secret = {"APP_KEY": COMPLETE["APP_KEY"], "AWS_SECRET_ACCESS_KEY": "a secret"}

    read = read_settings(Variables(written | secret, NAMES))

    assert (read.cookie_domain, read.keeps_first, read.mail.is_tls) == ("", False, True)
    assert read.demands_confirmed_email == (registrations != "none")
    assert read.kept["pixelfed.open_registration"] == ("1" if registrations == "open" else "")


@pytest.mark.parametrize("program", [("frankenphp", "run"), ("php", "artisan", "horizon"), ("php", "-r", "")])
def test_a_refusal_is_one_line_and_an_exit_status(make_program: MakeProgram, program: tuple[str, ...]) -> None:
    done = make_program(FILES, WORKDIR, COMPLETE).run("pixelfed", *program, APP_KEY="short")
    told = "APP_KEY has the wrong form: it must be base64: and 32 random bytes in base64\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_complete_variables_are_taken() -> None:
    cloud = settings().cloud
    assert cloud
    assert (cloud.url, cloud.acl, cloud.deletes_local) == (MEDIA, "public-read", True)


def test_an_empty_variable_is_not_an_unset_one() -> None:
    without = {name: value for name, value in COMPLETE.items() if name != "SESSION_DOMAIN"}
    assert read_settings(Variables(without, NAMES)).cookie_domain == DOMAIN
    assert settings(SESSION_DOMAIN="").cookie_domain == ""
    assert settings(OPEN_REGISTRATION="").kept["pixelfed.open_registration"] == ""


@pytest.mark.parametrize(
    ("told", "is_tls"),
    [
        ({"MAIL_PORT": "2465", "MAIL_ENCRYPTION": "ssl"}, False),
        ({"MAIL_PORT": "2465", "MAIL_SCHEME": "smtps"}, True),
        ({"MAIL_PORT": "465"}, True),
        ({"MAIL_PORT": "465", "MAIL_SCHEME": "smtp"}, False),
    ],
)
def test_mail_is_encrypted_by_scheme_and_port(told: dict[str, str], is_tls: bool) -> None:
    assert settings(**told).mail.is_tls == is_tls


# Its console


def test_an_unknown_console_command_is_an_error(make_program: MakeProgram) -> None:
    done = artisan(make_program(FILES, WORKDIR, COMPLETE), "user:forget")
    assert (done.returncode, done.stderr) == (1, 'Command "user:forget" is not defined.\n')


def test_the_entrypoint_becomes_its_command(make_program: MakeProgram) -> None:
    done = make_program(FILES, WORKDIR, {}).run("pixelfed", "entrypoint", "echo", "here")
    assert (done.returncode, done.stdout) == (0, "here\n")


def test_a_server_that_the_image_does_not_have_never_starts(make_program: MakeProgram) -> None:
    done = make_program(FILES, WORKDIR, {}).run("pixelfed", "entrypoint", "php-fpm")
    assert (done.returncode, done.stderr) == (1, "php-fpm cannot be started: No such file or directory\n")


def test_autorun_prepares_the_instance_before_the_command(pixelfed: Program, mariadb: Path) -> None:
    ask_mariadb(mariadb, "drop database pixelfed")
    ask_mariadb(mariadb, "create database pixelfed")
    run = ("pixelfed", "entrypoint", "echo", "here")
    assert pixelfed.run(*run, AUTORUN_ENABLED="true", AUTORUN_LARAVEL_MIGRATION="false").returncode == 0
    assert ask_mariadb(mariadb, "show tables from pixelfed") == ""
    done = pixelfed.run(*run, AUTORUN_ENABLED="true")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "here")
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.users") == "0"


def test_over_an_empty_storage_nothing_starts_until_the_images_own_is_there(pixelfed: Program) -> None:
    """As upstream: views have no place, so that `optimize` fails, and the entrypoint with it."""
    directory = pixelfed.directory
    (directory / "storage").rename(directory / "image")
    (directory / "storage").mkdir()
    run = ("pixelfed", "entrypoint", "echo", "here")
    autorun = {"AUTORUN_ENABLED": "true", "AUTORUN_LARAVEL_MIGRATION": "false"}

    done = pixelfed.run(*run, **autorun)
    assert (done.returncode, "Please provide a valid cache path." in done.stderr) == (1, True)

    code = (SCRIPTS / "pixelfed_storage.sh").read_text()
    copy = ["sh", "-c", code, "sh", "make", str(directory / "image"), str(directory / "storage")]
    subprocess.run(copy, check=True, timeout=20)
    assert pixelfed.run(*run, **autorun).returncode == 0
    assert (directory / "public/storage/avatars/default.jpg").is_file()


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
    assert artisan(pixelfed, "passport:keys", "--force").returncode == 0
    again = create_user(pixelfed, *FIRST)
    assert again.returncode == 1
    assert "Duplicate entry" in again.stderr


def test_what_fails_upstream_may_yet_end_well(pixelfed: Program, mariadb: Path) -> None:
    assert artisan(pixelfed, "user:create", "--name=only").returncode == 0
    (pixelfed.directory / "storage/app/cities.json").unlink()
    assert artisan(pixelfed, "import:cities").returncode == 0
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.users") == "1"
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.places") == "0"


def test_what_upstream_repeats_can_be_repeated(pixelfed: Program) -> None:
    for command in ("storage:link", "instance:actor", "instance:actor", "optimize"):
        assert artisan(pixelfed, command).returncode == 0


def test_only_the_word_true_makes_an_administrator(pixelfed: Program, mariadb: Path) -> None:
    options = ["--name=a", "--username=other", "--email=other@fediversity.test", "--password=long enough"]
    assert artisan(pixelfed, "user:create", *options, "--is_admin=1").returncode == 0
    assert ask_mariadb(mariadb, "select username, is_admin from pixelfed.users order by id") == "test\t1\nother\t0"


def test_php_fails_as_laravel_does(pixelfed: Program) -> None:
    nobody = BOOTSTRAP + "App\\Models\\User::whereEmail('nobody@fediversity.test')->firstOrFail();"
    assert pixelfed.run("pixelfed", "php", "-r", nobody).returncode == 255
    former = pixelfed.run("pixelfed", "php", "-r", BOOTSTRAP + "App\\User::whereEmail('x')->first();")
    assert (former.returncode, 'Class "App\\User" not found' in former.stdout + former.stderr) == (255, True)
    unready = 'require "vendor/autoload.php"; bcrypt("x");'
    assert "A facade root has not been set" in pixelfed.run("pixelfed", "php", "-r", unready).stderr


# The recipe's scripts, by PHP


def test_the_recipes_account_is_made_once(pixelfed: Program, visitor: Visitor, mariadb: Path) -> None:
    account = ("account", "alice", "alice@fediversity.test", "Alice")
    assert script(pixelfed, "pixelfed_user.php", "check", *account).returncode == 1
    for _ in range(2):
        done = script(pixelfed, "pixelfed_user.php", "make", *account)
        assert done.returncode == 0, done.stderr
        assert script(pixelfed, "pixelfed_user.php", "check", *account).returncode == 0
    made = "select is_admin, email_verified_at is not null from pixelfed.users where username = 'alice'"
    assert ask_mariadb(mariadb, made) == "1\t1"
    assert visitor.ask("GET", f"/.well-known/webfinger?resource=acct:alice@{DOMAIN}")[0] == 200


def test_an_account_that_was_deleted_is_said_in_words(pixelfed: Program, mariadb: Path) -> None:
    ask_mariadb(mariadb, "update pixelfed.users set deleted_at = now()")
    done = script(pixelfed, "pixelfed_user.php", "make", "account", "test", "test@fediversity.test", "T")
    told = "test was deleted in Pixelfed, and its name cannot be taken again\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_name_for_nobody_is_said_in_words(pixelfed: Program) -> None:
    done = script(pixelfed, "pixelfed_user.php", "make", "name", "nobody", "N")
    assert (done.returncode, done.stderr) == (1, "Pixelfed has no user nobody\n")


def test_the_recipe_renames_its_user(pixelfed: Program, visitor: Visitor) -> None:
    named = ("name", "test", "Re <named>")
    assert script(pixelfed, "pixelfed_user.php", "check", *named).returncode == 1
    assert script(pixelfed, "pixelfed_user.php", "make", *named).returncode == 0
    assert script(pixelfed, "pixelfed_user.php", "check", *named).returncode == 0
    assert visitor.log_in("correct horse") == "/i/web"
    assert "Welcome back, Re &lt;named&gt;" in visitor.ask("GET", "/i/web")[1]


def test_the_recipe_changes_its_users_address(pixelfed: Program, mariadb: Path) -> None:
    address = ("address", "test", "new@fediversity.test")
    assert script(pixelfed, "pixelfed_user.php", "check", *address).returncode == 1
    assert script(pixelfed, "pixelfed_user.php", "make", *address).returncode == 0
    assert script(pixelfed, "pixelfed_user.php", "check", *address).returncode == 0
    assert ask_mariadb(mariadb, "select username, email from pixelfed.users") == "test\tnew@fediversity.test"


def test_an_address_that_another_account_has_is_said_in_words(pixelfed: Program) -> None:
    options = ["--name=a", "--username=other", "--email=new@fediversity.test", "--password=long enough"]
    assert artisan(pixelfed, "user:create", *options).returncode == 0
    done = script(pixelfed, "pixelfed_user.php", "make", "address", "test", "new@fediversity.test")
    told = "another account of Pixelfed has the address new@fediversity.test: other\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_new_password_shuts_out_who_came_in_by_the_old_one(
    pixelfed: Program, visitor: Visitor, mariadb: Path
) -> None:
    token = "insert into pixelfed.oauth_{}_tokens (id, {}, revoked) values ('t', {}, 0)"
    ask_mariadb(mariadb, token.format("access", "client_id, user_id", "1, 1"))
    ask_mariadb(mariadb, token.format("refresh", "access_token_id", "'t'"))
    visitor.log_in("correct horse")
    assert visitor.ask("GET", "/i/web")[0] == 200
    check = ("pixelfed_user.php", "check", "password", "test")

    assert script(pixelfed, *check, given="another horse").returncode == 1
    changed = script(pixelfed, "pixelfed_user.php", "make", "password", "test", given="another horse")

    assert changed.returncode == 0, changed.stderr
    assert script(pixelfed, *check, given="another horse").returncode == 0
    assert visitor.ask("GET", "/i/web")[2] == "/login"
    for kind in ("access", "refresh"):
        assert ask_mariadb(mariadb, f"select revoked from pixelfed.oauth_{kind}_tokens") == "1"
    assert visitor.log_in("correct horse") == "/login"
    assert visitor.log_in("another horse") == "/i/web"


def test_one_personal_client_is_enough(pixelfed: Program, mariadb: Path) -> None:
    assert script(pixelfed, "pixelfed_client.php", "check").returncode == 1
    for _ in range(2):
        assert script(pixelfed, "pixelfed_client.php", "make").returncode == 0
    assert script(pixelfed, "pixelfed_client.php", "check").returncode == 0
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.oauth_clients") == "1"


def test_places_are_there_once_and_an_import_that_was_cut_short_is_done_again(pixelfed: Program, mariadb: Path) -> None:
    assert script(pixelfed, "pixelfed_cities.php", "check").returncode == 1
    assert script(pixelfed, "pixelfed_cities.php", "make").returncode == 0
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.places") == "3"
    ask_mariadb(mariadb, "insert into pixelfed.places (name) values ('of another server')")
    assert script(pixelfed, "pixelfed_cities.php", "make").returncode == 0
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.places") == "4"
    ask_mariadb(mariadb, "delete from pixelfed.places where id > 1")
    assert script(pixelfed, "pixelfed_cities.php", "check").returncode == 1
    assert script(pixelfed, "pixelfed_cities.php", "make").returncode == 0
    assert ask_mariadb(mariadb, "select count(*) from pixelfed.places") == "3"


def test_places_that_cannot_be_imported_are_a_failure(pixelfed: Program) -> None:
    (pixelfed.directory / "storage/app/cities.json").unlink()
    assert script(pixelfed, "pixelfed_cities.php", "make").returncode == 1


# What administrators decide


def test_what_the_database_kept_first_wins_unless_the_variables_decide(pixelfed: Program) -> None:
    before = served(pixelfed, ENABLE_CONFIG_CACHE="true", OPEN_REGISTRATION="true")
    assert before.ask("GET", "/register")[0] == 200
    keeping = served(pixelfed, ENABLE_CONFIG_CACHE="true", OPEN_REGISTRATION="false")
    assert keeping.ask("GET", "/register")[0] == 200
    deciding = served(pixelfed, OPEN_REGISTRATION="false")
    assert deciding.ask("GET", "/register")[0] == 404


def test_people_see_the_description_that_is_shown_and_the_rules(pixelfed: Program) -> None:
    described = {"PF_SHORT_DESCRIPTION": "Of the sea", "PF_DESCRIPTION": "Of the sea", "PF_RULES": '["Be kind."]'}
    told = json.loads(served(pixelfed, INSTANCE_DESCRIPTION="Unseen", **described).ask("GET", "/api/v1/instance")[1])
    assert (told["short_description"], told["description"]) == ("Of the sea", "Of the sea")
    assert told["rules"] == [{"id": "1", "text": "Be kind."}]
    assert "Unseen" not in json.dumps(told)


def test_what_it_tells_is_kept_until_the_recipe_has_it_told_anew(pixelfed: Program) -> None:
    served(pixelfed, APP_NAME="One", CACHE_PREFIX="c", REDIS_PREFIX="r").ask("GET", "/api/v1/instance")
    after = served(pixelfed, APP_NAME="Two", CACHE_PREFIX="c", REDIS_PREFIX="r")
    assert json.loads(after.ask("GET", "/api/v1/instance")[1])["title"] == "One"
    pixelfed.environment |= {"CACHE_PREFIX": "c", "REDIS_PREFIX": "r"}
    assert script(pixelfed, "pixelfed_told.php", "check", "{}").returncode == 1
    assert script(pixelfed, "pixelfed_told.php", "make", "{}").returncode == 0
    assert json.loads(after.ask("GET", "/api/v1/instance")[1])["title"] == "Two"


# How newcomers get in


NEWCOMER = {"name": "Bob", "username": "bob", "email": "bob@fediversity.test", "password": "long enough"}


def test_newcomers_confirm_their_address_and_get_in(pixelfed: Program) -> None:
    visitor = served(pixelfed, OPEN_REGISTRATION="true", ENFORCE_EMAIL_VERIFICATION="true")
    assert visitor.send("/register", **NEWCOMER)[2] == "/login?step=verify"
    assert visitor.log_in("long enough", NEWCOMER["email"]) == "/login?step=verify"
    log = (pixelfed.directory / "pixelfed-0.log").read_text()
    links = re.findall(rf"https://{DOMAIN}(/i/confirm-email/\S+)", log)
    assert visitor.ask("GET", links[0])[2] == "/login"
    assert visitor.log_in("long enough", NEWCOMER["email"]) == "/i/web"


def test_newcomers_who_need_not_confirm_their_address_are_locked_out(pixelfed: Program) -> None:
    visitor = served(pixelfed, OPEN_REGISTRATION="true", ENFORCE_EMAIL_VERIFICATION="false")
    assert visitor.send("/register", **NEWCOMER)[2] == "/i/web"
    visitor.cookies.clear()
    led = visitor.log_in("long enough", NEWCOMER["email"])
    assert visitor.ask("GET", led)[0] == 404


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"username": "b_o_b"}, "Username is invalid."),
        ({"username": "b" * 31}, "Username is invalid."),
        ({"username": "test"}, "The username has already been taken."),
        ({"name": "B" * 31}, "The name may not be greater than 30 characters."),
        ({"password": "short"}, "The password must be at least 8 characters."),
        ({"email": "bob"}, "The email must be a valid email address."),
    ],
)
def test_sign_up_has_upstreams_limits(pixelfed: Program, wrong: dict[str, str], complaint: str) -> None:
    visitor = served(pixelfed, OPEN_REGISTRATION="true")
    assert visitor.send("/register", **NEWCOMER | wrong)[2] == "/register"
    assert visitor.complaint("/register") == complaint
    assert visitor.complaint("/register") == ""


def test_sign_up_may_be_by_approval_by_captcha_or_up_to_a_number(pixelfed: Program) -> None:
    closed = served(pixelfed, OPEN_REGISTRATION="false", INSTANCE_CUR_REG="true")
    assert closed.ask("GET", "/register")[2] == "/auth/sign_up"
    assert closed.ask("GET", "/auth/sign_up")[0] == 200
    asking = served(pixelfed, OPEN_REGISTRATION="true", CAPTCHA_ENABLED="true", CAPTCHA_ENABLED_ON_REGISTER="true")
    assert asking.send("/register", **NEWCOMER)[2] == "/register"
    full = served(pixelfed, OPEN_REGISTRATION="true", PF_MAX_USERS="1")
    assert full.ask("GET", "/register")[2] == "/site/kb/instance-max-users-limit"


class Relay(socketserver.StreamRequestHandler):
    """A mail relay that offers STARTTLS and cannot do it, and knows nobody who could sign in."""

    heard: ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 relay\r\n")
        for line in self.rfile:
            word = line.decode().strip()
            self.heard.append(word)
            answers = {
                "EHLO": "250-relay\r\n250 STARTTLS",
                "DATA": "354 go on",
                "STARTTLS": "454 no",
                "QUIT": "221 bye",
            }
            self.wfile.write(answers.get(word.split(" ")[0].upper(), "250 ok").encode() + b"\r\n")
            if word.upper() == "DATA":
                while self.rfile.readline() != b".\r\n":
                    pass
                self.wfile.write(b"250 taken\r\n")


@pytest.fixture
def relay() -> Iterator[int]:
    Relay.heard.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def test_mail_without_encryption_and_user_is_handed_over_plain(relay: int) -> None:
    told = {"MAIL_MAILER": "smtp", "MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(relay), "MAIL_SCHEME": "smtp"}

    send(settings(**told, MAIL_AUTO_TLS="false").mail, "bob@fediversity.test", "Hello", "Text")
    assert not any(word.upper().startswith(("STARTTLS", "AUTH")) for word in Relay.heard)
    with pytest.raises(smtplib.SMTPException):
        send(settings(**told).mail, "bob@fediversity.test", "Hello", "Text")


# Its pages


def test_pages_are_for_its_own_domain(visitor: Visitor) -> None:
    stranger = Visitor(visitor.port, "127.0.0.1")
    assert stranger.ask("GET", "/healthcheck")[:2] == (200, "OK")
    assert stranger.ask("GET", "/api/service/health-check")[:2] == (200, "OK")
    assert stranger.ask("GET", "/login")[0] == 404
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
    assert visitor.ask("GET", f"/.well-known/webfinger?resource=acct:nobody@{DOMAIN}")[0] == 400


def test_a_name_that_the_console_took_may_make_no_usable_profile(pixelfed: Program, visitor: Visitor) -> None:
    assert create_user(pixelfed, "A", "a_b_c", "abc@fediversity.test", "long enough").returncode == 0
    assert visitor.ask("GET", f"/.well-known/webfinger?resource=acct:a_b_c@{DOMAIN}")[0] == 400


def test_logging_in_takes_the_password_and_the_token(visitor: Visitor) -> None:
    assert visitor.log_in("wrong horse") == "/login"
    assert visitor.complaint("/login") == "These credentials do not match our records."
    assert visitor.ask("GET", "/i/web")[2] == "/login"
    visitor.token = "guessed"
    body = f"_token=guessed&email={FIRST[2]}&password=correct+horse".encode()
    assert visitor.ask("POST", "/login", body, Content_Type=FORM)[0] == 419
    assert visitor.log_in("correct horse") == "/i/web"
    page = visitor.ask("GET", "/i/web")[1]
    assert "Welcome back, Testy McTestface" in page
    assert "Contract image: stands in for Pixelfed in the lab" in page
    assert visitor.ask("POST", "/logout", f"_token={visitor.token}".encode(), Content_Type=FORM)[2] == "/"
    assert visitor.cookies == {"pxfs": ""}


@pytest.mark.parametrize(("domain", "is_shared"), [("null", False), (DOMAIN, True)])
def test_its_cookie_goes_to_the_media_host_only_if_it_has_a_domain(
    pixelfed: Program, domain: str, is_shared: bool
) -> None:
    visitor = served(pixelfed, SESSION_DOMAIN=domain)
    connection = http.client.HTTPConnection("127.0.0.1", visitor.port, timeout=10)
    connection.request("GET", "/login", headers={"Host": DOMAIN})
    cookie = connection.getresponse().headers["Set-Cookie"]
    connection.close()
    assert (f"Domain={DOMAIN}" in cookie) == is_shared


def test_five_wrong_passwords_lock_the_login(visitor: Visitor) -> None:
    for _ in range(5):
        assert visitor.log_in("wrong horse") == "/login"
    assert visitor.log_in("correct horse") == "/login"
    assert visitor.complaint("/login").startswith("Too many login attempts.")


# Its pictures


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


@pytest.mark.parametrize("prefix", ["kept", ""])
def test_what_waits_is_lost_under_a_new_title_unless_prefixes_are_fixed(
    pixelfed: Program, storage: Stored, prefix: str
) -> None:
    fixed = {"REDIS_PREFIX": "pixelfed_database_"} if prefix else {}
    visitor = served(pixelfed, APP_NAME="One", **fixed)
    visitor.log_in("correct horse")
    post_picture(visitor, "")
    renamed = {"APP_NAME": "Two", **fixed}
    pixelfed.start("pixelfed", "php", "artisan", "horizon", says="Horizon started successfully.", **renamed)
    if prefix:
        wait_until(lambda: storage.objects, "the picture to be in the bucket")
    else:
        time.sleep(1.5)
        assert not storage.objects


WEBP = b"RIFF\x00\x00\x00\x00WEBP" + bytes(100)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(100)
LARGE = PICTURE + bytes(120_000)


@pytest.mark.parametrize(
    ("variables", "content", "status", "words"),
    [
        ({}, WEBP, 422, "The file must be a file of type: image/jpeg, image/jpg, image/png, image/gif."),
        ({}, MP4, 422, "The file must be a file of type: image/jpeg, image/jpg, image/png, image/gif."),
        ({"MEDIA_TYPES": "image/webp"}, WEBP, 200, '"type": "image"'),
        ({"MAX_PHOTO_SIZE": "100"}, LARGE, 422, "The file may not be greater than 100 kilobytes."),
        ({"PHP_UPLOAD_MAX_FILE_SIZE": "100K"}, LARGE, 422, "The file failed to upload."),
        ({"PHP_POST_MAX_SIZE": "100K"}, LARGE, 413, "The POST data is too large."),
    ],
)
def test_uploads_have_phps_limits_and_upstreams(
    pixelfed: Program, variables: dict[str, str], content: bytes, status: int, words: str
) -> None:
    visitor = served(pixelfed, **variables)
    visitor.log_in("correct horse")
    found, text, _ = upload(visitor, content)
    assert (found, words in text) == (status, True), text


def test_one_person_may_keep_so_much(pixelfed: Program, mariadb: Path) -> None:
    visitor = served(pixelfed, MAX_ACCOUNT_SIZE="50000")
    visitor.log_in("correct horse")
    assert upload(visitor)[0] == 200
    ask_mariadb(mariadb, "update pixelfed.media set size = 50000000")
    assert upload(visitor)[0] == 403
    free = served(pixelfed, MAX_ACCOUNT_SIZE="50000", LIMIT_ACCOUNT_SIZE="false")
    free.log_in("correct horse")
    assert upload(free)[0] == 200


def test_a_caption_may_be_so_long(pixelfed: Program) -> None:
    visitor = served(pixelfed, MAX_CAPTION_LENGTH="10")
    visitor.log_in("correct horse")
    given = json.dumps({"media": [json.loads(upload(visitor)[1])], "caption": "a" * 11}).encode()
    status, text, _ = visitor.ask("POST", "/api/compose/v0/publish", given, Content_Type="application/json")
    assert (status, json.loads(text)["message"]) == (422, "The caption may not be greater than 10 characters.")


def test_a_feed_tells_of_posts_and_is_kept_until_the_cache_is_cleared(pixelfed: Program, visitor: Visitor) -> None:
    feed = f"/users/{FIRST[1]}.atom"
    visitor.log_in("correct horse")
    assert visitor.ask("GET", "/users/nobody.atom")[0] == 404
    before = visitor.ask("GET", feed)
    assert (before[0], "<entry>" in before[1]) == (200, False)
    number = post_picture(visitor, "").rpartition("/")[2]
    assert "<entry>" not in visitor.ask("GET", feed)[1]
    artisan(pixelfed, "cache:clear")
    assert f'<link rel="alternate" href="https://{DOMAIN}/p/{FIRST[1]}/{number}"/>' in visitor.ask("GET", feed)[1]


def test_horizon_tries_three_times_and_says_why(pixelfed: Program, visitor: Visitor) -> None:
    visitor.log_in("correct horse")
    path = post_picture(visitor, "")
    nowhere = {"AWS_ENDPOINT": "http://127.0.0.1:9"}
    pixelfed.start("pixelfed", "php", "artisan", "horizon", says="Horizon started successfully.", **nowhere)
    log = pixelfed.directory / "pixelfed-1.log"
    wait_until(lambda: log.read_text().count("MediaStoragePipeline 1 FAIL: PUT http://127.0.0.1:9") == 3, "three tries")
    assert shown_picture(visitor, path).startswith(f"https://{DOMAIN}/storage/")


def test_what_follows_a_restore_clears_the_cache_while_horizon_works_on(pixelfed: Program, visitor: Visitor) -> None:
    visitor.log_in("correct horse")
    path = post_picture(visitor, "")
    assert "cleared" in artisan(pixelfed, "cache:clear").stdout
    pixelfed.start("pixelfed", "php", "artisan", "horizon", says="Horizon started successfully.")
    assert artisan(pixelfed, "cache:clear").returncode == 0
    wait_until(lambda: artisan(pixelfed, "horizon:status").returncode == 0, "Horizon to say again that it runs")
    assert shown_picture(visitor, path).startswith(f"https://{DOMAIN}/storage/"), "the job went with the cache"


def test_the_schedule_is_seen_while_it_runs(pixelfed: Program) -> None:
    assert pixelfed.run("pixelfed", "healthcheck-schedule").returncode == 1
    pixelfed.start("pixelfed", "php", "artisan", "schedule:work", says="Running scheduled tasks")
    assert pixelfed.run("pixelfed", "healthcheck-schedule").returncode == 0


def test_the_schedule_does_not_listen_when_it_is_told_to_end(pixelfed: Program) -> None:
    """Upstream's does not, so that the first process of a container, which the kernel spares, never ends by itself."""
    running = pixelfed.start("pixelfed", "php", "artisan", "schedule:work", says="Running scheduled tasks")
    caught = re.findall(r"SigCgt:\s+(\w+)", Path(f"/proc/{running.pid}/status").read_text())
    assert not int(caught[0], 16) & 1 << signal.SIGTERM - 1
