"""A small server that behaves as PeerTube's REST API does where accounts are made; for tests only."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

Answer = tuple[int, Any]
CLIENT = {"client_id": "i" * 32, "client_secret": "s" * 32}
NAME = re.compile(r"[a-z0-9_]+([a-z0-9_.-]+[a-z0-9_]+)?")
ADMINISTRATOR, USER = 0, 2


class FakePeertube(ThreadingHTTPServer):
    """Has the administrator root, as PeerTube has after its first start. Dies before its Nth answer, if told so."""

    daemon_threads = True

    def __init__(self, domain: str, root_password: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.domain = domain
        self.calls: list[str] = []
        self.answers_left = 10**9
        self.tokens: dict[str, str] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.add("root", root_password, "test@fedi.test", ADMINISTRATOR)

    def add(self, name: str, password: str, email: str, role: int) -> None:
        user = {"id": len(self.users) + 1, "username": name, "password": password, "email": email, "role": role}
        self.users[name] = {**user, "displayName": name, "secondFactor": False}

    def end_sessions(self, name: str) -> None:
        self.tokens = {token: user for token, user in self.tokens.items() if user != name}


class Handler(BaseHTTPRequestHandler):
    server: FakePeertube

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        path, name = urlsplit(self.path), f"{self.command} {urlsplit(self.path).path}"
        self.server.calls.append(name)
        self.server.answers_left -= 1
        if self.server.answers_left < 0:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        status, answer = self.answered(name, body, parse_qs(path.query))
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def answered(self, name: str, body: str, query: dict[str, list[str]]) -> Answer:
        if name == "GET /api/v1/oauth-clients/local":
            return (200, CLIENT) if self.headers["Host"] == self.server.domain else (403, {"error": "wrong host"})
        if name == "POST /api/v1/users/token":
            return self.token(dict(parse_qsl(body)))
        caller = self.server.users.get(self.server.tokens.get(self.headers["Authorization"] or "", ""))
        if not caller:
            return 401, {"error": "no token"}
        if name == "GET /api/v1/users/me":
            return 200, self.shown(caller)
        if name == "PUT /api/v1/users/me":
            caller["displayName"] = json.loads(body)["displayName"]
            return 204, None
        if name == "POST /api/v1/users/revoke-token":
            del self.server.tokens[self.headers["Authorization"]]
            return 200, {"success": True}
        return self.managed(name, body, query) if caller["role"] == ADMINISTRATOR else (403, {"error": "no right"})

    def token(self, form: dict[str, str]) -> Answer:
        user = self.server.users.get(form.get("username", ""))
        if {"grant_type": "password", "response_type": "code", **CLIENT}.items() - form.items():
            return 400, {"code": "invalid_client"}
        if not user or user["password"] != form.get("password"):
            return 400, {"code": "invalid_grant"}
        if user["secondFactor"]:
            return 401, {"code": "missing_two_factor"}
        token = f"token-{len(self.server.calls)}"
        self.server.tokens[f"Bearer {token}"] = user["username"]
        return 200, {"access_token": token}

    def managed(self, name: str, body: str, query: dict[str, list[str]]) -> Answer:
        users = self.server.users
        if name == "GET /api/v1/users":
            return 200, self.page({word: values[0] for word, values in query.items()})
        given = json.loads(body)
        if name == "POST /api/v1/users":
            return self.made(given)
        (user,) = (user for user in users.values() if name == f"PUT /api/v1/users/{user['id']}")
        if user["username"] == "root" and "role" in given:
            return 400, {"error": "root is an administrator"}
        if given.keys() & {"role", "password"}:
            self.server.end_sessions(user["username"])
        user.update(given)
        return 204, None

    def page(self, query: dict[str, str]) -> Any:
        """As upstream: the newest first, and 15, if nothing else is asked for."""
        users = list(self.server.users.values())
        found = [user for user in users if query["search"] in user["username"] + user["email"]]
        found = found if query.get("sort") == "createdAt" else found[::-1]
        start, count = int(query.get("start", 0)), int(query.get("count", 15))
        assert count <= 100
        return {"total": len(found), "data": [self.shown(user) for user in found[start:][:count]]}

    def made(self, given: dict[str, Any]) -> Answer:
        users, name = self.server.users, given["username"]
        if name in users or given["email"] in [user["email"] for user in users.values()]:
            return 409, {"error": "User with this username or email already exists."}
        if not NAME.fullmatch(name) or "videoQuota" not in given:
            return 400, {"error": "malformed"}
        self.server.add(name, given["password"], given["email"], given["role"])
        return 200, {"user": {"id": users[name]["id"]}}

    def shown(self, user: dict[str, Any]) -> dict[str, Any]:
        known = {key: user[key] for key in ("id", "username", "email")}
        return {**known, "role": {"id": user["role"]}, "account": {"displayName": user["displayName"]}}

    def log_request(self, *arguments: object) -> None:
        """Says nothing."""
