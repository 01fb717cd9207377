"""What Mastodon's recipe runs inside of its container, over the contract image's models: the owner, and the settings.

Both look for themselves what there is to do.
"""

import json
import re
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fedikit.catalogue
from tests.lab.contract.conftest import Program, Stored, ask_postgresql, wait_until
from tests.lab.contract.mastodon import DOMAIN, Browser, Servers, create_user, set_up, start_web

SCRIPTS = Path(fedikit.catalogue.__file__).parent
OWNER = {"username": "test", "email": f"test@{DOMAIN}", "name": "Testy McTestface"}
PASSWORD, OTHER = "a password of the lab", "another one of the lab"

pytestmark = pytest.mark.skipif(not shutil.which("ruby"), reason="needs ruby, ruby-pg and ruby-redis")


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
    return set_up(servers.mastodon())


def run(program: Program, script: str, wished: dict[str, object], given: str = "") -> tuple[int, str]:
    """As on a host; how it ended."""
    code = (SCRIPTS / script).read_text()
    done = program.run("mastodon", "rails", "runner", code, "make", json.dumps(wished), given=given)
    return done.returncode, done.stderr


def make_owner(program: Program, password: str = PASSWORD, **more: object) -> None:
    status, words = run(program, "mastodon_user.rb", {**OWNER, **more}, password)
    assert status == 0, words


def keep(program: Program, **wished: object) -> None:
    status, words = run(program, "mastodon_settings.rb", wished)
    assert status == 0, words


def signs_in(program: Program, password: str) -> bool:
    return start_web(program).sign_in(password)[0] == 303


def display_name(servers: Servers) -> str:
    return ask_postgresql(servers.database, "SELECT display_name FROM accounts WHERE username = 'test'")


def setting(servers: Servers, name: str) -> object:
    text = ask_postgresql(servers.database, f"SELECT value FROM settings WHERE var = '{name}'")
    return json.loads(text) if text else None


# The owner


def test_the_owner_is_there_after_one_run_with_name_and_password(servers: Servers, program: Program) -> None:
    make_owner(program)
    assert display_name(servers) == "Testy McTestface"
    kept = "SELECT role_id = 3 AND approved AND confirmed_at IS NOT NULL FROM users"
    assert ask_postgresql(servers.database, kept) == "t"
    assert signs_in(program, PASSWORD)


def test_a_first_start_that_was_cut_off_before_the_seed_is_repaired(servers: Servers) -> None:
    program = servers.mastodon()
    assert program.run("mastodon", "bundle", "exec", "rails", "db:migrate").returncode == 0
    make_owner(program)
    assert ask_postgresql(servers.database, "SELECT count(*) FROM username_blocks") == "23"


def test_an_owner_who_was_left_half_made_is_finished(servers: Servers, program: Program) -> None:
    make_owner(program)
    ask_postgresql(servers.database, "UPDATE users SET approved = false, confirmed_at = NULL; DELETE FROM settings")
    make_owner(program)
    assert signs_in(program, PASSWORD)


def test_an_account_with_a_reserved_name_is_taken_for_the_owner(program: Program) -> None:
    make_owner(program, username="admin")


@pytest.mark.parametrize(
    ("more", "password", "words"),
    [
        ({"email": "a%b@social.example"}, PASSWORD, "E-mail is invalid"),
        ({"name": "x" * 41}, PASSWORD, "maximum is 40 characters"),
        ({}, "x" * 73, "maximum is 72 characters"),
    ],
)
def test_what_upstream_refuses_leaves_no_half_an_account(
    servers: Servers, program: Program, more: dict[str, object], password: str, words: str
) -> None:
    status, said = run(program, "mastodon_user.rb", {**OWNER, **more}, password)
    assert (status, words in said) == (1, True)
    assert ask_postgresql(servers.database, "SELECT count(*) FROM accounts WHERE id > 0") == "0"


def test_a_new_password_ends_the_sessions_of_who_had_the_old_one(program: Program) -> None:
    make_owner(program)
    thief = start_web(program)
    thief.sign_in(PASSWORD)
    bearer = {"Authorization": f"Bearer {thief.token()}"}
    make_owner(program, OTHER)
    assert "compose-form" not in thief.ask("GET", "/")[1]
    assert thief.ask("GET", "/api/v1/timelines/home", headers=bearer)[0] == 401
    assert signs_in(program, OTHER)


def test_a_password_that_upstream_refuses_is_a_failure(program: Program) -> None:
    make_owner(program)
    status, words = run(program, "mastodon_user.rb", OWNER, "x" * 73)
    assert (status, words) == (1, "Password is too long (maximum is 72 characters)\n")


def test_the_password_follows_the_account_when_its_owner_has_another_address(
    servers: Servers, program: Program
) -> None:
    make_owner(program)
    ask_postgresql(servers.database, "UPDATE users SET email = 'other@social.example'")
    make_owner(program, OTHER)
    assert ask_postgresql(servers.database, "SELECT count(*) FROM users") == "1"


