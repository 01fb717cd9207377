"""Carrying secrets to another provider: sealed beside the new one's file, named there, once."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from fedikit import disclosure
from fedikit.data.carrying_secrets import carry_secrets, secrets_to_carry
from fedikit.environment import load_environment
from fedikit.errors import FedikitError, SecretError
from fedikit.model.deployment import Deployment
from fedikit.secrets import Vault
from fedikit.secrets.own import own_secrets
from tests.model.example import configuration
from tests.secrets.provider import Provider

APPLICATIONS = ("mastodon", "snac")
MASTODON = {"secret-key-base", "vapid", "initial-user"}
MASTODON |= {f"encryption-{name}" for name in ("primary-key", "deterministic-key", "key-derivation-salt")}


@pytest.fixture
def old(tmp_path: Path) -> Provider:
    return Provider(tmp_path / "old", "5", applications=APPLICATIONS)


@pytest.fixture
def new(tmp_path: Path) -> Provider:
    return Provider(tmp_path / "new", "6", applications=APPLICATIONS)


@pytest.fixture(autouse=True)
def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    """What hosts were told to note."""
    notes: list[tuple[str, list[str], str]] = []

    def note(deployment: Deployment, hosts: list[str], words: str) -> None:
        notes.append((deployment.name, hosts, words))

    monkeypatch.setattr(disclosure, "note_on_hosts", note)
    return notes


def carry(source: Provider, target: Provider, application: str = "mastodon") -> Any:
    return carry_secrets(source.deployment(), application, to=target.file, configuration=target.wanted)


def own(provider: Provider, application: str = "mastodon") -> dict[tuple[str, str], str]:
    deployment = provider.deployment()
    vault = Vault.of(deployment)
    return {(ref.name, ref.format): vault.value(ref) for ref in own_secrets(deployment, application)}


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_they_are_in_force_at_once_and_the_file_of_the_provider_names_them(
    old: Provider, new: Provider, noted: list[Any]
) -> None:
    carried = carry(old, new)

    assert own(new) == own(old)
    assert {name.removeprefix("mastodon/") for name in carried.names} == MASTODON
    assert carried.file == new.folder / "mastodon.sealed"
    assert carried.file.stat().st_mode & 0o777 == 0o600
    assert load_environment(new.file).secrets.sealed == (str(carried.file),)
    assert new.file.read_text().startswith('name = "new"  # ours\n')
    assert noted == [("old", ["one"], "sealed the secrets of mastodon to another provider")]


def test_what_is_there_is_not_carried_again(old: Provider, new: Provider, noted: list[Any]) -> None:
    carry(old, new)
    before = everything_in(new.folder)
    assert secrets_to_carry(old.deployment(), "mastodon", new.deployment()) == ()

    assert carry(old, new) == ((), None)

    assert everything_in(new.folder) == before
    assert len(noted) == 1


def test_on_the_way_back_there_is_nothing_to_carry_but_what_was_rotated_meanwhile(old: Provider, new: Provider) -> None:
    carry(old, new)
    before = everything_in(old.folder)
    assert carry(new, old) == ((), None)
    assert everything_in(old.folder) == before

    new.say('[secrets.versions]\n"mastodon/vapid" = 2')
    assert carry(new, old).names == ("mastodon/vapid",)
    assert own(old) == own(new)


def test_several_applications_come_along_one_by_one(old: Provider, new: Provider) -> None:
    new.say('[secrets]\nmaster_key = "file:master.key"  # kept\nsealed = "snac.sealed"')
    for name in ("snac", "mastodon"):
        carry(old, new, name)
    assert all(own(new, name) == own(old, name) for name in ("snac", "mastodon"))
    assert 'sealed = ["snac.sealed", "mastodon.sealed"]' in new.file.read_text()
    assert "# kept" in new.file.read_text()


@pytest.mark.parametrize(
    "before",
    ["", "[secrets.given]\n", '[secrets]\nmaster_key = "file:master.key"\n\n[secrets.given]\n# none', "[watch]"],
)
def test_the_providers_file_names_them_whatever_it_said_before(before: str, old: Provider, new: Provider) -> None:
    new.say(before)
    carry(old, new)
    assert own(new) == own(old)


@pytest.mark.parametrize(
    "line", ['secrets = { master_key = "file:master.key" }', 'secrets.master_key = "file:master.key"']
)
def test_a_group_on_one_line_stays_there(line: str, old: Provider, new: Provider) -> None:
    new.file.write_text(f"{line}\n{new.file.read_text()}")
    carry(old, new)
    assert own(new) == own(old)
    assert new.file.read_text().startswith(line.removesuffix(" }"))


def test_a_folder_that_nothing_can_be_written_to_is_told(
    old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = everything_in(new.folder)
    monkeypatch.setattr("fedikit.setup.sealed.os.fsync", full)
    with pytest.raises(FedikitError, match=r"mastodon.sealed cannot be written: no space left on device"):
        carry(old, new)
    assert everything_in(new.folder) == before


@pytest.mark.parametrize("cut", ["put_sealed", "name_sealed"])
def test_what_was_cut_off_goes_on(cut: str, old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"fedikit.data.carrying_secrets.{cut}", stop)
        with pytest.raises(KeyboardInterrupt):
            carry(old, new)
    carry(old, new)
    assert own(new) == own(old)
    assert [path.name for path in new.folder.iterdir() if path.name.startswith(".")] == []


def test_one_that_came_along_before_is_written_anew_where_it_is(old: Provider, new: Provider, tmp_path: Path) -> None:
    carry(old, new)
    (new.folder / "mastodon.sealed").rename(new.folder / "from-old.sealed")
    new.file.write_text(new.file.read_text().replace("mastodon.sealed", "from-old.sealed"))
    third = Provider(tmp_path / "third", "7", applications=APPLICATIONS)

    assert carry(third, new).file == new.folder / "from-old.sealed"

    assert own(new) == own(third)
    assert not (new.folder / "mastodon.sealed").exists()


def test_nothing_else_is_written_over(old: Provider, new: Provider, noted: list[Any]) -> None:
    path = new.folder / "mastodon.sealed"
    path.write_text("somebody's notes")
    with pytest.raises(FedikitError, match=r"mastodon.sealed is in the way: \S+ is damaged, or no file") as caught:
        carry(old, new)
    assert caught.value.hint == "move it away, and run it again"

    path.unlink()
    carry(old, new, "snac")
    (new.folder / "snac.sealed").rename(path)
    new.file.write_text(new.file.read_text().replace('"snac.sealed"', ""))
    with pytest.raises(FedikitError, match="it holds another application's secrets"):
        carry(old, new)
    assert len(noted) == 1


def test_a_providers_file_that_cannot_be_edited_is_told_what_to_write(old: Provider, new: Provider) -> None:
    written = {"name": "new", "hosts": {"one": {"type": "directory", "path": "machines/one"}}}
    written |= {"placement": {"snac": "one"}, "policies": {"web": {"means": "caddy"}}}
    file = new.folder / "environment.json"
    file.write_text(json.dumps(written))
    source, wanted = old.deployment(), configuration("snac")

    with pytest.raises(FedikitError, match=r"snac.sealed is made, and \S+ does not name it: .+ is no TOML") as caught:
        carry_secrets(source, "snac", to=file, configuration=wanted)

    assert caught.value.hint == 'add it to secrets.sealed there: ["snac.sealed"]; then run it again'
    file.write_text(json.dumps(written | {"secrets": {"sealed": ["snac.sealed"]}}))
    assert carry_secrets(source, "snac", to=file, configuration=wanted) == ((), None)


@pytest.mark.parametrize(
    "line",
    ['[secrets.versions]\n"mastodon/vapid" = 2', '[secrets.given]\n"mastodon/vapid" = "env:FEDIKIT_TEST_SECRET"'],
)
def test_a_provider_who_has_other_ones_all_the_same_is_refused(
    line: str, old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDIKIT_TEST_SECRET", "given here")
    new.say(line)
    with pytest.raises(SecretError, match="otherwise than they came along: mastodon/vapid") as caught:
        carry(old, new)
    assert caught.value.hint.startswith("take them out of secrets.given and secrets.versions")


def test_nothing_is_written_if_hosts_cannot_note_it_or_a_key_is_missing(
    old: Provider, new: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise SecretError("this cannot be noted", hint="see")

    before = everything_in(new.folder)
    monkeypatch.setattr(disclosure, "note_on_hosts", silent)
    with pytest.raises(SecretError, match="the secrets of mastodon are not sealed, for this cannot be noted"):
        carry(old, new)
    assert everything_in(new.folder) == before
    for key in (old.folder / "master.key", new.folder / "master.key"):
        key.rename(key.with_suffix(".gone"))
        with pytest.raises(SecretError, match=r"the master key \S+ cannot be read"):
            carry(old, new)
        key.with_suffix(".gone").rename(key)
