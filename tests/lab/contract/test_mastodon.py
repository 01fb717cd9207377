"""The contract image of Mastodon: what it refuses, and that its processes work together over real servers."""

import json
import re
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from fedikit.data.onhost.postgresql import PostgresPart
from fedikit_lab.contract import mastodon, mastodon_streaming
from fedikit_lab.contract.mastodon_mail import Server, takes_mail
from fedikit_lab.contract.mastodon_settings import load_settings, refuse_strangers
from fedikit_lab.contract.shared import Environment, Refused
from tests.data.onhost.shelf import secrets_in
from tests.lab.contract.conftest import (
    PACKAGE,
    VERSION,
    Program,
    Stored,
    answers,
    ask_postgresql,
    free_port,
    lay_out,
    wait_until,
)
from tests.lab.contract.mastodon import (
    DOMAIN,
    FORM,
    FORM_KIND,
    MEDIA,
    PICTURE,
    REQUIRED,
    VIDEO,
    Browser,
    Servers,
    create_user,
    set_up,
    start_web,
    vapid_pair,
    variables,
)

NAMES = PACKAGE / "files/mastodon_variables.txt"


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


@pytest.mark.parametrize("name", ["SMTP_LOGN", "DB_SSL", "REDIS_PASS", "INSTANCE_DESCRIPTION"])
def test_a_variable_that_upstream_does_not_read_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=f"^{name} is not a variable that Mastodon reads"):
        refuse_strangers({**variables(), name: "x"}, NAMES)


@pytest.mark.parametrize("name", ["WEB_DOMAIN", "AUTHORIZED_FETCH", "S3_ALIAS_HOST", "WEB_CONCURRENCY"])
def test_an_empty_variable_is_not_an_unset_one(name: str) -> None:
    with pytest.raises(Refused, match=f"^{name} is empty"):
        refuse_strangers({**variables(), name: ""}, NAMES)


def test_what_the_image_and_its_runtime_set_is_known() -> None:
    runtime = {"container": "podman", "HOME": "/", "HOSTNAME": "host", "TERM": "xterm", "SSL_CERT_FILE": "x"}
    refuse_strangers({**variables(), **mastodon.IMAGE["env"], **mastodon_streaming.IMAGE["env"], **runtime}, NAMES)


def test_a_language_that_upstream_does_not_have_is_english() -> None:
    spoken = {wanted: load_settings(Environment({**variables(), "DEFAULT_LOCALE": wanted})) for wanted in ("eo", "xx")}
    assert {wanted: settings.locale for wanted, settings in spoken.items()} == {"eo": "eo", "xx": "en"}


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
    without = {name: value for name, value in variables().items() if name != "SECRET_KEY_BASE"}
    program = make_program(mastodon.FILES, mastodon.IMAGE["workdir"], without)
    for command in (["bundle", "exec", "puma"], ["bundle", "exec", "sidekiq"], ["tootctl", "version"], ["rails", "x"]):
        done = program.run("mastodon", *command)
        line = "SECRET_KEY_BASE is not set: it must be 128 hexadecimal digits\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


@pytest.fixture
def servers(
    make_program: Callable[..., Program],
    debian_python: str,
    database: dict[str, str],
    redis_server: dict[str, str],
    storage: Stored,
) -> Servers:
    return Servers(make_program, debian_python, database, redis_server, storage)


@pytest.fixture
def program(servers: Servers) -> Program:
    """Mastodon over real servers, set up."""
    return set_up(servers.mastodon())


RAILS = ("mastodon", "bundle", "exec", "rails")
LATER = {"SKIP_POST_DEPLOYMENT_MIGRATIONS": "true"}


def migrations(database: Mapping[str, str]) -> int:
    return int(ask_postgresql(database, "SELECT count(*) FROM schema_migrations"))


def test_setting_up_twice_changes_nothing(program: Program, database: dict[str, str]) -> None:
    before = migrations(database)
    for task in ("db:prepare", "db:migrate", "db:migrate:setup", "db:seed"):
        done = program.run(*RAILS, task)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (before, migrations(database)) == (5, 5)


