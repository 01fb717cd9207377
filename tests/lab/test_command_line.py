"""The lab's verbs, as far as they decide something themselves: what they ask of a lab, and what they say of it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from fedikit.events import HostFinished, Waiting
from fedikit_lab import cli
from fedikit_lab.environment import LabHost, write_environment
from tests.lab.test_environment import KEY

CONFIGURATION = {
    "domain": "fediversity.test",
    "snac": {"enable": True},
    "initialUser": {"displayName": "Testy", "username": "test", "email": "test@people.test"},
}


class FakeLab:
    """Remembers what is asked of it; its machines are `social` and `acme`."""

    asked: dict[str, Any]
    names: dict[str, str]

    def __init__(self, directory: Path, *machines: Any, **options: Any) -> None:
        type(self).asked = options
        self.tell = options.get("tell")
        self.environment_file = directory / "environment.toml"

    def __getitem__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(address={"acme": "10.77.1.2"}[name])

    def up(self) -> None:
        self.tell(Waiting(what="Garage: 7 crates compiled"))
        self.tell(HostFinished(host="social", outcome="changed", seconds=1.2, detail="booted"))

    def announce(self, deployment: Any) -> None:
        self.set_dns({record.name: record.address for record in deployment.dns})

    def set_dns(self, names: dict[str, str]) -> None:
        type(self).names = getattr(self, "names", {}) | names


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    FakeLab.asked, FakeLab.names = {}, {}
    monkeypatch.setattr(cli, "Lab", FakeLab)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> str:
    return CliRunner().invoke(cli.lab, list(words), catch_exceptions=False).output


@pytest.mark.parametrize(
    ("words", "roles"),
    [([], (True, False)), (["--client"], (True, True)), (["--no-acme"], (False, False))],
    ids=str,
)
def test_the_lab_s_own_machines_are_options(place: Path, words: list[str], roles: tuple[bool, bool]) -> None:
    assert "social           booted (1.2 s)" in said("up", "social", *words)
    assert (FakeLab.asked["acme"], FakeLab.asked["client"]) == roles


def test_the_domain_of_people_s_mail_has_an_address(place: Path) -> None:
    host = LabHost("social", "10.77.1.12", KEY)
    (place / ".lab").mkdir()
    write_environment(place / ".lab", [host], name_server=None)
    text = (place / ".lab/environment.toml").read_text()
    (place / ".lab/environment.toml").write_text(text + '\n[policies.web]\nmeans = "caddy"\n')
    (place / "configuration.json").write_text(json.dumps(CONFIGURATION))

    lines = said("announce", "configuration.json").splitlines()

    assert FakeLab.names == {"snac.fediversity.test": "10.77.1.12", "people.test": "10.77.1.2"}
    assert lines[-1] == "name: people.test leads to 10.77.1.2 (people's mail)"