def address(servers: Servers) -> str:
    return ask_postgresql(servers.database, "SELECT email FROM users JOIN accounts a ON a.id = account_id AND a.id > 0")


def test_another_address_is_taken_over_at_once_and_can_be_taken_back(servers: Servers, program: Program) -> None:
    make_owner(program)
    make_owner(program, email=f"new@{DOMAIN}")
    assert address(servers) == f"new@{DOMAIN}"
    make_owner(program)
    assert address(servers) == f"test@{DOMAIN}"


def test_an_address_that_another_account_has_is_a_failure_in_words(servers: Servers, program: Program) -> None:
    make_owner(program)
    create_user(program, "other")
    status, words = run(program, "mastodon_user.rb", {**OWNER, "email": f"other@{DOMAIN}"}, PASSWORD)
    assert (status, words) == (1, "E-mail has already been taken\n")


def test_what_the_owner_changed_stays_until_something_else_is_wished(servers: Servers, program: Program) -> None:
    make_owner(program)
    own = "Account.find_local('test').update!(display_name: 'Mine'); "
    own += "Account.find_local('test').user.change_password!('of my own choice')"
    assert program.run("mastodon", "rails", "runner", own).returncode == 0
    make_owner(program)
    assert signs_in(program, "of my own choice")
    make_owner(program, OTHER)
    assert (display_name(servers), signs_in(program, OTHER)) == ("Mine", True)


def test_a_new_name_leaves_sessions_and_passwords_alone_and_is_told_to_other_servers(
    servers: Servers, program: Program
) -> None:
    make_owner(program)
    browser = start_web(program)
    browser.sign_in(PASSWORD)
    make_owner(program, name="Another")
    assert (display_name(servers), "compose-form" in browser.ask("GET", "/")[1]) == ("Another", True)
    waiting = servers.ask_redis("ZRANGE", "schedule", "0", "-1")
    assert json.loads(waiting)["class"] == "ActivityPub::UpdateDistributionWorker"


# Settings and rules

CHOSEN = {"registrations_mode": "open", "media_cache_retention_period": 14}


def test_settings_are_kept_as_what_they_are(servers: Servers, program: Program) -> None:
    keep(program, **CHOSEN, site_title='The "best"; $HOME')
    kept = {name: setting(servers, name) for name in (*CHOSEN, "site_title")}
    assert kept == {**CHOSEN, "site_title": 'The "best"; $HOME'}


def test_what_is_not_wished_keeps_upstreams_words(program: Program) -> None:
    keep(program, **CHOSEN)
    assert json.loads(start_web(program).ask("GET", "/api/v2/instance")[1])["title"] == "Mastodon"


def test_a_new_title_does_not_reopen_registrations_that_an_administrator_closed(
    servers: Servers, program: Program
) -> None:
    keep(program, **CHOSEN)
    assert program.run("mastodon", "tootctl", "settings", "registrations", "close").returncode == 0
    keep(program, **CHOSEN, site_title="New")
    assert (setting(servers, "site_title"), setting(servers, "registrations_mode")) == ("New", "none")
    keep(program, **{**CHOSEN, "registrations_mode": "approved"})
    assert setting(servers, "registrations_mode") == "approved"


def texts(servers: Servers) -> list[str]:
    kept = "SELECT text FROM rules WHERE deleted_at IS NULL ORDER BY priority, id"
    return ask_postgresql(servers.database, kept).splitlines()


def test_rules_come_and_go_and_those_of_administrators_stay(servers: Servers, program: Program) -> None:
    keep(program, **CHOSEN, rules=["Be kind", "No spam"])
    ask_postgresql(servers.database, "INSERT INTO rules (text, priority) VALUES ('Of an administrator', 9)")
    keep(program, **CHOSEN, rules=["Be kind", "No ads"])
    assert texts(servers) == ["Be kind", "No ads", "Of an administrator"]
    keep(program, **CHOSEN)
    assert texts(servers) == ["Of an administrator"]


def test_whom_visitors_turn_to_has_an_account(program: Program) -> None:
    contact = {"site_contact_username": "test", "site_contact_email": f"help@{DOMAIN}"}
    status, words = run(program, "mastodon_settings.rb", {**CHOSEN, **contact})
    assert (status, words) == (1, "there is no account called test, whom visitors could turn to\n")
    make_owner(program)
    keep(program, **CHOSEN, **contact)
    shown = json.loads(start_web(program).ask("GET", "/api/v2/instance")[1])["contact"]
    assert (shown["email"], shown["account"]["acct"]) == (f"help@{DOMAIN}", "test")


# Mail: a changed password is told to its owner