@pytest.mark.parametrize("switch", ["true", "false", ""])
def test_late_migrations_wait_when_told_whatever_is_said(
    program: Program, database: dict[str, str], switch: str
) -> None:
    ask_postgresql(database, "DELETE FROM schema_migrations WHERE version > '2025'")
    ask_postgresql(database, "INSERT INTO schema_migrations VALUES ('20250601000000')")
    assert program.run(*RAILS, "db:migrate", SKIP_POST_DEPLOYMENT_MIGRATIONS=switch).returncode == 0
    assert migrations(database) == 5
    assert program.run(*RAILS, "db:migrate").returncode == 0
    assert migrations(database) == 6


def test_what_is_empty_or_old_is_not_migrated_in_two_steps_but_prepared(servers: Servers) -> None:
    program = servers.mastodon()
    for task in ("db:migrate", "db:migrate:setup"):
        done = program.run(*RAILS, task, **LATER)
        assert (done.returncode, "Zero-downtime migrations" in done.stderr) == (1, True)
    assert program.run(*RAILS, "db:prepare", **LATER).returncode == 0
    assert migrations(servers.database) == 5


def test_a_first_start_that_was_cut_off_leaves_no_seed(servers: Servers) -> None:
    program = servers.mastodon()
    assert program.run(*RAILS, "db:migrate").returncode == 0
    assert program.run(*RAILS, "db:migrate:setup").returncode == 0
    done = program.run("mastodon", "tootctl", "accounts", "create", "test", "--email", "a@b.c", "--role", "Owner")
    assert (done.returncode, done.stderr) == (1, "Cannot find user role with that name\n")
    assert program.run(*RAILS, "db:seed").returncode == 0
    create_user(program)


def newer(program: Program) -> Program:
    """The same over the same servers, of the release after it."""
    directory = program.directory / "newer"
    directory.mkdir()
    lay_out(directory, "4.5.7")
    for part in ("config", "db", "lib"):
        shutil.copytree(program.directory / part, directory / part)
    return Program(directory, program.python, program.environment)


def queued(servers: Servers, name: str) -> list[dict[str, object]]:
    """The jobs in a sorted set of sidekiq's."""
    text = servers.ask_redis("ZRANGE", name, "0", "-1")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(("migrated", "failed"), [(LATER, 0), ({}, 1)])
def test_an_old_process_works_until_the_late_migrations_of_a_new_release(
    servers: Servers, program: Program, migrated: dict[str, str], failed: int
) -> None:
    create_user(program)
    assert newer(program).run(*RAILS, "db:prepare", **migrated).returncode == 0
    servers.queue("push", "ActivityPub::UpdateDistributionWorker", 1)
    program.start("mastodon", "bundle", "exec", "sidekiq", says="UpdateDistributionWorker")
    wait_until(lambda: servers.ask_redis("LLEN", "queue:push") == "0", "the job to be taken")
    assert len(queued(servers, "retry")) == failed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["test", "--email", f"other@{DOMAIN}"], "account.username\n    taken"),
        (["other", "--email", f"test@{DOMAIN}"], "email\n    taken"),
        (["o" * 31, "--email", f"other@{DOMAIN}"], "account.username\n    too_long"),
        (["other", "--email", f"o%r@{DOMAIN}"], "email\n    invalid"),
        (["a.b", "--email", f"other@{DOMAIN}"], "account.username\n    invalid"),
        (["other", "--email", "other@elsewhere.example"], "email\n    blocked"),
        (["other", "--email", f"other@{DOMAIN}", "--role", "King"], "Cannot find user role with that name"),
        (["other"], "--email"),
    ],
)
def test_an_account_that_cannot_be_is_refused(program: Program, arguments: list[str], words: str) -> None:
    create_user(program)
    done = program.run("mastodon", "tootctl", "accounts", "create", *arguments, "--confirmed", "--approve")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr


def test_who_may_use_tootctl_may_take_a_reserved_name(program: Program) -> None:
    create_user(program, "admin")


