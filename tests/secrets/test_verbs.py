"""The verbs on secrets that travel, over the directory transport: from one provider to another and onto paper."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fedikit.cli import main
from fedikit.doctor.deployer import examine_deployer
from fedikit.secrets import Vault
from fedikit.secrets.own import own_secrets
from tests.model.example import PERSON
from tests.secrets.provider import Provider


class Providers:
    """Both, and the operator's file."""

    def __init__(self, folder: Path) -> None:
        self.old = Provider(folder / "old", "5", applications=("snac",))
        self.new = Provider(folder / "new", "6", applications=("snac",))
        self.configuration = folder / "configuration.json"
        chosen = {"domain": "fedi.test", "initialUser": PERSON, "snac": {"enable": True}}
        self.configuration.write_text(json.dumps(chosen))

    @property
    def recipient(self) -> str:
        return run("recipient", "-e", self.new.file).stdout.strip()

    def seal(self, out: Path, *, application: str = "snac") -> Result:
        words = ["--to", self.recipient, "--application", application]
        return run("seal", self.configuration, "-e", self.old.file, *words, "--out", out)


@pytest.fixture
def providers(tmp_path: Path) -> Providers:
    return Providers(tmp_path)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["secret", *map(str, words)])


def password(provider: Provider) -> list[str]:
    deployment = provider.deployment()
    return [Vault.of(deployment).value(ref) for ref in own_secrets(deployment, "snac")]


def test_from_one_provider_to_another(providers: Providers) -> None:
    out = providers.new.folder / "snac.sealed"

    told = providers.seal(out)

    assert told.exit_code == 0, told.output
    assert out.stat().st_mode & 0o777 == 0o600
    _, _, lines = told.stdout.partition("writes there:\n\n")
    providers.new.say(lines)
    assert len(password(providers.new)) == 1
    assert password(providers.new) == password(providers.old)
    shown = run("show", "snac/initial-user", providers.configuration, "-e", providers.new.file)
    assert shown.stdout.split() == password(providers.old)


def test_the_recipient_is_one_line_that_is_no_secret(providers: Providers) -> None:
    told = run("recipient", "--environment", providers.new.file)
    assert told.stdout == f"{providers.recipient}\n"
    assert providers.recipient.startswith("fedikit-recipient-1:")
    assert "6" * 64 not in told.stdout


def test_nothing_is_written_over_and_nothing_is_made_of_a_mistake(providers: Providers, tmp_path: Path) -> None:
    out = tmp_path / "snac.sealed"
    unknown = providers.seal(out, application="mastodon")
    assert unknown.exit_code == 1
    assert "mastodon has no secrets of its own here\n  → these have: snac" in unknown.output
    assert not out.exists()
    out.write_text("kept")
    assert "is in" in providers.seal(out).output
    assert out.read_text() == "kept"


def test_the_recovery_sheet_holds_them(providers: Providers, tmp_path: Path) -> None:
    providers.seal(providers.new.folder / "snac.sealed")
    providers.new.say('[secrets]\nsealed = "snac.sealed"  # of the old one')
    sheet, back = tmp_path / "sheet.txt", tmp_path / "back"
    assert run("recovery", providers.configuration, "-e", providers.new.file, "--out", sheet).exit_code == 0
    providers.new.folder.rename(tmp_path / "lost")

    told = run("recover", sheet, "--out", back)

    assert told.exit_code == 0, told.output
    providers.new.folder, providers.new.file = back, back / "environment.toml"
    assert (back / "brought-1.sealed").stat().st_mode & 0o777 == 0o600
    assert password(providers.new) == password(providers.old)


def test_doctor_says_whether_they_can_be_opened(providers: Providers) -> None:
    file = providers.new.folder / "snac.sealed"
    providers.new.say('[secrets]\nsealed = "snac.sealed"')
    found = [each for each in examine_deployer(providers.new.deployment()) if each.matter == "sealed secrets"]
    assert [(each.state, each.remedy) for each in found] == [
        ("obstacle", "put it there, or take it out of secrets.sealed")
    ]
    providers.seal(file)
    (each,) = [each for each in examine_deployer(providers.new.deployment()) if each.matter == "sealed secrets"]
    assert (each.state, each.seen) == ("well", f"{file} can be opened: what snac brought along from old")
