"""A small server that behaves as GoToSocial does where its initial user is made; for tests only.

Its commands come to it as requests, for the tests put programs called `podman` and `systemctl` in the way. What the
commands change, it sees after a restart, and then it is not ready at once, as upstream's server. Its words, statuses
and lines of a log are those that GoToSocial of February 2026 gave when it was run.
"""

import html
import json
import re
import shlex
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from fedikit.model.strength import strength

HERE = "urn:ietf:wg:oauth:2.0:oob"
PROGRAM = """\
#!{python} -I
import json, pathlib, sys, urllib.request
words = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
body = json.dumps({{"words": words, "stdin": sys.stdin.read() if words[0] == "podman" else ""}}).encode()
with urllib.request.urlopen("http://127.0.0.1:{port}/command", body) as answer:
    status, text = json.load(answer)
print(text, file=sys.stderr if status else sys.stdout)
sys.exit(status)
"""
LOG = 'timestamp="27/11/2026 03:54:06.908" func=bundb.doMigration level=INFO msg="there are no new migrations to run"'
HEAD = "user  account                    approved admin moderator suspended confirmed"
Answer = tuple[int, Any, str]
User = dict[str, Any]


class FakeGotosocial(ThreadingHTTPServer):
    """Has no user, as GoToSocial has none after its first start."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: dict[str, User] = {}
        self.seen: dict[str, User] = {}
        self.unready = 0
        self.apps: dict[str, str] = {}
        self.tokens: dict[str, tuple[str, str]] = {}
        self.calls: list[str] = []
        self.commands: list[list[str]] = []
        self.secrets: list[str] = []

    def put_programs(self, directory: Path) -> None:
        for name in ("podman", "systemctl"):
            program = directory / name
            program.write_text(PROGRAM.format(python=sys.executable, port=self.server_port))
            program.chmod(0o755)

    def user(self, name: str, email: str, password: str, **more: Any) -> None:
        """A user who is there, and whom the server has seen."""
        plain = {"admin": False, "display_name": "", "second_factor": False}
        self.kept[name] = {"email": email, "password": password, **plain, **more}
        self.seen[name] = dict(self.kept[name])

    def token(self, user: str, app: str) -> str:
        """A token that somebody's app has."""
        token = f"token-{len(self.calls)}-{len(self.tokens)}"
        self.tokens[token] = (user, app)
        return token

    def restart(self) -> None:
        self.seen = {name: dict(user) for name, user in self.kept.items()}
        self.unready = 2

    def command(self, words: list[str], stdin: str) -> tuple[int, str]:
        """What a program of the host came to: its exit status, and what it prints."""
        self.commands.append(words)
        if words[0] == "systemctl":
            assert words[1:] == ["restart", "gotosocial.service"]
            self.restart()
            return 0, ""
        assert words[1:4] == ["exec", "--interactive", "gotosocial"]
        inner = words[4:]
        if inner[0] == "sh":  # the shell adds the line of its standard input as the password
            assert shlex.split(inner[2].partition("; ")[0])[-1] == "password"
            inner = ["/gotosocial/gotosocial", "admin", "account", *inner[4:], "--password", stdin.removesuffix("\n")]
            self.secrets.append(inner[-1])
        assert inner[:3] == ["/gotosocial/gotosocial", "admin", "account"]
        status, text = self.administered(inner[3], dict(zip(inner[4::2], inner[5::2], strict=True)))
        return (status, f"2026/11/27 03:54:04 error executing command: {text}") if status else (0, f"{LOG}\n{text}")

    def administered(self, act: str, options: dict[str, str]) -> tuple[int, str]:
        name, user = options.get("--username", ""), self.kept.get(options.get("--username", ""))
        if act == "list":
            return 0, "\n".join([HEAD, *(self.row(one) for one in self.kept)])
        if act == "create":
            if options["--email"] in [one["email"] for one in self.kept.values()]:
                return 1, f"email address {options['--email']} is already in use"
            known = dict(self.seen)
            self.user(name, options["--email"], options["--password"])
            self.seen = known
            return 0, ""
        if user is None:
            return 1, "sql: no rows in result set"
        changes = {"promote": {"admin": True}, "disable-2fa": {"second_factor": False}}
        user.update(changes.get(act, {"password": options.get("--password")}))
        return 0, ""

    def row(self, name: str) -> str:
        return f"{name}  01A98X62Q67RVDMBJQJ435B7PF yes {'yes' if self.kept[name]['admin'] else 'no'} no no yes"

    def change(self, name: str, **changes: Any) -> None:
        """What the server itself changes, it sees at once."""
        self.kept[name] |= changes
        self.seen[name] |= changes


