"""Makes PeerTube's initial user an administrator, over the REST API: no command of PeerTube makes users.

Runs on the host, by itself, with the standard library only: `make` or `check`, then the port at which PeerTube listens,
its domain, and the user's name, e-mail address and displayed name. Standard input has three lines: the password with
which root was made, root's own, and the user's.
"""

import http.client
import json
import sys
import urllib.parse
from typing import Any

ADMINISTRATOR = 0
PAGE = 100
FORM = "application/x-www-form-urlencoded"


class Answered(OSError):
    """PeerTube answered with an error; `code` is its own word for it, if it has one."""

    def __init__(self, what: str, status: int, text: str) -> None:
        super().__init__(f"PeerTube answered {what} with {status}: {text[:300]}")
        self.code = json.loads(text).get("code", "") if text.startswith("{") else ""


class Server:
    """PeerTube, asked in the way its proxy asks it, once signed in as its administrator root."""

    def __init__(self, port: str, domain: str) -> None:
        self.port, self.domain, self.token = int(port), domain, ""

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "", kind: str = "application/json") -> Any:
        headers = {"Host": self.domain, "X-Forwarded-Proto": "https", "Content-Type": kind}
        if token or self.token:
            headers["Authorization"] = f"Bearer {token or self.token}"
        content = None if body is None else body if kind == FORM else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/api/v1{path}", content, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise OSError(f"PeerTube did not answer {method} {path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise Answered(f"{method} {path}", answer.status, text)
        return json.loads(text) if text.startswith("{") else {}

    def sign_in(self, name: str, password: str) -> str:
        """A token; nothing if the password is another one."""
        form = {"grant_type": "password", "response_type": "code", "username": name, "password": password}
        form |= self.ask("GET", "/oauth-clients/local")
        try:
            return str(self.ask("POST", "/users/token", urllib.parse.urlencode(form), kind=FORM)["access_token"])
        except Answered as error:
            if error.code == "invalid_grant":
                return ""
            raise

    def sign_out(self, token: str) -> None:
        self.ask("POST", "/users/revoke-token", {}, token=token)

    def has_password(self, name: str, password: str) -> bool:
        """A second factor is asked for only when the password is right."""
        try:
            token = self.sign_in(name, password)
        except Answered as error:
            if error.code == "missing_two_factor":
                return True
            raise
        if token:
            self.sign_out(token)
        return bool(token)

    def find(self, name: str) -> Any:
        """The user of exactly this name; a search gives all whose name or address has it somewhere in it, in pages."""
        for start in range(0, sys.maxsize, PAGE):
            query = {"search": name, "sort": "createdAt", "count": PAGE, "start": start}
            found = self.ask("GET", f"/users?{urllib.parse.urlencode(query)}")
            if known := [user for user in found["data"] if user["username"] == name]:
                return known[0]
            if start + PAGE >= found["total"]:
                break
        return None

    def change(self, user: Any, **values: Any) -> None:
        if values:
            self.ask("PUT", f"/users/{user['id']}", values)


class Account:
    """The initial user, as wanted."""

    def __init__(self, server: Server, password: str, name: str, email: str, displayed: str) -> None:
        self.server, self.password, self.name, self.displayed = server, password, name, displayed
        self.email = email.lower()

    def is_there(self) -> bool:
        user = self.server.find(self.name)
        return (
            user is not None
            and not self.differing(user)
            and user["account"]["displayName"] == self.displayed
            and self.server.has_password(self.name, self.password)
        )

    def differing(self, user: Any) -> dict[str, Any]:
        email = {} if user["email"].lower() == self.email else {"email": self.email}
        return email if user["role"]["id"] == ADMINISTRATOR else {**email, "role": ADMINISTRATOR}

    def make(self) -> None:
        """A password is put only if it is another one, for that ends the user's sessions."""
        user = self.server.find(self.name)
        if user is None:
            self.add()
            user = self.server.find(self.name)
        self.server.change(user, **self.differing(user))
        if not self.server.has_password(self.name, self.password):
            self.server.change(user, password=self.password)
        if user["account"]["displayName"] != self.displayed:
            self.call_by_name()

    def add(self) -> None:
        """Root has the user's address at first; no two may have the same."""
        root = self.server.find("root")
        if root["email"].lower() == self.email:
            self.server.change(root, email=f"root@{self.server.domain}")
        user = {"username": self.name, "email": self.email, "password": self.password, "role": ADMINISTRATOR}
        self.server.ask("POST", "/users", {**user, "videoQuota": -1, "videoQuotaDaily": -1})

    def call_by_name(self) -> None:
        try:
            token = self.server.sign_in(self.name, self.password)
        except Answered as error:
            if error.code != "missing_two_factor":
                raise
            sys.exit(
                f"{self.name} signs in with a second factor, so nobody else can change the displayed name to "
                f"{self.displayed!r}: do it in PeerTube, under My account, or leave it as it is in the configuration"
            )
        self.server.ask("PUT", "/users/me", {"displayName": self.displayed}, token=token)
        self.server.sign_out(token)


def sign_in_as_root(server: Server, own: str) -> bool:
    try:
        server.token = server.sign_in("root", own)
    except Answered as error:
        if error.code != "missing_two_factor":
            raise
        sys.exit("PeerTube's own administrator root signs in with a second factor: switch it off, in PeerTube")
    return bool(server.token)


def replace_first_password(server: Server, first: str, own: str) -> None:
    """PeerTube tells its log the password with which it makes root."""
    if not sign_in_as_root(server, first):
        sys.exit(
            "PeerTube's own administrator root has another password than fedikit's: give it that one again, by "
            "`podman exec --interactive --tty --user 999 peertube npm run reset-password -- -u root`"
        )
    server.change(server.find("root"), password=own)
    sign_in_as_root(server, own)


def main() -> int:
    action, port, domain, name, email, displayed = sys.argv[1:]
    first, own, password = sys.stdin.read().split("\n")
    server = Server(port, domain)
    account = Account(server, password, name, email, displayed)
    own = password if name == "root" else own
    if not sign_in_as_root(server, own):
        if action == "check":
            return 1
        replace_first_password(server, first, own)
    try:
        if action == "check":
            return 0 if account.is_there() else 1
        account.make()
    finally:
        server.sign_out(server.token)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as failure:
        sys.exit(str(failure))
