"""A small server that behaves as GoToSocial does where its initial user is made; for tests only.

Its commands come to it as requests, for the tests put programs called `podman` and `systemctl` in the way. What the
commands change, it sees after a restart, as upstream's server.
"""

import json
import re
import shlex
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HERE = "urn:ietf:wg:oauth:2.0:oob"
CLIENT = {"client_id": "i" * 26, "client_secret": "s" * 36}
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
Answer = tuple[int, Any, str]
User = dict[str, Any]


class FakeGotosocial(ThreadingHTTPServer):
    """Has no user, as GoToSocial has none after its first start."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: dict[str, User] = {}
        self.seen: dict[str, User] = {}
        self.second_factor = False
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
        self.kept[name] = {"email": email, "password": password, "admin": False, "display_name": "", **more}
        self.restart()

    def restart(self) -> None:
        self.seen = {name: dict(user) for name, user in self.kept.items()}

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
        return self.administered(inner[3], dict(zip(inner[4::2], inner[5::2], strict=True)))

    def administered(self, act: str, options: dict[str, str]) -> tuple[int, str]:
        name, user = options.get("--username", ""), self.kept.get(options.get("--username", ""))
        if act == "list":
            return 0, "\n".join(["user account approved", *(f"{one} 01ABC yes" for one in self.kept)])
        if act == "create":
            if options["--email"] in [one["email"] for one in self.kept.values()]:
                return 1, f"level=ERROR msg=email address {options['--email']} is already in use"
            self.kept[name] = {"email": options["--email"], "password": options["--password"]}
            self.kept[name] |= {"admin": False, "display_name": ""}
            self.seen.setdefault(name, dict(self.kept[name]))
            return 0, ""
        assert user is not None
        user.update({"admin": True} if act == "promote" else {"password": options["--password"]})
        return 0, ""

    def change(self, name: str, **changes: Any) -> None:
        """What the server itself changes, it sees at once."""
        self.kept[name] |= changes
        self.seen[name] |= changes


class Handler(BaseHTTPRequestHandler):
    server: FakeGotosocial

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
            status, answer, place = self.answered(name, dict(parse_qsl(body)))
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if place:
            self.send_header("Location", place)
            self.send_header("Set-Cookie", f"gotosocial-fedi.test={self.session}; Path=/; Secure; HttpOnly")
        self.end_headers()
        self.wfile.write(text)

    session = ""

    def answered(self, name: str, form: dict[str, str]) -> Answer:
        cookie = re.search(r"=(.*)", self.headers["Cookie"] or "")
        if name == "POST /api/v1/apps":
            return 200, CLIENT, ""
        if name == "GET /oauth/authorize":
            self.session = "begun"
            return 303, "", "/auth/sign_in"
        if name == "POST /auth/sign_in":
            return self.signed_in(form)
        if name == "POST /oauth/authorize":
            self.session = cookie[1] if cookie else ""
            return 302, "", f"/oauth/oob?code=code-of-{self.session}"
        if name == "POST /oauth/token":
            wanted = {**CLIENT, "redirect_uri": HERE, "grant_type": "authorization_code"}
            assert wanted.items() <= form.items()
            return 200, {"access_token": form["code"].removeprefix("code-of-")}, ""
        caller = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if caller not in self.server.seen:
            return 401, {"error": "no token"}, ""
        return self.told(name, caller, form)

    def signed_in(self, form: dict[str, str]) -> Answer:
        pairs = {(user["email"], user["password"]): name for name, user in self.server.seen.items()}
        name = pairs.get((form["username"], form["password"]))
        if not name:
            return 401, "incorrect", ""
        self.session = name
        return 302, "", "/auth/2fa" if self.server.second_factor else "/oauth/authorize"

    def told(self, name: str, caller: str, form: dict[str, str]) -> Answer:
        user = self.server.seen[caller]
        if name == "POST /api/v1/user/password_change":
            if form["old_password"] != user["password"] or len(form["new_password"]) < 12:
                return 400, {"error": "Bad Request: password is only 50% strength"}, ""
            self.server.change(caller, password=form["new_password"])
            return 202, {}, ""
        if name == "PATCH /api/v1/accounts/update_credentials":
            self.server.change(caller, display_name=form["display_name"])
        return 200, {key: user[key] for key in ("email", "admin", "display_name")}, ""

    def log_message(self, *values: object) -> None:
        pass