class Handler(BaseHTTPRequestHandler):
    server: FakeGotosocial
    session = ""

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PATCH(self) -> None:
        self.answer()

    def answer(self) -> None:
        name = f"{self.command} {urlsplit(self.path).path}"
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        if name == "POST /command":
            told = json.loads(body)
            status, answer, place = 200, self.server.command(told["words"], told["stdin"]), ""
        else:
            self.server.calls.append(name)
            status, answer, place = self.ready(name, dict(parse_qsl(body)))
        text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if self.session:
            self.send_header("Set-Cookie", f"gotosocial-fedi.test={self.session}; Path=/; Secure; HttpOnly")
        if place:
            self.send_header("Location", place)
        self.end_headers()
        self.wfile.write(text)

    def ready(self, name: str, form: dict[str, str]) -> Answer:
        """While it starts, all but /livez is answered with a page that says so."""
        if self.server.unready:
            self.server.unready -= name == "GET /readyz"
            return 503, "maintenance", ""
        return (200, "", "") if name == "GET /readyz" else self.answered(name, form)

    def answered(self, name: str, form: dict[str, str]) -> Answer:
        cookie = re.search(r"=(.*)", self.headers["Cookie"] or "")
        self.session = cookie[1] if cookie else ""
        if name == "POST /api/v1/apps":
            client = f"client-{len(self.server.apps)}"
            self.server.apps[client] = form["client_name"]
            return 200, {"client_id": client, "client_secret": "s" * 36}, ""
        if name == "GET /oauth/authorize":
            self.session = parse_qs(urlsplit(self.path).query)["client_id"][0]
            return 303, "", "/auth/sign_in"
        if name == "POST /auth/sign_in":
            return self.signed_in(form)
        if name == "POST /oauth/authorize":
            return 302, "", f"/oauth/oob?code={self.session}"
        if name == "POST /oauth/token":
            assert {"redirect_uri": HERE, "grant_type": "authorization_code", "client_secret": "s" * 36}.items() <= (
                form.items()
            )
            client, user = form["code"].split("/")
            assert client == form["client_id"]
            return 200, {"access_token": self.server.token(user, self.server.apps[client])}, ""
        if name.startswith("GET /@"):
            return self.profile(name.removeprefix("GET /@"))
        return self.told(name, form)

    def signed_in(self, form: dict[str, str]) -> Answer:
        pairs = {(user["email"], user["password"]): name for name, user in self.server.seen.items()}
        name = pairs.get((form["username"], form["password"]))
        if not name:
            return 401, "password/email combination was incorrect", ""
        self.session = f"{self.session}/{name}"
        return 302, "", "/auth/2fa" if self.server.seen[name]["second_factor"] else "/oauth/authorize"

    def profile(self, name: str) -> Answer:
        shown = html.escape(self.server.seen[name]["display_name"] or name)
        return 200, f'<meta property="og:title" content="{shown} (@{name}@fedi.test)">', ""

    def told(self, name: str, form: dict[str, str]) -> Answer:
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if token not in self.server.tokens:
            return 401, {"error": "Unauthorized: token not supplied"}, ""
        if name == "POST /oauth/revoke":
            self.server.tokens.pop(form["token"])
            return 200, {}, ""
        if "/api/v1/tokens" in name:
            return self.told_of_tokens(name, self.server.tokens[token][0])
        return self.told_of_account(name, self.server.tokens[token][0], form)

    def told_of_tokens(self, name: str, caller: str) -> Answer:
        if found := re.fullmatch("POST /api/v1/tokens/(.*)/invalidate", name):
            self.server.tokens.pop(found[1])
        mine = [(token, app) for token, (user, app) in self.server.tokens.items() if user == caller]
        return 200, [{"id": token, "application": {"name": app}} for token, app in mine], ""

    def told_of_account(self, name: str, caller: str, form: dict[str, str]) -> Answer:
        user = self.server.seen[caller]
        if name == "POST /api/v1/user/password_change":
            assert form["old_password"] == user["password"]
            if strength(form["new_password"]) < 60:
                per_cent = f"{100 * strength(form['new_password']) / 60:.0f}"
                return 400, {"error": f"Bad Request: password is only {per_cent}% strength, try using …"}, ""
            self.server.change(caller, password=form["new_password"])
        if name == "PATCH /api/v1/accounts/update_credentials":
            self.server.change(caller, display_name=form["display_name"])
        return 200, {key: user[key] for key in ("email", "admin", "display_name")}, ""

    def log_message(self, *values: object) -> None:
        pass
