"""GoToSocial in a container and snac on another host: people follow each other, and posts arrive, both ways.

The container must be let out to servers at private addresses, and trust an authority that no Debian knows: both are
said in the provider's file, and taken away again here.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fedikit.environment import load_configuration, load_environment
from fedikit_lab import Lab
from tests.checks.gotosocial import DOMAIN, EMAIL, SITE, App

SNAC = f"snac.{DOMAIN}"
BASE = "/var/lib/snac2"
TRUST = 'trust = "pebble-root.pem"\n'
CONFIGURATION = {
    "domain": DOMAIN,
    "initialUser": {"displayName": "Testy McTestface", "username": "test", "email": EMAIL},
    "gotosocial": {"enable": True},
    "snac": {"enable": True},
}

pytestmark = pytest.mark.lab


class Provider:
    """One provider with both servers, and whom they may speak with."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.configuration = lab.directory / "configuration.json"
        self.configuration.write_text(json.dumps(CONFIGURATION))
        self._plain = lab.environment_file.read_text()
        self.is_let_out()
        lab.announce(load_environment(lab.environment_file).deployment(load_configuration(self.configuration)))

    def is_let_out(self, *, private: bool = True, trust: bool = True) -> None:
        networks = [f"{self.lab[name].address}/32" for name in ("social", "gotosocial")]
        known = f"private_networks = {json.dumps(networks)}\n" if private else ""
        text = self._plain if trust else self._plain.replace(TRUST, "")
        assert TRUST in self._plain
        self.lab.environment_file.write_text(text.replace("\n[policies.web]\n", f"\n[policies.web]\n{known}"))

    def succeed(self, verb: str, *arguments: str) -> str:
        command = [sys.executable, "-m", "fedikit", *verb.split(), *arguments, str(self.configuration)]
        command += ["-e", str(self.lab.environment_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def snac(self, verb: str, *words: str) -> str:
        quoted = " ".join(f"'{word}'" for word in words)
        return self.lab["social"].succeed(f"runuser -u debian-snac -- snac {verb} {BASE} test {quoted} 2>&1")

    def snac_has(self, text: str, where: str) -> None:
        """Returns when a text is in one of the files of snac's user."""
        self.lab["social"].wait_until_succeeds(f"grep -q '{text}' {BASE}/user/test/{where}/*.json")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Lab(tmp_path_factory.mktemp("containers"), machines=("garage", "gotosocial", "social")) as lab:
        yield Provider(lab)


def test_a_container_and_a_host_follow_each_other_and_posts_arrive(provider: Provider) -> None:
    provider.succeed("apply", "--yes")
    results = json.loads(provider.succeed("verify", "--json"))["results"]
    assert [result["name"] for result in results if not result["passed"]] == []

    with App(provider.lab) as app:
        assert app.sign_in(provider.succeed("secret show", "gotosocial/initial-user").strip())

        provider.snac("follow", f"@test@{SITE}")
        (asked,) = until(lambda: app.told("GET", "/api/v1/follow_requests"), "snac to ask to follow")
        assert asked["acct"] == f"test@{SNAC}"
        assert app.told("POST", f"/api/v1/follow_requests/{asked['id']}/authorize")["followed_by"]
        provider.snac_has("Accept", "following")

        (found,) = sought(app)
        app.told("POST", f"/api/v1/accounts/{found['id']}/follow")
        until(lambda: is_following(app, found["id"]), "snac to say yes")
        provider.snac_has("Follow", "followers")

        app.told("POST", "/api/v1/statuses", data={"status": "Greetings from a container"})
        provider.snac("note", "Good news from a host")
        provider.snac_has("Greetings from a container", "private")
        (post,) = until(lambda: app.told("GET", "/api/v1/timelines/home"), "a post to arrive")
        assert "Good news from a host" in post["content"]
        assert post["account"] == f"test@{SNAC}"


@pytest.mark.parametrize("without", ["private", "trust"])
def test_without_it_the_container_reaches_nobody(without: str, provider: Provider) -> None:
    provider.is_let_out(**{without: False})
    provider.succeed("apply", "--yes")

    with App(provider.lab) as app:
        assert app.sign_in(provider.succeed("secret show", "gotosocial/initial-user").strip())
        assert sought(app) == []
    reasons = {"private": "dial within blocked", "trust": "certificate verify failed"}
    told = provider.lab["gotosocial"].succeed("journalctl --unit gotosocial.service")
    assert reasons[without] in told


def test_with_it_the_container_reaches_them_again(provider: Provider) -> None:
    provider.is_let_out()
    provider.succeed("apply", "--yes")

    with App(provider.lab) as app:
        assert app.sign_in(provider.succeed("secret show", "gotosocial/initial-user").strip())
        assert [one["acct"] for one in sought(app)] == [f"test@{SNAC}"]


def sought(app: App) -> list[dict[str, str]]:
    """Whom GoToSocial finds by snac's handle."""
    query = {"q": f"@test@{SNAC}", "resolve": "true", "type": "accounts"}
    found: list[dict[str, str]] = app.told("GET", "/api/v2/search", params=query)["accounts"]
    return found


def is_following(app: App, number: str) -> bool:
    (relation,) = app.told("GET", "/api/v1/accounts/relationships", params={"id[]": number})
    return bool(relation["following"])


def until(look: Callable[[], Any], what: str) -> Any:
    """What is seen as soon as it is something."""
    ends = time.monotonic() + 30
    while not (seen := look()):
        assert time.monotonic() < ends, f"waited in vain for {what}"
        time.sleep(0.3)
    return seen