def test_an_address_is_refused_when_dns_does_not_know_it(program: Program) -> None:
    arguments = ["accounts", "create", "test", "--email", "test@nowhere.invalid"]
    done = program.run("mastodon", "tootctl", *arguments, EMAIL_DOMAIN_ALLOWLIST="")
    assert (done.returncode, done.stderr) == (1, "Failure/Error: email\n    unreachable\n")


needs_ruby = pytest.mark.skipif(not shutil.which("ruby"), reason="needs ruby and ruby-pg")


@needs_ruby
def test_the_runner_changes_what_the_web_process_uses(program: Program) -> None:
    create_user(program)
    code = """
      user = User.find_by!(email: ARGV.first)
      user.change_password!($stdin.read.chomp)
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
@pytest.mark.parametrize(("code", "ends"), [("update!(password: 'a new password')", 0), ("change_password!('x')", 1)])
def test_sessions_end_when_a_password_is_changed_as_upstream_means_it(program: Program, code: str, ends: int) -> None:
    password = create_user(program)
    browser = start_web(program)
    browser.sign_in(password)
    done = program.run("mastodon", "rails", "runner", f"User.find_by!(email: ARGV.first).{code}", f"test@{DOMAIN}")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("compose-form" not in browser.ask("GET", "/")[1]) is bool(ends)


@needs_ruby
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("User.find_by!(email: 'x')", "RecordNotFound"),
        (
            "User.find_by(email: ARGV.first).update!(password: 'short')",
            "Password is too short (minimum is 8 characters)",
        ),
        ("User.find_by(email: ARGV.first).account.update!(display_name: 'x' * 41)", "maximum is 40 characters"),
        ("User.new(frob: 1)", "frob"),
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
    assert "compose-form" in browser.ask("GET", "/")[1]
    assert "compose-form" not in browser.ask("GET", "/", headers={"Cookie": "_mastodon_session=forged--0"})[1]


def test_who_is_not_logged_in_sees_the_same_application_with_nothing_to_write_in(program: Program) -> None:
    status, text, _ = start_web(program).ask("GET", "/")
    assert (status, '<div class="app-holder"' in text, "compose-form" in text) == (200, True, False)


def test_the_page_of_one_person_is_the_front_page(servers: Servers) -> None:
    program = set_up(servers.mastodon(SINGLE_USER_MODE="true"))
    create_user(program)
    assert program.run("mastodon", "tootctl", "settings", "registrations", "open").returncode == 0
    browser = start_web(program)
    assert browser.ask("GET", "/")[2]["location"] == "/@test"
    assert json.loads(browser.ask("GET", "/nodeinfo/2.0")[1])["openRegistrations"] is False


def actor(browser: Browser) -> int:
    """Whether others get the account, by the address that webfinger tells of it."""
    links = json.loads(browser.ask("GET", f"/.well-known/webfinger?resource=acct:test@{DOMAIN}")[1])["links"]
    address = next(str(link["href"]) for link in links if link["rel"] == "self")
    path = address.removeprefix(f"https://{DOMAIN}")
    assert re.fullmatch("/ap/users/[0-9]{18}", path)
    return browser.ask("GET", path)[0]


def test_accounts_are_known_by_their_numbers(program: Program) -> None:
    create_user(program)
    browser = start_web(program)
    assert actor(browser) == 200
    assert browser.ask("GET", "/users/test")[2]["location"] == "/@test"
    as_json = {"Accept": "application/activity+json"}
    assert json.loads(browser.ask("GET", "/users/test", headers=as_json)[1])["preferredUsername"] == "test"


@pytest.mark.parametrize("said", [{"AUTHORIZED_FETCH": "true"}, {"LIMITED_FEDERATION_MODE": "true"}])
def test_who_does_not_sign_gets_no_account_where_that_is_wanted(servers: Servers, said: dict[str, str]) -> None:
    program = set_up(servers.mastodon(**said))
    create_user(program)
    assert actor(start_web(program)) == 401


@needs_ruby
@pytest.mark.parametrize(("said", "status"), [({}, 401), ({"AUTHORIZED_FETCH": "false"}, 200)])
def test_an_administrator_decides_unless_a_variable_does(servers: Servers, said: dict[str, str], status: int) -> None:
    program = set_up(servers.mastodon(**said))
    create_user(program)
    assert program.run("mastodon", "rails", "runner", "Setting['authorized_fetch'] = true").returncode == 0
    assert actor(start_web(program)) == status


def bearer_of(program: Program, browser: Browser) -> dict[str, str]:
    browser.sign_in(create_user(program))
    return {"Authorization": f"Bearer {browser.token()}"}


def test_a_picture_is_in_the_bucket_when_it_was_sent(program: Program, storage: Stored) -> None:
    browser = start_web(program)
    bearer = bearer_of(program, browser)
    status, text, _ = browser.ask("POST", "/api/v2/media", FORM, {**bearer, **FORM_KIND})
    media = json.loads(text)
    assert (status, media["url"].startswith(f"{MEDIA}/media_attachments/files/")) == (200, True)
    content, headers = storage.objects["/mastodon/" + media["url"].removeprefix(f"{MEDIA}/")]
    assert (content, headers["content-type"], "x-amz-acl" in headers) == (PICTURE, "image/png", False)
    order = json.dumps({"status": "<b>Hello</b>", "media_ids": [media["id"]]})
    posted = json.loads(
        browser.ask("POST", "/api/v1/statuses", order, {**bearer, "Content-Type": "application/json"})[1]
    )
    assert (posted["content"], posted["media_attachments"]) == ("<p>&lt;b&gt;Hello&lt;/b&gt;</p>", [media])
    assert json.loads(browser.ask("GET", "/api/v1/timelines/home", headers=bearer)[1]) == [posted]
    assert json.loads(browser.ask("GET", "/api/v1/timelines/public?local=true&limit=1")[1]) == [posted]
    assert browser.ask("GET", urllib.parse.urlsplit(posted["url"]).path)[0] == 200
    assert browser.ask("GET", f"/@{posted['account']['acct']}/1")[0] == 404
    assert f"img-src 'self' data: blob: {MEDIA};" in browser.ask("GET", "/")[2]["content-security-policy"]
    assert program.run("mastodon", "tootctl", "cache", "clear").stdout == "OK\n"
    assert program.run("mastodon", "tootctl", "feeds", "clear").stdout == "OK\n"
    assert program.run("mastodon", "tootctl", "feeds", "build").stdout == "Regenerated feeds for 1 accounts\n"
    assert json.loads(browser.ask("GET", "/api/v1/timelines/home", headers=bearer)[1]) == [posted]
    assert program.run("mastodon", "tootctl", "feeds", "mend").returncode == 1


def test_a_video_goes_by_way_of_sidekiq(program: Program, storage: Stored) -> None:
    browser = start_web(program)
    bearer = bearer_of(program, browser)
    status, text, _ = browser.ask("POST", "/api/v2/media", VIDEO, {**bearer, **FORM_KIND})
    media = json.loads(text)
    assert (status, media["url"]) == (202, None)
    order, post = json.dumps({"media_ids": [media["id"]]}), {**bearer, "Content-Type": "application/json"}
    assert browser.ask("POST", "/api/v1/statuses", order, post)[0] == 422
    assert browser.ask("GET", f"/api/v1/media/{media['id']}", headers=bearer)[0] == 206
    sidekiq = program.start("mastodon", "bundle", "exec", "sidekiq", says="Starting processing")
    ready = program.directory / "tmp" / mastodon.IMAGE["env"]["MASTODON_SIDEKIQ_READY_FILENAME"]
    assert ready.exists()
    wait_until(lambda: browser.ask("GET", f"/api/v1/media/{media['id']}", headers=bearer)[0] == 200, "sidekiq")
    assert browser.ask("POST", "/api/v1/statuses", order, post)[0] == 200
    sidekiq.terminate()
    assert sidekiq.wait(20) == 0
    assert not ready.exists()


def test_a_bucket_that_is_away_delays_a_video_and_fails_a_picture(servers: Servers) -> None:
    program = set_up(servers.mastodon(S3_ENDPOINT=f"http://127.0.0.1:{free_port()}"))
    browser = start_web(program)
    bearer = bearer_of(program, browser)
    assert browser.ask("POST", "/api/v2/media", FORM, {**bearer, **FORM_KIND})[0] == 500
    number = json.loads(browser.ask("POST", "/api/v2/media", VIDEO, {**bearer, **FORM_KIND})[1])["id"]
    program.start("mastodon", "bundle", "exec", "sidekiq", says="no answer")
    assert browser.ask("GET", f"/api/v1/media/{number}", headers=bearer)[0] == 206


def test_it_is_read_over_a_database_that_refuses_writes(
    program: Program, database: dict[str, str], storage: Stored, tmp_path: Path
) -> None:
    """Who would write meets a failure; so does who reads with a token of which no use was noted since a day."""
    browser = start_web(program)
    bearer = bearer_of(program, browser)
    new = Browser(browser.port)
    new.sign_in(create_user(program, "second"), email=f"second@{DOMAIN}")
    unused = {"Authorization": f"Bearer {new.token()}"}
    order, post = json.dumps({"status": "Hello"}), {**bearer, "Content-Type": "application/json"}
    assert browser.ask("POST", "/api/v1/statuses", order, post)[0] == 200
    place = {"host": database["host"], "port": int(database["port"]), "user": database["user"], "encrypted": False}
    part = PostgresPart({**place, "name": database["dbname"]}, secrets_in(tmp_path, database["password"]))
    part.refuse_writes()
    objects = dict(storage.objects)
    for path in ("/", "/@test", "/about", "/api/v1/timelines/public?local=true&limit=1"):
        assert browser.ask("GET", path)[0] == 200, path
    assert "Hello" in browser.ask("GET", "/api/v1/timelines/home", headers=bearer)[1]
    assert new.ask("GET", "/api/v1/timelines/home", headers=unused)[0] == 500
    assert browser.ask("POST", "/api/v1/statuses", order, post)[0] == 500
    assert browser.ask("POST", "/api/v2/media", FORM, {**bearer, **FORM_KIND})[0] == 500
    assert storage.objects == objects
    part.take_writes()
    assert new.ask("GET", "/api/v1/timelines/home", headers=unused)[0] == 200
    assert browser.ask("POST", "/api/v1/statuses", order, post)[0] == 200


def test_attempts_to_sign_in_are_counted(program: Program) -> None:
    create_user(program)
    browser = start_web(program)
    other = {"X-Forwarded-For": "198.51.100.77"}
    statuses = [browser.sign_in("wrong", **other)[0] for _ in range(26)]
    assert (statuses[:25], statuses[25]) == ([422] * 25, 429)


@pytest.mark.parametrize(("proxies", "last"), [("127.0.0.1,192.0.2.0/24", 422), ("127.0.0.1", 429)])
def test_visitors_are_told_apart_behind_a_proxy_that_is_trusted(servers: Servers, proxies: str, last: int) -> None:
    program = set_up(servers.mastodon(TRUSTED_PROXY_IP=proxies))
    browser = start_web(program)
    ways = [f"198.51.100.{number}, 192.0.2.7" for number in range(26)]
    assert [browser.sign_in("wrong", **{"X-Forwarded-For": way})[0] for way in ways][25] == last


@pytest.mark.parametrize(
    ("variable", "words"), [("REDIS_PASSWORD", "Redis cannot be used: "), ("DB_PASS", "PostgreSQL cannot be used: ")]
)
def test_a_wrong_password_of_a_server_is_told(program: Program, variable: str, words: str) -> None:
    commands = {"REDIS_PASSWORD": ["bundle", "exec", "sidekiq"], "DB_PASS": ["tootctl", "accounts", "modify", "test"]}
    done = program.run("mastodon", *commands[variable], **{variable: "wrong"})
    assert (done.returncode, done.stderr.startswith(words), done.stderr.count("\n")) == (1, True, 1)


def test_the_web_process_ends_when_told_and_says_by_what(program: Program) -> None:
    browser = start_web(program)
    program.running[0].terminate()
    assert program.running[0].wait(20) == 143
    assert not answers(browser.port)
