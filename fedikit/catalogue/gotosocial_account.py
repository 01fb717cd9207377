"""Makes GoToSocial's initial user, an administrator, or (check) tells by the exit status whether all is so already.

    python3 gotosocial_account.py make|check PORT DOMAIN CONTAINER USERNAME EMAIL DISPLAY-NAME

Runs on its host; standard library only. The password comes on standard input; without one, people sign in elsewhere
(OpenID Connect), and the account has a password that nobody knows.

GoToSocial's commands take a password as an argument only, where other users of the host could read it. So they get one
that is thrown away, and the real one is set over the API. What the commands change, the server sees when it starts.
"""

import html
import http.client
import json
import re
import secrets
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

HERE = "urn:ietf:wg:oauth:2.0:oob"
FORM = "application/x-www-form-urlencoded"
PROGRAM = "/gotosocial/gotosocial"
WITH_PASSWORD = f'IFS= read -r password; exec {PROGRAM} admin account "$@" --password "$password"'
Form = dict[str, str]


class Trouble(Exception):
    """What the operator reads."""


class SecondFactor(Exception):
    """The password was right, and a code is asked for."""


@dataclass(frozen=True)
class Person:
    """Who the configuration says the initial user is."""

    username: str
    email: str
    display_name: str
    password: str


@dataclass(frozen=True)
class Answer:
    """What GoToSocial answered."""

    status: int
    place: str
    text: str


