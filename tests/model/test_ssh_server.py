"""Where SSH answers, and over which hosts: understood, or a mistake at its path when the file is read."""

from pathlib import Path

import pytest

from fedikit.environment.load import load_environment
from fedikit.errors import ConfigurationError
from fedikit.model.host import Ssh
from fedikit.model.ssh_server import JumpHost

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEVrCVy068cUnju6L/sdgcSPw1TUxWUvCDGs12y9l7i"
UNDERSTOOD = {
    "[fd77::11]": "fd77::11",
    "FD77::0:11": "fd77::11",
    "fe80::1%eth0": "fe80::1%eth0",
    "SOCIAL.Example.ORG": "social.example.org",
    "social.example.org.": "social.example.org",
    "social": "social",
}
MISTAKEN = {
    "root@social": "user",
    "ssh://social": "ssh://",
    "social:22": "port",
    "[fd77::11]:22": "port",
    "192.0.2": "no whole IPv4 address",
    "fd77:::11": "no whole IPv6 address",
    "so cial": "letters, digits",
    "": "letters, digits",
    "-oProxyCommand=x": "letters, digits",
}


@pytest.mark.parametrize(("written", "meant"), UNDERSTOOD.items())
def test_an_address_is_understood_in_every_spelling(written: str, meant: str) -> None:
    assert Ssh(address=written, host_key=KEY).address == meant


def environment(tmp_path: Path, **hosts: str) -> Path:
    path = tmp_path / "environment.toml"
    sections = (f'[hosts.{name}]\nhost_key = "{KEY}"\n{text}\n' for name, text in hosts.items())
    path.write_text('name = "trial"\n' + "".join(sections))
    return path


def told(path: Path) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_environment(path)
    return str(raised.value)


@pytest.mark.parametrize(("written", "said"), MISTAKEN.items())
def test_what_is_no_address_is_told_at_its_path(tmp_path: Path, written: str, said: str) -> None:
    words = told(environment(tmp_path, one=f'address = "{written}"'))
    assert "hosts.one.address: " in words
    assert said in words


def test_a_link_local_address_is_not_where_web_sites_are_found() -> None:
    assert Ssh(address="fe80::1%eth0", host_key=KEY).public_addresses == ()


def test_jump_hosts_are_in_the_deployment_in_full_and_their_keys_lie_beside_the_file(tmp_path: Path) -> None:
    table = f'{{ address = "outer", user = "hop", host_key = "{KEY}", identity_file = "keys/id" }}'
    path = environment(
        tmp_path, one='address = "one"\njump = "inner"', inner=f'address = "inner"\nuser = "admin"\njump = {table}'
    )
    connection = load_environment(path).empty().hosts["one"].connection
    assert isinstance(connection, Ssh)
    assert isinstance(connection.jump, JumpHost)
    assert (connection.jump.user, connection.jump.address) == ("admin", "inner")
    assert isinstance(connection.jump.jump, JumpHost)
    assert connection.jump.jump.identity_file == str(tmp_path / "keys/id")


def test_the_way_is_no_part_of_what_is_deployed(tmp_path: Path) -> None:
    plain = load_environment(environment(tmp_path, one='address = "one"', hop='address = "hop"'))
    behind = load_environment(environment(tmp_path, one='address = "one"\njump = "hop"', hop='address = "hop"'))
    assert plain.empty().digest == behind.empty().digest


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ({"one": 'address="x"\njump="ome"'}, 'hosts.one.jump: names "ome", which is no host; did you mean "one"?'),
        ({"one": 'address="x"\njump="one"'}, "hosts.one.jump: goes in a circle: one over one"),
        (
            {"one": 'address="x"\njump="two"', "two": f'address="y"\njump={{address="z",host_key="{KEY}",jump="one"}}'},
            "goes in a circle: one over two over one",
        ),
        ({"one": 'address="x"\njump={address="z",host_key="ssh-ed25519 AAAA"}'}, "hosts.one.jump.host_key: "),
        ({"one": 'address="x"\njump=5'}, "hosts.one.jump: is 5, should be text"),
    ],
)
def test_a_way_that_leads_nowhere_is_told_at_its_path(tmp_path: Path, hosts: dict[str, str], said: str) -> None:
    assert said in told(environment(tmp_path, **hosts))