@pytest.fixture
def relay() -> Iterator[tuple[str, list[str]]]:
    """A relay without users: it takes mail, and refuses who signs in. Gives its port, and what it was told."""
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=take_mail, args=(listener, said), daemon=True)
        thread.start()
        yield str(listener.getsockname()[1]), said
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def take_mail(listener: socket.socket, said: list[str]) -> None:
    answers = {
        "EHLO": "250 relay",
        "MAIL": "250 ok",
        "RCPT": "250 ok",
        "DATA": "354 go on",
        ".": "250 ok",
        "QUIT": "221 bye",
    }
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the test is over
            return
        with connection, connection.makefile("rw", newline="\r\n") as lines:
            lines.write("220 relay\r\n")
            lines.flush()
            is_mail = False
            for line in lines:
                said.append(line.strip())
                command = line[:4].strip().upper()
                if not is_mail or command == ".":
                    lines.write(f"{answers.get(command, '503 no users here')}\r\n")
                    lines.flush()
                is_mail = command == "DATA" or (is_mail and command != ".")


WITHOUT_USER = {"SMTP_SERVER": "127.0.0.1", "SMTP_ENABLE_STARTTLS": "never", "SMTP_FROM_ADDRESS": f"noreply@{DOMAIN}"}


@pytest.mark.parametrize(
    ("signing_in", "arrives"),
    [({"SMTP_AUTH_METHOD": "none"}, True), ({}, True), ({"SMTP_LOGIN": "", "SMTP_PASSWORD": ""}, False)],
)
def test_a_relay_without_users_takes_mail_from_who_does_not_sign_in(
    servers: Servers, relay: tuple[str, list[str]], signing_in: dict[str, str], arrives: bool
) -> None:
    port, said = relay
    program = set_up(servers.mastodon(**WITHOUT_USER, SMTP_PORT=port, **signing_in))
    create_user(program)
    make_owner(program)
    program.start("mastodon", "bundle", "exec", "sidekiq", says="MailDeliveryJob")
    wait_until(lambda: any(line.upper().startswith(("AUTH", ".")) for line in said), "mail to be handed over")
    assert ("Subject: Password changed" in said, any(line.startswith("AUTH") for line in said)) == (
        arrives,
        not arrives,
    )


# Newcomers: they are let in by a mail

FIELDS = {
    "user[account_attributes][username]": "newcomer",
    "user[email]": f"new@{DOMAIN}",
    "user[password]": PASSWORD,
    "user[password_confirmation]": PASSWORD,
    "user[agreement]": "1",
}


def sign_up(browser: Browser, **other: str) -> tuple[int, str]:
    form = browser.ask("GET", "/auth/sign_up")[1]
    token = re.findall(r'name="authenticity_token" value="([^"]+)"', form)
    fields = {**FIELDS, "authenticity_token": token[0] if token else "", **other}
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{DOMAIN}"}
    status, text, _ = browser.ask("POST", "/auth", urllib.parse.urlencode(fields), kind)
    return status, text


def can_post(port: int) -> bool:
    browser = Browser(port)
    browser.sign_in(PASSWORD, email=f"new@{DOMAIN}")
    return "compose-form" in browser.ask("GET", "/")[1]


@pytest.mark.parametrize(("mode", "enters"), [("open", True), ("approved", False)])
def test_a_newcomer_is_let_in_by_the_link_in_a_mail_unless_somebody_has_to_approve(
    servers: Servers, relay: tuple[str, list[str]], mode: str, enters: bool
) -> None:
    port, said = relay
    program = set_up(servers.mastodon(**WITHOUT_USER, SMTP_PORT=port))
    keep(program, registrations_mode=mode)
    browser = start_web(program)
    assert sign_up(browser)[0] == 200
    assert not can_post(browser.port)
    program.start("mastodon", "bundle", "exec", "sidekiq", says="MailDeliveryJob")
    (link,) = [line for line in said if "confirmation_token=" in line]
    assert browser.ask("GET", link.removeprefix(f"https://{DOMAIN}"))[0] == 302
    assert can_post(browser.port) is enters


def test_nobody_signs_up_where_registrations_are_closed(program: Program) -> None:
    browser = start_web(program)
    assert browser.ask("GET", "/auth/sign_up")[2]["location"] == "/auth/sign_in"
    assert sign_up(browser)[0] == 422


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("user[account_attributes][username]", "4dm1n", "reserved"),
        ("user[account_attributes][username]", "the_mastodon_team", "reserved"),
        ("user[password]", "short", "too short"),
        ("user[agreement]", "0", "must be accepted"),
        ("user[email]", "new@elsewhere.example", "blocked"),
    ],
)
def test_a_newcomer_is_told_what_is_wrong(program: Program, field: str, value: str, words: str) -> None:
    keep(program, registrations_mode="open")
    status, text = sign_up(start_web(program), **{field: value})
    assert (status, words in text) == (422, True)