class Site:
    """GoToSocial, as a browser or an app sees it through the proxy."""

    def __init__(self, port: str, domain: str) -> None:
        self._port = int(port)
        self._headers = {"Host": domain, "X-Forwarded-Proto": "https", "User-Agent": "fedikit"}

    def wait(self) -> None:
        """Returns when GoToSocial has migrated its database and is ready."""
        while not self._is_ready():
            time.sleep(0.5)

    def _is_ready(self) -> bool:
        try:
            return self._send("GET", "/readyz", "", {}).status == 200
        except OSError:
            return False

    def page(self, method: str, path: str, form: Form | None = None, *, cookies: Form | None = None) -> Answer:
        """An answer to a browser; cookies are kept."""
        kept = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        headers = {"Accept": "text/html", **({"Cookie": kept} if kept else {})}
        return self._send(method, path, urllib.parse.urlencode(form or {}), headers, cookies)

    def told(self, method: str, path: str, form: Form | None = None, *, token: str = "") -> Any:
        """An answer to an app."""
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        answer = self._send(method, path, urllib.parse.urlencode(form or {}), headers)
        if answer.status >= 400:
            raise Trouble(f"GoToSocial answered {method} {path} with {answer.status}: {answer.text[:300]}")
        return json.loads(answer.text or "{}")

    def shown_name(self, username: str) -> str:
        """The name that everybody sees on a user's page."""
        found = re.search(r'"og:title" content="(.*?),? \(?@[^"]*"', self.page("GET", f"/@{username}").text)
        return html.unescape(found[1]) if found else ""

    def _send(self, method: str, path: str, body: str, headers: Form, cookies: Form | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body.encode(), {**self._headers, "Content-Type": FORM, **headers})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if cookies is not None:
            for line in answer.headers.get_all("Set-Cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
        return Answer(answer.status, answer.headers.get("Location", ""), text)


class Commands:
    """GoToSocial's own commands, in its container."""

    def __init__(self, container: str) -> None:
        self.container = container

    def run(self, *words: str) -> str:
        return self._run([PROGRAM, "admin", "account", *words], "")

    def run_with_password(self, password: str, *words: str) -> None:
        self._run(["sh", "-c", WITH_PASSWORD, "sh", *words], f"{password}\n")

    def role(self, username: str) -> str:
        """What somebody is: `admin`, `user`, or nothing. Above the table are lines of a log."""
        lines = [line.split() for line in self.run("list").splitlines()]
        heads = next((line for line in lines if line[:2] == ["user", "account"]), None)
        if heads is None:
            raise Trouble("`admin account list` of GoToSocial shows no table")
        rows = lines[lines.index(heads) + 1 :]
        found = next((row for row in rows if row[:1] == [username]), None)
        return "" if found is None else "admin" if found[heads.index("admin")] == "yes" else "user"

    def restart(self) -> None:
        subprocess.run(["systemctl", "restart", f"{self.container}.service"], check=True)

    def _run(self, words: list[str], stdin: str) -> str:
        command = ["podman", "exec", "--interactive", self.container, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Trouble(f"a command of GoToSocial failed: {''.join(said)[:300]}")
        return done.stdout


class Session:
    """Somebody signed in to the API, by an app of this run's own."""

    def __init__(self, site: Site, email: str, password: str) -> None:
        self._site = site
        self._app = f"fedikit {secrets.token_hex(4)}"
        self._token = self._sign_in(email, password)

    def ask(self, method: str, path: str, form: Form | None = None) -> Any:
        return self._site.told(method, path, form, token=self._token)

    def end(self, *, everywhere: bool) -> None:
        """Takes this session back and those that earlier runs left; all of the user's if the password is another."""
        while others := [one for one in self.ask("GET", "/api/v1/tokens?limit=80") if self._ends(one, everywhere)]:
            for one in others:
                self.ask("POST", f"/api/v1/tokens/{one['id']}/invalidate")
        self.ask("POST", "/oauth/revoke", {**self._client, "token": self._token})

    def _ends(self, one: dict[str, Any], everywhere: bool) -> bool:
        name = str((one.get("application") or {}).get("name", ""))
        return name != self._app and (everywhere or name.split(" ")[0] == "fedikit")

    def _sign_in(self, email: str, password: str) -> str:
        asked = {"client_name": self._app, "redirect_uris": HERE, "scopes": "read write"}
        app = self._site.told("POST", "/api/v1/apps", asked)
        self._client = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
        code = {"grant_type": "authorization_code", "redirect_uri": HERE, "code": self._code(email, password)}
        return str(self._site.told("POST", "/oauth/token", {**self._client, **code})["access_token"])

    def _code(self, email: str, password: str) -> str:
        """By the way that a browser goes."""
        cookies: Form = {}
        wanted = {"client_id": self._client["client_id"], "redirect_uri": HERE, "response_type": "code"}
        query = urllib.parse.urlencode({**wanted, "scope": "read write"})
        self._site.page("GET", f"/oauth/authorize?{query}", cookies=cookies)
        if not enter(self._site, email, password, cookies):
            raise Trouble(
                f"GoToSocial has the user, but with another address than {email}, and no command changes it: name the "
                "old address in the configuration and apply again, or change it in GoToSocial first"
            )
        place = self._site.page("POST", "/oauth/authorize", cookies=cookies).place
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(place).query).get("code")
        if not code:
            raise Trouble(f"{email} signs in to GoToSocial, but is led to {place or 'no other page'}")
        return code[0]


def enter(site: Site, email: str, password: str, cookies: Form | None = None) -> bool:
    """Whether somebody's password is right; raises SecondFactor if it is, and a code is asked for."""
    form, kept = {"username": email, "password": password}, {} if cookies is None else cookies
    answer = site.page("POST", "/auth/sign_in", form, cookies=kept)
    if answer.status not in (302, 303, 401):
        raise Trouble(f"GoToSocial answered POST /auth/sign_in with {answer.status}")
    if answer.place.endswith("/2fa"):
        raise SecondFactor
    return answer.status != 401


def has_password(site: Site, person: Person) -> bool:
    try:
        return enter(site, person.email, person.password)
    except SecondFactor:
        return True


def holds(site: Site, commands: Commands, person: Person) -> bool:
    """Whether the user is there as configured; leaves nothing behind."""
    return (
        commands.role(person.username) == "admin"
        and (not person.password or has_password(site, person))
        and site.shown_name(person.username) == person.display_name
    )


def make(site: Site, commands: Commands, person: Person) -> None:
    """Makes what is not there yet: by commands first, then over the API."""
    site.wait()
    role, name = commands.role(person.username), ("--username", person.username)
    stays = bool(role and person.password) and has_password(site, person)
    password = person.password if stays else secrets.token_urlsafe(32)
    if not stays:
        words = ("password",) if role else ("create", "--email", person.email)
        commands.run_with_password(password, *words, *name)
    if role != "admin":
        commands.run("promote", *name)
    if not stays or role != "admin":
        commands.restart()
        site.wait()
    complete(site, commands, person, password)


def complete(site: Site, commands: Commands, person: Person, password: str) -> None:
    """What only somebody signed in can do: give the user the display name, and the password that stays."""
    try:
        session = Session(site, person.email, password)
    except SecondFactor:
        if password == person.password and site.shown_name(person.username) == person.display_name:
            return
        raise Trouble(told_of_second_factor(commands, person, password)) from None
    if person.password not in ("", password):
        change = {"old_password": password, "new_password": person.password}
        session.ask("POST", "/api/v1/user/password_change", change)
    if session.ask("GET", "/api/v1/accounts/verify_credentials")["display_name"] != person.display_name:
        session.ask("PATCH", "/api/v1/accounts/update_credentials", {"display_name": person.display_name})
    session.end(everywhere=person.password != password)


def told_of_second_factor(commands: Commands, person: Person, password: str) -> str:
    """Whom a second factor keeps out, and the way in."""
    said = f"{person.username} of GoToSocial has a second factor, so only the user can "
    if password == person.password:
        return f"{said}change the display name: ask for {person.display_name!r} to be set below /settings"
    return (
        f"{said}set the password, which nobody knows now. On the host, run `podman exec {commands.container} {PROGRAM} "
        f"admin account disable-2fa --username {person.username}`, and apply again; then the user can set up a new one"
    )


def main(action: str, port: str, domain: str, container: str, *about: str) -> int | str:
    """The exit status, or what to say with status 1."""
    site, commands = Site(port, domain), Commands(container)
    username, email, display_name = about
    person = Person(username, email, display_name, sys.stdin.read())
    try:
        if action == "check":
            return 0 if holds(site, commands, person) else 1
        make(site, commands, person)
    except (Trouble, OSError, http.client.HTTPException, subprocess.CalledProcessError) as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
