"""The contract image of Mastodon: what it refuses, and that its processes work together over real servers."""

import base64
import http.client
import json
import re
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fedikit_lab.contract import mastodon, mastodon_streaming
from fedikit_lab.contract.mastodon_mail import Server, takes_mail
from fedikit_lab.contract.mastodon_settings import load_settings
from fedikit_lab.contract.shared import Environment, Refused
from tests.lab.contract.conftest import (
    PACKAGE,
    VERSION,
    Program,
    Stored,
    answers,
    ask_postgresql,
    free_port,
    wait_until,
)

DOMAIN = "social.example"
MEDIA = "https://media.social.example"
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FORM = b'--X\r\nContent-Disposition: form-data; name="file"; filename="A Picture.PNG"\r\n'
FORM += b"Content-Type: image/png\r\n\r\n" + PICTURE + b"\r\n--X--\r\n"
FORM_KIND = {"Content-Type": "multipart/form-data; boundary=X"}
_TOKEN = re.compile(r'name="authenticity_token" value="([^"]+)"')


def vapid_pair(number: int = 5) -> tuple[str, str]:
    key = ec.derive_private_key(number, ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode(), base64.urlsafe_b64encode(point).decode()


def variables() -> dict[str, str]:
    private, public = vapid_pair()
    encryption = {f"ACTIVE_RECORD_ENCRYPTION_{name}": "Ab1" * 10 + "xy" for name in ENCRYPTION}
    return {
        "LOCAL_DOMAIN": DOMAIN,
        "SECRET_KEY_BASE": "0f" * 64,
        **encryption,
        "VAPID_PRIVATE_KEY": private,
        "VAPID_PUBLIC_KEY": public,
        "DB_HOST": "127.0.0.1",
        "DB_PASS": "password",
        "REDIS_HOST": "127.0.0.1",
        "S3_ENABLED": "true",
        "S3_BUCKET": "mastodon",
        "S3_REGION": "garage",
        "S3_ENDPOINT": "http://127.0.0.1:3900",
        "S3_PERMISSION": "",
        "S3_PROTOCOL": "https",
        "S3_ALIAS_HOST": MEDIA.removeprefix("https://"),
        "AWS_ACCESS_KEY_ID": "GK" + "0" * 24,
        "AWS_SECRET_ACCESS_KEY": "0" * 64,
        "EMAIL_DOMAIN_ALLOWLIST": DOMAIN,
    }


ENCRYPTION = ("DETERMINISTIC_KEY", "KEY_DERIVATION_SALT", "PRIMARY_KEY")
REQUIRED = [
    *("LOCAL_DOMAIN", "SECRET_KEY_BASE", "VAPID_PRIVATE_KEY", "VAPID_PUBLIC_KEY", "DB_HOST", "DB_PASS", "REDIS_HOST"),
    *("S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *(f"ACTIVE_RECORD_ENCRYPTION_{name}" for name in ENCRYPTION),
]


def test_complete_variables_are_taken() -> None:
    settings = load_settings(Environment(variables()))
    assert settings.media
    assert (settings.media.public, settings.media.acl, settings.media.bucket.path_style) == (MEDIA, "", True)
    assert settings.servers.database["dbname"] == "mastodon_production"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(Refused, match=f"^{name} is not set"):
        load_settings(Environment({**variables(), name: ""}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCAL_DOMAIN", "https://social.example"),
        ("SECRET_KEY_BASE", "0f" * 63),
        ("SECRET_KEY_BASE", "0g" * 64),
        ("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY", "Ab1" * 10),
        ("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY", "test_primary_DO_NOT_USE_IN_PRODUCTION"),
        ("VAPID_PRIVATE_KEY", vapid_pair()[0].rstrip("=")),
        ("VAPID_PUBLIC_KEY", vapid_pair(6)[1]),
        ("DB_PORT", "postgres"),
        ("REDIS_DB", "one"),
        ("S3_ENABLED", "yes"),
        ("S3_ENDPOINT", "127.0.0.1:3900"),
        ("S3_ALIAS_HOST", MEDIA),
        ("SMTP_ENABLE_STARTTLS", "sometimes"),
    ],
)
def test_a_malformed_variable_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"^{name} has the wrong form") as caught:
        load_settings(Environment({**variables(), name: value}))
    assert value not in str(caught.value)


def test_without_a_permission_variable_upstream_s_default_is_an_acl() -> None:
    without = {name: value for name, value in variables().items() if name != "S3_PERMISSION"}
    media = load_settings(Environment(without)).media
    assert media
    assert media.acl == "public-read"


@pytest.mark.parametrize("number", [1, 2, 3, 2**200 + 1])
def test_vapid_keys_of_a_real_library_belong_together(number: int) -> None:
    private, public = vapid_pair(number)
    load_settings(Environment({**variables(), "VAPID_PRIVATE_KEY": private, "VAPID_PUBLIC_KEY": public}))


@pytest.mark.parametrize("module", [mastodon, mastodon_streaming])
def test_what_the_image_is_made_of_exists(module: object) -> None:
    image, files = vars(module)["IMAGE"], vars(module)["FILES"]
    assert set(image) >= {"user", "workdir", "env", "entrypoint", "cmd", "packages"}
    assert all((PACKAGE / "files" / name).is_file() for name in files.values())


@pytest.mark.parametrize(
    ("domain", "takes"),
    [("a.example", True), ("aaaa.example", True), ("mx.example", True), ("null.example", False), ("no.example", False)],
)
def test_mail_is_taken_where_dns_says_so(name_server: Server, domain: str, takes: bool) -> None:
    assert takes_mail(domain, [name_server]) is takes


def test_mail_is_taken_nowhere_when_no_name_server_answers() -> None:
    assert takes_mail("a.example", [("127.0.0.1", free_port())]) is False


RECORDS = {
    ("a.example.", "A"): "192.0.2.1",
    ("aaaa.example.", "AAAA"): "2001:db8::1",
    ("mx.example.", "MX"): "10 mail.a.example.",
    ("mail.a.example.", "A"): "192.0.2.2",
    ("null.example.", "MX"): "0 .",
    ("null.example.", "A"): "192.0.2.3",
}


@pytest.fixture
def name_server() -> Iterator[Server]:
    """A DNS server on loopback with a few records, answering with a well-known library."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_questions, args=(udp,))
        thread.start()
        yield udp.getsockname()
        udp.sendto(b"", udp.getsockname())
        thread.join()


def answer_questions(udp: socket.socket) -> None:
    while True:
        wire, asker = udp.recvfrom(512)
        if not wire:
            return
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(query)
        if record := RECORDS.get((question.name.to_text(), kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, record))
        udp.sendto(answer.to_wire(), asker)


def test_a_refusal_is_one_line_and_a_failure(make_program: Callable[..., Program]) -> None:
    program = make_program({}, "/", {**variables(), "SECRET_KEY_BASE": ""})
    for command in (["bundle", "exec", "puma"], ["bundle", "exec", "sidekiq"], ["tootctl", "version"], ["rails", "x"]):
        done = program.run("mastodon", *command)
        line = "SECRET_KEY_BASE is not set: it must be 128 hexadecimal digits\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


@dataclass
class Browser:
    """Asks the web process as a proxy in front of it does, and keeps cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """The status, the text and the headers; one cookie an answer is enough here."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        usual = {"Host": DOMAIN, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.9"}
        usual["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {**usual, **(headers or {})})
        response = connection.getresponse()
        text, found = response.read().decode(), {name.lower(): value for name, value in response.getheaders()}
        connection.close()
        if "set-cookie" in found:
            name, _, value = found["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, text, found

    def sign_in(self, password: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        _, form, _ = self.ask("GET", "/auth/sign_in")
        token = _TOKEN.findall(form)[0]
        fields = {"authenticity_token": token, "user[email]": f"Test@{DOMAIN}", "user[password]": password}
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{DOMAIN}"}
        return self.ask("POST", "/auth/sign_in", urllib.parse.urlencode(fields), {**kind, **headers})

    def token(self) -> str:
        """The token that the home page hands to its script."""
        _, home, _ = self.ask("GET", "/")
        state = re.search(r'id="initial-state" type="application/json">([^<]+)<', home)
        assert state, home
        return str(json.loads(state[1])["access_token"])


@pytest.fixture
def program(
    make_program: Callable[..., Program],
    debian_python: str,
    database: dict[str, str],
    redis_server: dict[str, str],
    storage: Stored,
) -> Program:
    """Mastodon over real servers, set up."""
    places = {
        **variables(),
        **mastodon.IMAGE["env"],
        "BIND": "127.0.0.1",
        "DB_PORT": database["port"],
        "DB_USER": database["user"],
        "DB_PASS": database["password"],
        "DB_NAME": database["dbname"],
        "REDIS_PORT": redis_server["port"],
        "REDIS_PASSWORD": redis_server["password"],
        "S3_ENDPOINT": storage.endpoint,
    }
    program: Program = make_program(mastodon.FILES, mastodon.IMAGE["workdir"], places, python=debian_python)
    assert program.run("mastodon", "bundle", "exec", "rails", "db:migrate:setup").returncode == 0
    return program


def create_user(program: Program, name: str = "test") -> str:
    arguments = [
        "accounts",
        "create",
        name,
        "--email",
        f"{name}@{DOMAIN}",
        "--confirmed",
        "--approve",
        "--role",
        "Owner",
    ]
    done = program.run("mastodon", "tootctl", *arguments)
    found = re.fullmatch(r"OK\nNew password: ([0-9a-f]{32})\n", done.stdout)
    assert found, done.stderr
    return found[1]


def start_web(program: Program) -> Browser:
    port = free_port()
    program.start("mastodon", "bundle", "exec", "puma", "-C", "config/puma.rb", says="Listening", PORT=str(port))
    return Browser(port)


def test_setting_up_twice_changes_nothing(program: Program, database: dict[str, str]) -> None:
    before = ask_postgresql(database, "SELECT count(*) FROM schema_migrations")
    done = program.run("mastodon", "bundle", "exec", "rails", "db:migrate:setup")
    assert (done.returncode, done.stdout) == (0, "")
    assert (before, ask_postgresql(database, "SELECT count(*) FROM schema_migrations")) == ("4", "4")


def test_late_migrations_wait_when_told(program: Program, database: dict[str, str]) -> None:
    ask_postgresql(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    migrate = ["mastodon", "bundle", "exec", "rails", "db:migrate"]
    counts = []
    for switch in ("true", ""):
        assert program.run(*migrate, SKIP_POST_DEPLOYMENT_MIGRATIONS=switch).returncode == 0
        counts.append(ask_postgresql(database, "SELECT count(*) FROM schema_migrations"))
    assert counts == ["3", "4"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["test", "--email", f"other@{DOMAIN}"], "account.username\n    has already been taken"),
        (["other", "--email", f"test@{DOMAIN}"], "email\n    has already been taken"),
        (["admin", "--email", f"other@{DOMAIN}"], "account.username\n    is reserved"),
        (["a.b", "--email", f"other@{DOMAIN}"], "account.username\n    must contain only letters"),
        (["other", "--email", "other@elsewhere.example"], "email\n    uses a disallowed e-mail provider"),
        (["other", "--email", f"other@{DOMAIN}", "--role", "King"], "Cannot find user role with that name"),
        (["other"], "--email"),
    ],
)
def test_an_account_that_cannot_be_is_refused(program: Program, arguments: list[str], words: str) -> None:
    create_user(program)
    done = program.run("mastodon", "tootctl", "accounts", "create", *arguments, "--confirmed", "--approve")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr


def test_an_address_is_refused_when_dns_does_not_know_it(program: Program) -> None:
    arguments = ["accounts", "create", "test", "--email", "test@nowhere.invalid"]
    done = program.run("mastodon", "tootctl", *arguments, EMAIL_DOMAIN_ALLOWLIST="")
    assert (done.returncode, done.stderr) == (1, "Failure/Error: email\n    does not seem to exist\n")


needs_ruby = pytest.mark.skipif(not shutil.which("ruby"), reason="needs ruby and ruby-pg")


@needs_ruby
def test_the_runner_changes_what_the_web_process_uses(program: Program) -> None:
    create_user(program)
    code = """
      user = User.find_by!(email: ARGV.first)
      user.update!(password: $stdin.read.chomp)
      user.account.update!(display_name: 'A Name')
      Setting['site_title'] = 'A Title'
      puts User.exists?(email: ARGV.first), User.exists?(email: 'other@social.example'), user.valid_password?('wrong')
      puts Account.find_local('TEST').display_name, Account.find_local('other').inspect, Setting['registrations_mode']
    """
    done = program.run("mastodon", "rails", "runner", code, f"test@{DOMAIN}", given="a given password\n")
    assert (done.stdout.split("\n"), done.stderr) == (["true", "false", "false", "A Name", "nil", "none", ""], "")
    browser = start_web(program)
    assert browser.sign_in("a given password")[0] == 303
    assert json.loads(browser.ask("GET", "/api/v2/instance")[1])["title"] == "A Title"


@needs_ruby
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("User.find_by!(email: 'x')", "RecordNotFound"),
        (
            "User.find_by(email: ARGV.first).update!(password: 'short')",
            "Password is too short (minimum is 8 characters)",
        ),
        ("User.frobnicate", "frobnicate"),
        ("if", "Please specify a valid ruby command"),
        ("exit 3", ""),
    ],
)
def test_the_runner_fails_as_ruby_does(program: Program, code: str, words: str) -> None:
    create_user(program)
    done = program.run("mastodon", "rails", "runner", code, f"test@{DOMAIN}")
    assert done.returncode == (3 if code == "exit 3" else 1)
    assert words in done.stderr


def test_who_comes_by_the_wrong_way_is_turned_away(program: Program) -> None:
    browser = start_web(program)
    assert browser.ask("GET", "/health", headers={"Host": "x", "X-Forwarded-Proto": "http"})[:2] == (200, "OK")
    assert browser.ask("GET", "/about", headers={"Host": "127.0.0.1:3000"})[0] == 403
    status, _, headers = browser.ask("GET", "/about?a=b", headers={"X-Forwarded-Proto": "http"})
    assert (status, headers["location"]) == (301, f"https://{DOMAIN}/about?a=b")


def test_the_instance_describes_itself(program: Program) -> None:
    create_user(program)
    assert program.run("mastodon", "tootctl", "settings", "registrations", "approved").stdout == "OK\n"
    browser = start_web(program)

    def ask(path: str) -> dict[str, object]:
        return dict(json.loads(browser.ask("GET", path)[1]))

    assert ask("/api/v1/instance")["uri"] == DOMAIN
    instance = ask("/api/v2/instance")
    assert (instance["domain"], instance["version"]) == (DOMAIN, VERSION)
    assert instance["registrations"] == {"enabled": True, "approval_required": True, "message": None}
    links = ask("/.well-known/nodeinfo")["links"]
    assert isinstance(links, list)
    assert ask(str(links[0]["href"]).removeprefix(f"https://{DOMAIN}"))["software"] == {
        "name": "mastodon",
        "version": VERSION,
    }
    found = ask(f"/.well-known/webfinger?resource=acct:test@{DOMAIN}")
    assert found["subject"] == f"acct:test@{DOMAIN}"
    assert browser.ask("GET", "/.well-known/webfinger?resource=acct:nobody@social.example")[0] == 404
    assert "Contract image: stands in for Mastodon in the lab" in browser.ask("GET", "/about")[1]


def test_signing_in_needs_the_password_and_the_form_s_own_token(program: Program) -> None:
    password = create_user(program)
    browser = start_web(program)
    _, form, headers = browser.ask("GET", "/auth/sign_in")
    for part in ('id="user_email"', 'name="user[email]"', 'id="user_password"', 'name="user[password]"'):
        assert part in form
    assert all(part in headers["set-cookie"] for part in ("Secure", "HttpOnly", "SameSite=Lax"))
    status, text, _ = browser.sign_in("wrong")
    assert (status, "flash-message" in text) == (422, True)
    assert browser.sign_in(password, Origin="https://elsewhere.example")[0] == 422
    assert browser.ask("POST", "/auth/sign_in", "user[email]=a&user[password]=b")[0] == 422
    before = dict(browser.cookies)
    assert browser.sign_in(password)[0] == 303
    assert browser.cookies != before
    assert '<div class="app-holder"' in browser.ask("GET", "/")[1]
    assert browser.ask("GET", "/", headers={"Cookie": "_mastodon_session=forged--0"})[0] == 302


def test_a_picture_goes_by_way_of_sidekiq_to_the_bucket(program: Program, storage: Stored) -> None:
    password = create_user(program)
    browser = start_web(program)
    browser.sign_in(password)
    bearer = {"Authorization": f"Bearer {browser.token()}"}
    status, text, _ = browser.ask("POST", "/api/v2/media", FORM, {**bearer, **FORM_KIND})
    media = json.loads(text)
    assert (status, media["url"]) == (202, None)
    order = json.dumps({"status": "<b>Hello</b>", "media_ids": [media["id"]]})
    post = {**bearer, "Content-Type": "application/json"}
    assert browser.ask("POST", "/api/v1/statuses", order, post)[0] == 422
    assert browser.ask("GET", f"/api/v1/media/{media['id']}", headers=bearer)[0] == 206
    sidekiq = program.start("mastodon", "bundle", "exec", "sidekiq", says="Starting processing")
    ready = program.directory / "tmp" / mastodon.IMAGE["env"]["MASTODON_SIDEKIQ_READY_FILENAME"]
    assert ready.exists()
    wait_until(lambda: browser.ask("GET", f"/api/v1/media/{media['id']}", headers=bearer)[0] == 200, "sidekiq")
    status, text, _ = browser.ask("POST", "/api/v1/statuses", order, post)
    posted = json.loads(text)
    url = posted["media_attachments"][0]["url"]
    assert url.startswith(f"{MEDIA}/media_attachments/files/")
    content, headers = storage.objects["/mastodon/" + url.removeprefix(f"{MEDIA}/")]
    assert (content, headers["content-type"], "x-amz-acl" in headers) == (PICTURE, "image/png", False)
    assert posted["content"] == "<p>&lt;b&gt;Hello&lt;/b&gt;</p>"
    assert json.loads(browser.ask("GET", "/api/v1/timelines/home", headers=bearer)[1]) == [posted]
    assert f"img-src 'self' data: blob: {MEDIA};" in browser.ask("GET", "/")[2]["content-security-policy"]
    sidekiq.terminate()
    assert sidekiq.wait(20) == 0
    assert not ready.exists()


def test_a_bucket_that_is_away_delays_a_picture(program: Program) -> None:
    password = create_user(program)
    browser = start_web(program)
    browser.sign_in(password)
    bearer = {"Authorization": f"Bearer {browser.token()}"}
    number = json.loads(browser.ask("POST", "/api/v2/media", FORM, {**bearer, **FORM_KIND})[1])["id"]
    away = f"http://127.0.0.1:{free_port()}"
    program.start("mastodon", "bundle", "exec", "sidekiq", says="no answer", S3_ENDPOINT=away)
    assert browser.ask("GET", f"/api/v1/media/{number}", headers=bearer)[0] == 206


def test_attempts_to_sign_in_are_counted(program: Program) -> None:
    create_user(program)
    browser = start_web(program)
    other = {"X-Forwarded-For": "198.51.100.77"}
    statuses = [browser.sign_in("wrong", **other)[0] for _ in range(26)]
    assert (statuses[:25], statuses[25]) == ([422] * 25, 429)


def test_streaming_is_healthy_when_its_servers_are(program: Program) -> None:
    port = free_port()
    program.start("mastodon_streaming", "node", "./streaming/index.js", says="Listening", PORT=str(port))
    browser = Browser(port)
    assert browser.ask("GET", "/api/v1/streaming/health")[:2] == (200, "OK")
    assert browser.ask("GET", "/api/v1/streaming/user")[0] == 401


@pytest.mark.parametrize(
    ("variable", "words"), [("REDIS_PASSWORD", "Redis cannot be used: "), ("DB_PASS", "PostgreSQL cannot be used: ")]
)
@pytest.mark.parametrize(
    "command", [["mastodon", "bundle", "exec", "sidekiq"], ["mastodon_streaming", "node", "./streaming/index.js"]]
)
def test_a_wrong_password_of_a_server_is_told(program: Program, command: list[str], variable: str, words: str) -> None:
    if variable == "DB_PASS" and command[0] == "mastodon":
        command = ["mastodon", "tootctl", "accounts", "modify", "test"]
    done = program.run(*command, **{variable: "wrong"})
    assert (done.returncode, done.stderr.startswith(words), done.stderr.count("\n")) == (1, True, 1)


def test_the_web_process_ends_when_told(program: Program) -> None:
    browser = start_web(program)
    program.running[0].terminate()
    assert program.running[0].wait(20) == 0
    assert not answers(browser.port)
