"""Two servers of two providers, each deployed by itself: their users follow each other, and posts arrive.

All goes over HTTPS, with certificates of an authority that no Debian knows: hosts are told to trust it.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from fedikit.apply import apply_plan
from fedikit.environment import Environment, load_catalogue, load_environment
from fedikit.model import Application, Configuration, Deployment, configuration_model
from fedikit.plan import make_plan, make_removal
from fedikit.verify import verify_deployment
from fedikit_lab import Lab, Machine
from tests.checks.picture import changes, picture_of

BASE = "/var/lib/snac2"
TRUST = 'trust = "pebble-root.pem"\n'

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Server:
    """One provider's server with its one user, on a machine of its own."""

    lab: Lab
    user: str
    host: str

    @property
    def machine(self) -> Machine:
        return self.lab[self.host]

    @property
    def site(self) -> str:
        return f"snac.{self.host}.test"

    @property
    def page(self) -> str:
        return f"https://{self.site}/{self.user}"

    @property
    def account(self) -> str:
        return f"@{self.user}@{self.site}"

    def environment(self, *, trust: str = TRUST) -> Environment:
        """The lab's environment, as one in which this machine has the application."""
        written = self.lab.environment_file.read_text()
        head, _, _ = written.partition("\n[placement]\n")
        own = head.replace('\nname = "lab"\n', f'\nname = "{self.host}"\n')
        own = own.replace("\n[policies.web]\n", f"\n[policies.web]\n{trust}")
        file = self.lab.directory / f"{self.host}.toml"
        file.write_text(f'{own}\n[placement]\nsnac = "{self.host}"\n')
        return load_environment(file)

    @property
    def configuration(self) -> Configuration:
        catalogue: dict[str, Application[Any]] = {"snac": load_catalogue()["snac"]}
        person = {"displayName": self.user.title(), "username": self.user, "email": f"{self.user}@{self.host}.test"}
        chosen = {"domain": f"{self.host}.test", "initialUser": person, "snac": {"enable": True}}
        return configuration_model(catalogue).model_validate(chosen)

    def deployment(self, *, trust: str = TRUST) -> Deployment:
        return self.environment(trust=trust).deployment(self.configuration)

    def deploy(self, *, trust: str = TRUST) -> None:
        report = apply_plan(make_plan(self.deployment(trust=trust)))
        assert report.succeeded, report

    def remove(self) -> None:
        report = apply_plan(make_removal(self.environment(), purge=True))
        assert report.succeeded, report

    def snac(self, verb: str, *words: str) -> str:
        quoted = " ".join(f"'{word}'" for word in words)
        return self.machine.succeed(f"runuser -u debian-snac -- snac {verb} {BASE} {self.user} {quoted} 2>&1")

    def has_followers(self) -> None:
        """Returns when somebody follows this user."""
        self.machine.wait_until_succeeds(f"grep -q . {BASE}/user/{self.user}/followers/*.json")

    def is_accepted(self) -> None:
        """Returns when the other side has said yes to being followed."""
        self.machine.wait_until_succeeds(f"grep -q Accept {BASE}/user/{self.user}/following/*.json")

    def reads(self, text: str) -> None:
        """Returns when a post is in the user's timeline."""
        self.machine.wait_until_succeeds(f"grep -q '{text}' {BASE}/user/{self.user}/private/*.json")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("federation"), machines=("here", "there")) as lab:
        yield lab


@pytest.fixture(scope="module")
def servers(lab: Lab) -> tuple[Server, Server]:
    alice, bob = Server(lab, "alice", "here"), Server(lab, "bob", "there")
    for server in (alice, bob):
        lab.announce(server.deployment())
    return alice, bob


def test_two_servers_follow_each_other_and_posts_arrive(servers: tuple[Server, Server]) -> None:
    before = {server: picture_of(server.lab, server.host) for server in servers}
    at_once(Server.deploy, servers)
    alice, bob = servers
    for server in servers:  # certificates come after an apply; what is sent before them is tried again minutes later
        verdict = verify_deployment(server.deployment())
        assert verdict.passed, verdict
    for one, other in ((alice, bob), (bob, alice)):
        one.snac("follow", other.account)
    for server in servers:
        server.is_accepted()
        server.has_followers()
        assert make_plan(server.deployment()).is_noop

    alice.snac("note", "Greetings from here")
    bob.snac("note", "Good news from there")
    bob.reads("Greetings from here")
    alice.reads("Good news from there")

    assert "status: 200" in alice.snac("request", bob.page)
    alice.deploy(trust="")
    assert "status: -60" in alice.snac("request", bob.page)  # curl: the certificate is nobody's whom it knows

    at_once(Server.remove, servers)
    for server, picture in before.items():
        assert changes(picture, picture_of(server.lab, server.host)) == []


def at_once(act: Callable[[Server], None], servers: Iterable[Server]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(act, servers))
