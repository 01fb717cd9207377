"""Showing a secret: who saw it is noted first, on every host that uses it, or it is not shown."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from pydantic import SecretBytes

from fedikit import disclosure
from fedikit.disclosure import disclose, hand_over
from fedikit.errors import ConnectionFailed, SecretError
from fedikit.model import initial_password
from fedikit.model.deployment import Deployment, Secrets
from fedikit.model.host import HostState, Ssh
from fedikit.model.item import File, Item, Job, SecretRef, SecretText
from fedikit.remote.event_messages import Noted
from fedikit.secrets import MasterKey
from fedikit.secrets.recipient import recipient_of
from fedikit.secrets.sealing import opened

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
PASSWORD, TOKEN = SecretRef(name="app/password"), SecretRef(name="app/token", format="hex64")
PAIR = (SecretRef(name="app/pair", format="vapid-private"), SecretRef(name="app/pair", format="vapid-public"))


class Hosts:
    """Hosts that are spoken with in the agents' place; some are down."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.told: dict[str, dict[str, Any]] = {}

    def talk(self, host: str, _: object) -> "Talk":
        if host in self.down:
            raise ConnectionFailed(host, "no route to host")
        return Talk(host, self.told)


class Talk:
    def __init__(self, host: str, told: dict[str, dict[str, Any]]) -> None:
        self._host, self._told = host, told

    def __enter__(self) -> "Talk":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing has to be closed."""

    def ask(self, request: dict[str, Any], answer: type[Noted]) -> Noted:
        self._told[self._host] = request
        return answer(event="noted")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    hosts = Hosts()
    monkeypatch.setattr(disclosure, "Session", hosts.talk)
    return hosts


@pytest.fixture
def deployment(tmp_path: Path) -> Callable[..., Deployment]:
    """A deployment in which these items are on these hosts."""
    (tmp_path / "master.key").write_text(f"{'5' * 64}\n")
    (tmp_path / "master.key").chmod(0o600)

    def make(**items: tuple[Item, ...]) -> Deployment:
        connection = Ssh(address="10.0.0.2", host_key=HOST_KEY)
        return Deployment(
            name="lab",
            hosts={name: HostState(connection=connection, items=its) for name, its in items.items()},
            secrets=Secrets(master_key=f"file:{tmp_path / 'master.key'}"),
        )

    return make


def text(*secrets: SecretRef) -> SecretText:
    return SecretText(parts=("it is ", *secrets))


FILE = File(path="/etc/app", content=text(PASSWORD, TOKEN))
JOB = Job(name="app", run=("cat",), stdin=text(PASSWORD))
PLAIN = File(path="/etc/motd", content="app/password\n")


def test_each_host_that_uses_the_secret_notes_who_saw_it(deployment: Callable[..., Deployment], hosts: Hosts) -> None:
    (value,) = disclose(deployment(one=(FILE,), two=(PLAIN, JOB), three=(PLAIN,)), "app/password")

    assert len(value) == 24
    assert hosts.told.keys() == {"one", "two"}
    request = hosts.told["one"]
    assert (request["op"], request["deployment"], request["note"]) == ("note", "lab", "saw the secret app/password")
    assert "@" in request["who"]
    assert value not in str(hosts.told)


def test_both_halves_of_a_pair_are_shown(deployment: Callable[..., Deployment], hosts: Hosts) -> None:
    values = disclose(deployment(one=(File(path="/etc/app", content=text(*PAIR)),)), "app/pair")

    assert len(set(values)) == 2
    assert list(hosts.told) == ["one"]


def test_nothing_is_shown_while_a_host_that_uses_it_is_down(
    deployment: Callable[..., Deployment], hosts: Hosts
) -> None:
    wanted = deployment(one=(FILE,), two=(JOB,), three=(FILE,))
    hosts.down = {"two", "three"}
    with pytest.raises(SecretError) as refused:
        disclose(wanted, "app/password")

    assert refused.value.message.splitlines() == [
        "the secret app/password is not shown, for this cannot be noted where it is used",
        "two: no route to host",
        "three: no route to host",
    ]
    assert "can be reached" in refused.value.hint


def test_a_host_that_does_not_use_it_may_be_down(deployment: Callable[..., Deployment], hosts: Hosts) -> None:
    hosts.down = {"two"}

    assert disclose(deployment(one=(FILE,), two=(JOB,)), "app/token")


def test_an_unknown_name_is_refused_with_those_that_are_known(
    deployment: Callable[..., Deployment], hosts: Hosts
) -> None:
    with pytest.raises(SecretError, match="app/pasword is no secret") as refused:
        disclose(deployment(one=(FILE, PLAIN)), "app/pasword")

    assert refused.value.hint == "it uses: app/password, app/token"
    assert hosts.told == {}


INITIAL = {name: Job(name=name, run=("cat",), stdin=text(initial_password(name))) for name in ("mastodon", "snac")}


def test_one_password_that_all_applications_share_is_shown_under_their_name(
    deployment: Callable[..., Deployment], hosts: Hosts
) -> None:
    wanted = deployment(one=(INITIAL["mastodon"],), two=(INITIAL["snac"],), three=(FILE,))

    assert disclose(wanted, "initial-user/password") == disclose(wanted, "snac/initial-user")
    assert hosts.told.keys() == {"one", "two"}


def test_where_each_has_its_own_the_name_of_all_leads_to_them(
    deployment: Callable[..., Deployment], hosts: Hosts, tmp_path: Path
) -> None:
    wanted = deployment(one=(INITIAL["mastodon"],), two=(INITIAL["snac"],))
    (tmp_path / "master.key").write_text(f"fedikit-key-2:{'5' * 64}\n")
    with pytest.raises(SecretError, match="another one in each application") as refused:
        disclose(wanted, "initial-user/password")

    assert "fedikit secret show mastodon/initial-user or fedikit secret show snac/initial-user" in refused.value.hint
    assert hosts.told == {}
    assert len(disclose(wanted, "snac/initial-user")) == 1
    assert hosts.told.keys() == {"two"}


# Handing them over to another provider


OPENS = SecretRef(name="app/database")
OTHER = MasterKey(SecretBytes(bytes(32)), is_marked=True)


def test_an_applications_own_secrets_are_sealed_once_each_host_that_holds_them_has_noted_it(
    deployment: Callable[..., Deployment], hosts: Hosts
) -> None:
    opening = Job(name="database", run=("cat",), stdin=text(OPENS))
    wanted = deployment(one=(FILE, opening), two=(opening, PLAIN), three=(File(path="/etc/app", content=text(*PAIR)),))

    brought = opened(hand_over(wanted, "app", recipient_of(OTHER)), OTHER, source="app.sealed")

    assert (brought.deployment, brought.application) == ("lab", "app")
    assert {each.name for each in brought.secrets} == {"app/password", "app/token", "app/pair"}
    assert {host: told["note"] for host, told in hosts.told.items()} == dict.fromkeys(
        ("one", "three"), "sealed the secrets of app to another provider"
    )


def test_nothing_is_sealed_while_a_host_that_holds_it_is_down(
    deployment: Callable[..., Deployment], hosts: Hosts
) -> None:
    hosts.down = {"one"}
    with pytest.raises(SecretError, match="the secrets of app are not sealed, for this cannot be noted") as refused:
        hand_over(deployment(one=(FILE,)), "app", recipient_of(OTHER))
    assert "one: no route to host" in refused.value.message


def test_what_cannot_be_sealed_is_noted_nowhere(deployment: Callable[..., Deployment], hosts: Hosts) -> None:
    wanted = deployment(one=(FILE, Job(name="database", run=("cat",), stdin=text(OPENS))))
    with pytest.raises(SecretError, match="no recipient"):
        hand_over(wanted, "app", "nobody")
    with pytest.raises(SecretError, match="ap has no secrets of its own here"):
        hand_over(wanted, "ap", recipient_of(OTHER))
    assert hosts.told == {}
