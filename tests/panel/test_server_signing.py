"""Signing in and out, at a real server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from tests.panel.serving import PASSWORD, QUICK, Server, begin, serving, wait_for, write_panel

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("panel")) as server:
        yield server


@pytest.fixture(autouse=True)
def fresh(server: Server) -> Iterator[None]:
    """Each test finds the file and the throttle as they were."""
    yield
    (server.state / "throttle.json").unlink(missing_ok=True)
    write_panel(server.folder)


def command(server: Server, *words: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "fedikit", "panel", *words],
        cwd=server.folder,
        input=given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_who_knows_the_password_gets_to_the_panel_and_nobody_else(server: Server) -> None:
    visitor = server.visitor()
    turned_away = visitor.get("/")
    assert (turned_away.status_code, turned_away.headers["location"]) == (302, "/login")
    refused = visitor.sign_in(password="wrong password")
    assert refused.status_code == 403
    let_in = visitor.sign_in()
    assert (let_in.status_code, let_in.headers["location"]) == (302, "/")
    page = visitor.open_panel()
    assert visitor.get("/login").status_code == 302
    assert f"alice en {server.folder}/alice.json {server.folder}/panel.toml" in page.html


def test_a_name_that_nobody_has_is_refused_in_the_same_words(server: Server) -> None:
    def answer(name: str) -> tuple[int, str]:
        refused = server.visitor().sign_in(name, "wrong password")
        return refused.status_code, refused.text.replace(name, "").split("<main")[1].split("<form")[0]

    assert answer("alice") == answer("mallory")


def test_the_cookie_is_seen_by_no_script_and_sent_from_no_other_site(server: Server) -> None:
    cookies = server.visitor().sign_in().headers.get_list("set-cookie")
    (session,) = [cookie for cookie in cookies if cookie.startswith("fedikit-session=")]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(session.split("; "))
    assert "expires" not in session.lower()


def test_a_form_without_its_token_or_from_another_site_is_refused(server: Server) -> None:
    visitor = server.visitor()
    fields = {"name": "alice", "password": PASSWORD}
    assert visitor.client.post("/login", data=fields).status_code == 403
    assert visitor.client.post("/login", data={**fields, "_xsrf": "2|0|0|0"}).status_code == 403
    good = {**fields, "_xsrf": visitor.token()}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", server.url.replace("http", "https")):
        assert visitor.client.post("/login", data=good, headers={"Origin": origin}).status_code == 403
    assert visitor.client.post("/login", data=good, headers={"Origin": server.url}).status_code == 302


def test_signing_out_takes_a_form_and_ends_the_session(server: Server) -> None:
    visitor = server.signed_in()
    visitor.open_panel()
    cookies = dict(visitor.client.cookies)
    assert visitor.get("/logout").status_code == 405
    assert visitor.post("/logout").headers["location"] == "/login"
    visitor.client.cookies.update(cookies)
    assert visitor.get("/").status_code == 302


def test_each_sign_in_is_another_session_and_a_cookie_that_was_made_up_is_none(server: Server) -> None:
    visitor = server.visitor()
    visitor.client.cookies.set("fedikit-session", "chosen-by-a-stranger")
    visitor.sign_in()
    values = {cookie.value for cookie in visitor.client.cookies.jar if cookie.name == "fedikit-session"}
    assert "chosen-by-a-stranger" not in {value for value in values if value != "chosen-by-a-stranger"}
    stranger = server.visitor()
    stranger.client.cookies.set("fedikit-session", "chosen-by-a-stranger")
    assert stranger.get("/").status_code == 302


def test_after_five_wrong_passwords_even_the_right_one_waits(server: Server) -> None:
    visitor = server.visitor()
    for _ in range(5):
        assert visitor.sign_in(password="wrong password").status_code == 403
    waits = visitor.sign_in()
    assert waits.status_code == 429
    assert 1 <= int(waits.headers["retry-after"]) <= 2
    assert 'role="alert"' in waits.text
    time.sleep(1.1)
    assert visitor.sign_in().status_code == 302


def test_who_guesses_does_not_keep_out_who_signed_in_here_before(server: Server) -> None:
    at_home = server.signed_in()
    at_home.post("/logout")
    guessing = server.visitor()
    for _ in range(6):
        guessing.sign_in(password="wrong password")
    assert guessing.sign_in().status_code == 429
    assert at_home.sign_in().status_code == 302


def test_a_new_password_or_a_removed_operator_ends_sessions_at_once(server: Server) -> None:
    alice, bob = server.signed_in("alice"), server.signed_in("bob")
    assert alice.open_panel()
    write_panel(server.folder, alice=QUICK.hash("another horse battery"))
    assert alice.get("/").status_code == 302
    assert bob.get("/login").status_code == 302
    assert alice.sign_in().status_code == 403
    write_panel(server.folder, operators=("alice",))
    assert bob.get("/login").status_code == 200
    assert bob.sign_in("bob").status_code == 403


def test_a_second_factor_is_asked_for_and_the_provider_can_take_it_away(server: Server) -> None:
    before = server.signed_in()
    printed = command(server, "second-factor", "alice")
    secret = parse_qs(urlsplit(printed.split()[printed.split().index("code:") + 1]).query)["secret"][0]
    recovery = [line.strip() for line in printed.splitlines()[-10:]]
    assert before.get("/login").status_code == 200
    visitor = server.visitor()
    assert 'autocomplete="one-time-code"' in visitor.get("/login").text
    assert visitor.sign_in().status_code == 403
    code = pyotp.TOTP(secret).now()
    assert visitor.sign_in(code=code).status_code == 302
    assert server.visitor().sign_in(code=code).status_code == 403
    assert server.visitor().sign_in(code=recovery[0]).status_code == 302
    assert server.visitor().sign_in(code=recovery[0]).status_code == 403
    command(server, "reset", "alice")
    assert visitor.get("/login").status_code == 200
    assert server.visitor().sign_in().status_code == 302


def test_a_session_that_was_idle_is_over(server: Server) -> None:
    visitor = server.signed_in()
    file = server.state / "sessions.json"
    text = file.read_text()
    server.process.send_signal(signal.SIGSTOP)
    earlier = time.time() - 31 * 60
    replaced = text.replace(text.split('"seen": ')[-1].split(",")[0], str(earlier))
    fresh = file.with_suffix(".new")
    fresh.write_text(replaced)
    fresh.rename(file)
    server.process.send_signal(signal.SIGCONT)
    assert visitor.get("/login").status_code == 200


def test_only_the_names_that_are_served_are_answered(server: Server) -> None:
    for host in ("evil.example", f"evil.example:{server.port}", "localhost.evil.example", ""):
        assert server.visitor().get("/login", headers={"Host": host}).status_code in (400, 421)
    assert server.visitor().get("/login", headers={"Host": f"localhost:{server.port}"}).status_code == 200


def test_it_speaks_the_browsers_language_until_somebody_has_signed_in(server: Server) -> None:
    german = server.visitor(**{"Accept-Language": "de-DE"})
    assert '<html lang="de">' in german.get("/login").text
    assert "Anmelden" in german.get("/login").text
    german.sign_in()
    assert "alice de " in german.open_panel().html


@pytest.mark.parametrize(
    "path", ["/login", "/", "/nothing", "/static/x", "/api/kernels/x", "/logout", "/%00", "/login/"]
)
def test_every_answer_has_the_headers(server: Server, path: str) -> None:
    answer = server.visitor().get(path)
    assert HEADERS.items() <= dict(answer.headers).items()
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    for rule in (
        "default-src 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ):
        assert rule in policy
    assert answer.headers["server"] == "fedikit"


def test_sessions_outlive_a_server_that_was_killed_and_its_kernels_do_not(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        visitor = server.signed_in()
        page = visitor.open_panel()
        kernels = server.kernels()
        assert kernels
        server.process.kill()
        server.process.wait()
        wait_for(lambda: not any(map(is_running, kernels)), "the kernels' end", 10)
        server.process = begin(tmp_path, server.port)
        assert visitor.get("/login").status_code == 302
        assert visitor.get(f"/api/kernels/{page.kernel}").status_code == 404


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_all_kernels_end_with_the_server_and_a_second_server_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.signed_in().open_panel()
        second = subprocess.run(
            [sys.executable, "-m", "fedikit", "panel", "serve", "panel.toml", "--notebook=page.ipynb", "--port=1"],
            cwd=tmp_path, capture_output=True, text=True, env={**os.environ},
        )  # fmt: skip
        assert second.returncode == 1
        assert "another server of this panel is running" in second.stderr
        kernels = server.kernels()
        assert kernels
    assert not any(map(is_running, kernels))


def test_a_password_is_read_from_a_pipe_and_its_hash_printed(server: Server) -> None:
    printed = command(server, "password", given="correct horse battery\n")
    assert printed.startswith("$argon2id$v=19$m=65536,")
    write_panel(server.folder, alice=printed.strip())
    assert server.visitor().sign_in().status_code == 302
