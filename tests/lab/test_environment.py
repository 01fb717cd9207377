"""The environment file that a lab writes."""

import stat
import tomllib
from pathlib import Path

from fedikit.environment.load import load_environment
from fedikit_lab.authority import kept_authority
from fedikit_lab.environment import LabHost, environment_text, write_environment

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB510g93LlbetbYuIl9MNBJbDuXCuFkAG4Xj8sCgqKoS"
HELLO, SOCIAL = LabHost("hello", "10.77.1.11", KEY), LabHost("social", "10.77.1.12", KEY)


def test_every_host_is_named_with_address_user_and_keys() -> None:
    assert tomllib.loads(environment_text([HELLO], None))["hosts"] == {
        "hello": {"address": "10.77.1.11", "user": "root", "host_key": KEY, "identity_file": "id_ed25519"}
    }


def test_applications_are_placed_on_the_machines_that_there_are() -> None:
    assert tomllib.loads(environment_text([SOCIAL], None))["placement"] == {"snac": "social"}
    assert tomllib.loads(environment_text([HELLO, SOCIAL], None))["placement"] == {"hello": "hello", "snac": "social"}


def test_web_sites_are_served_where_there_is_an_authority() -> None:
    written = tomllib.loads(environment_text([HELLO], "10.77.1.2"))
    assert written["policies"]["web"]["acme_directory"] == "https://acme.lab:14000/dir"
    assert written["network"] == {"dns": "10.77.1.2", "trust": "pebble-root.pem"}
    assert {"policies", "network"}.isdisjoint(tomllib.loads(environment_text([HELLO], None)))


def test_fedikit_takes_the_file_as_any_provider_s(tmp_path: Path) -> None:
    certificate = kept_authority(tmp_path).certificate
    (tmp_path / "pebble-root.pem").write_text(certificate)
    environment = load_environment(write_environment(tmp_path, [HELLO, SOCIAL], name_server="10.77.1.2"))
    assert list(environment.hosts) == ["hello", "social"]
    assert environment.hosts["hello"].model_dump()["host_key"] == KEY
    assert environment.policies.web is not None


def test_the_master_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    write_environment(tmp_path, [HELLO], name_server=None)
    key = tmp_path / "master.key"
    first = key.read_text()
    write_environment(tmp_path, [HELLO], name_server=None)
    mark, _, digits = first.partition(":")
    assert mark == "fedikit-key-2"
    assert (len(bytes.fromhex(digits)), stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)
    assert key.read_text() == first
