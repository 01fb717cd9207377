"""GoToSocial as an app uses it."""

import ssl
from typing import Any

import httpx

from fedikit_lab import Lab

DOMAIN, EMAIL = "fediversity.test", "test@fediversity.test"
SITE = f"gotosocial.{DOMAIN}"
HERE = "urn:ietf:wg:oauth:2.0:oob"


class App:
    """Somebody's app for the GoToSocial on the machine of that name, over HTTPS, which trusts the lab's authority."""

    def __init__(self, lab: Lab) -> None:
        self.client = httpx.Client(
            base_url=f"https://{lab['gotosocial'].address}",
            verify=ssl.create_default_context(cadata=lab.acme_root()),
            headers={"Host": SITE},
            timeout=30,
        )
        self.cookies: dict[str, str] = {}
        self.token = ""

    def __enter__(self) -> "App":
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.request(method, path, headers=headers, extensions={"sni_hostname": SITE}, **content)
        for line in answer.headers.get_list("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def told(self, method: str, path: str, **content: Any) -> Any:
        answer = self.ask(method, path, **content)
        assert answer.is_success, answer.text
        return answer.json()

    def sign_in(self, password: str) -> bool:
        asked = {"client_name": "app", "redirect_uris": HERE, "scopes": "read write"}
        app = self.told("POST", "/api/v1/apps", data=asked)
        client = {"client_id": app["client_id"], "redirect_uri": HERE}
        self.ask("GET", "/oauth/authorize", params={**client, "response_type": "code", "scope": "read write"})
        if self.ask("POST", "/auth/sign_in", data={"username": EMAIL, "password": password}).status_code == 401:
            return False
        code = httpx.URL(self.ask("POST", "/oauth/authorize").headers["Location"]).params["code"]
        form = {**client, "client_secret": app["client_secret"], "grant_type": "authorization_code", "code": code}
        self.token = self.told("POST", "/oauth/token", data=form)["access_token"]
        return True
