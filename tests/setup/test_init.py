"""The first hour: what `fedikit init` writes can be used at once, and nothing that was there is touched."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import fedikit
from fedikit.cli import main
from fedikit.environment.load import load_catalogue
from fedikit.secrets.master import MasterKey
from fedikit.setup import draft
from fedikit.setup.draft import Draft, place_files
from tests.setup.conftest import Answer, Machine

MADE = {".gitignore", "configuration.json", "environment.toml", "id_ed25519", "id_ed25519.pub", "master.key"}


def init(folder: Path, *words: str, asked: str | None = None) -> Result:
    return CliRunner().invoke(main, ["init", str(folder), *words], input=asked)


def with_host(machine: Machine) -> list[str]:
    return ["--address", "127.0.0.1", "--port", str(machine.port), "--fingerprint", machine.fingerprint]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.parametrize("application", sorted(load_catalogue()))
def test_what_is_written_loads_and_comes_to_a_deployment_at_once(
    tmp_path: Path, machine: Machine, flags: Answer, application: str
) -> None:
    done = init(tmp_path / "new", *flags(application), *with_host(machine))
    assert done.exit_code == 0, done.output
    environment = fedikit.load_environment(tmp_path / "new/environment.toml")
    deployment = environment.deployment(fedikit.load_configuration(tmp_path / "new/configuration.json"))
    assert deployment.hosts["social"].items
    assert deployment.hosts["social"].connection.host_key == machine.key  # type: ignore[union-attr]
    MasterKey.load(environment.secrets.master_key, base=tmp_path)


def test_keys_are_their_owners_alone_and_kept_out_of_git(tmp_path: Path, machine: Machine, flags: Answer) -> None:
    done = init(tmp_path, *flags("snac"), *with_host(machine))
    assert names_in(tmp_path) == MADE
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("master.key", "id_ed25519")}
    assert set(modes.values()) == {0o600}
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/record").touch()
    seen = subprocess.run(["git", "add", "-nA"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert [name for name in ("master.key", "'id_ed25519'", "runs") if name in seen] == []
    assert (tmp_path / "id_ed25519.pub").read_text().strip() in done.output
    (public,) = subprocess.run(
        ["ssh-keygen", "-y", "-f", tmp_path / "id_ed25519"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert (tmp_path / "id_ed25519.pub").read_text().startswith(" ".join(public.split()[:2]))


@pytest.mark.parametrize("name", sorted(MADE - {".gitignore"}))
def test_nothing_is_overwritten_and_what_is_there_is_named(
    tmp_path: Path, machine: Machine, flags: Answer, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    done = init(tmp_path, *flags("snac"), *with_host(machine))
    assert done.exit_code == 1
    assert f"{name} is in" in done.output
    assert names_in(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_a_gitignore_stays_and_what_it_lacks_is_said(tmp_path: Path, machine: Machine, flags: Answer) -> None:
    (tmp_path / ".gitignore").write_text("runs/\n")
    done = init(tmp_path, *flags("snac"), *with_host(machine))
    assert done.exit_code == 0
    assert (tmp_path / ".gitignore").read_text() == "runs/\n"
    assert "Add to it: master.key id_ed25519" in done.output


def test_what_is_missing_is_named_all_at_once(tmp_path: Path) -> None:
    done = init(tmp_path / "new", "--name", "Al", "--address", "192.0.2.1")
    assert done.exit_code == 2
    for flag in ("--domain", "--username", "--email", "--application", "--fingerprint"):
        assert flag in done.output
    assert not (tmp_path / "new").exists()


def test_wrong_answers_are_named_all_at_once_before_a_host_is_asked(tmp_path: Path, flags: Answer) -> None:
    wrong = flags("snac", domain="no domain", username="Al", address="192.0.2.1", fingerprint="SHA256:x")
    done = init(tmp_path / "new", *wrong)
    assert done.exit_code == 2
    assert "2 mistakes" in done.output
    assert not (tmp_path / "new").exists()


def test_what_the_applications_do_not_take_is_said_before_anything_is_written(
    tmp_path: Path, machine: Machine, flags: Answer
) -> None:
    done = init(tmp_path, *flags("snac", "nothing"), *with_host(machine))
    assert done.exit_code == 2
    assert "nothing" in done.output
    assert names_in(tmp_path) == set()


def test_a_key_that_nobody_vouched_for_is_not_taken(tmp_path: Path, machine: Machine, flags: Answer) -> None:
    wrong = ["--address", "127.0.0.1", "--port", str(machine.port), "--fingerprint", "SHA256:" + "A" * 43]
    done = init(tmp_path, *flags("snac"), *wrong)
    assert done.exit_code == 1
    assert machine.fingerprint in done.output
    assert names_in(tmp_path) == set()


def test_without_a_host_the_next_step_names_one(tmp_path: Path, machine: Machine, flags: Answer) -> None:
    done = init(tmp_path, *flags("snac"))
    assert done.exit_code == 0, done.output
    assert "fedikit host add social ADDRESS --identity-file id_ed25519 --place snac" in done.output
    words = ["social", "127.0.0.1", "--port", str(machine.port), "--fingerprint", machine.fingerprint]
    words += ["--identity-file", "id_ed25519", "--place", "snac", "-e", str(tmp_path / "environment.toml")]
    added = CliRunner().invoke(main, ["host", "add", *words])
    assert added.exit_code == 0, added.output
    environment = fedikit.load_environment(tmp_path / "environment.toml")
    assert environment.deployment(fedikit.load_configuration(tmp_path / "configuration.json")).hosts["social"].items


def test_a_person_is_asked_again_until_an_answer_fits(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedikit.cli.output.is_attended", lambda: True)
    answers = ["not a domain", "example.org", "Al", "Al", "al", "al@example.org", "nonsense", "snac hello", "",
               "127.0.0.1", "", "", "", "y"]  # fmt: skip
    done = init(tmp_path, "--port", str(machine.port), asked="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "configuration.json").read_text())
    assert (written["domain"], written["initialUser"]["username"]) == ("example.org", "al")
    assert [name for name in ("snac", "hello") if written[name]["enable"]] == ["snac", "hello"]
    assert "there is no nonsense" in done.output
    assert machine.fingerprint in done.output
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in done.output


# All or nothing

FILES = {name: Draft(name, 0o600) for name in ("one", "two", "three")}


class Killed(BaseException):
    """As when the machine loses its power: nothing runs any more."""


def test_who_is_cut_off_leaves_nothing_that_the_next_one_does_not_take_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft.write_hidden(tmp_path, FILES)
    (tmp_path / "one").hardlink_to(tmp_path / draft.HIDDEN / "one")
    place_files(tmp_path, {name: Draft("again", 0o600) for name in FILES})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(FILES, "again")


def test_who_is_cut_off_when_all_is_there_has_made_it(tmp_path: Path) -> None:
    draft.write_hidden(tmp_path, FILES)
    for name in FILES:
        (tmp_path / name).hardlink_to(tmp_path / draft.HIDDEN / name)
    draft.take_back(tmp_path)
    assert names_in(tmp_path) == set(FILES)


def test_who_finds_another_file_in_between_takes_its_own_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(folder: Path, names: list[str]) -> None:
        (folder / "two").write_text("mine")

    monkeypatch.setattr(draft, "refuse_what_is_there", meanwhile)
    with pytest.raises(fedikit.FedikitError, match="file exists"):
        place_files(tmp_path, FILES)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"two": "mine"}
