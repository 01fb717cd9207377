"""The recovery sheet: what is printed comes back whole, and a slip of whoever types it is found at its line."""

import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import fedikit
from fedikit.cli import main
from fedikit.errors import ConfigurationError
from fedikit.secrets import Vault
from fedikit.setup.sheet import WIDTH, read_sheet, write_sheet
from tests.setup.conftest import Answer, Machine

LINES = st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"), include_characters=" "), max_size=3 * WIDTH)
FILES = {"environment.toml": 'name = "lab"\n\n[hosts.one]\n', "master.key": f"fedikit-key-2:{'0a' * 32}\n"}


def mistakes_in(sheet: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read_sheet(sheet)
    return [str(mistake) for mistake in caught.value.mistakes]


@given(st.lists(LINES.map(str.rstrip), min_size=1, max_size=5).filter(lambda lines: lines[-1]))
def test_what_was_written_is_read_again(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    sheet = write_sheet("words", {"a.toml": text, "b": "b\n"})
    assert read_sheet(sheet) == {"a.toml": text, "b": "b\n"}
    assert max(map(len, sheet.splitlines())) <= WIDTH + 12


def test_what_paper_and_people_do_to_it_does_no_harm() -> None:
    sheet = write_sheet("words\n== are not a file", FILES)
    typed = "\r\n".join(f"   {line.rstrip()}" for line in sheet.splitlines() if line.strip())
    assert read_sheet(f"page 1\n{typed}\nsignature") == FILES
    assert read_sheet(sheet.replace(" lines", " line")) == FILES


@pytest.mark.parametrize(
    ("was", "becomes", "mistake"),
    [
        ('name = "lab"', 'name = "1ab"', "environment.toml line 1: is not what was printed"),
        ("0a0a0a0a", "0a0aoa0a", "master.key line 1: is not what was printed"),
        ("[hosts.one]\n", "", "environment.toml line 3: is not what was printed"),
        ("001", "OO1", "environment.toml line 1: should be a number, four check digits and the text"),
        ("002", "003", "environment.toml line 2: is not there: line 3 stands in its place"),
        ("== 3 lines", "", "environment.toml: does not end"),
        ("== master.key", "== other.key", "other.key line 1: is not what was printed"),
        ("== master.key", "== environment.toml", "environment.toml: is there twice"),
    ],
)
def test_a_slip_is_found_at_its_line(was: str, becomes: str, mistake: str) -> None:
    sheet = write_sheet("words", FILES)
    assert was in sheet
    assert any(told.startswith(mistake) for told in mistakes_in(sheet.replace(was, becomes, 1)))


def test_a_page_that_is_missing_is_said() -> None:
    rows = write_sheet("words", FILES).splitlines()
    without = [row for row in rows if not row.startswith("002")]
    assert mistakes_in("\n".join(without))[0].startswith("environment.toml line 2: is not there")
    assert mistakes_in("words only") == ["the sheet: has no file in it: no line begins with =="]


# The verbs


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, machine: Machine, flags: Answer) -> Path:
    """What `fedikit init` makes, with a secret that somebody gave besides."""
    place = tmp_path / "own"
    reached = ["--address", "127.0.0.1", "--port", str(machine.port), "--fingerprint", machine.fingerprint]
    done = run("init", place, *flags("snac"), *reached)
    assert done.exit_code == 0, done.output
    secret = place / "mail.password"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    with (place / "environment.toml").open("a") as file:
        file.write('\n[secrets.given]\n"mail/password" = "file:mail.password"  # of the relay\n')
    return place


def files_of(folder: Path) -> tuple[Path, Path]:
    return folder / "environment.toml", folder / "configuration.json"


def test_from_the_paper_alone_comes_the_same_deployment_with_the_same_secrets(tmp_path: Path, folder: Path) -> None:
    environment, configuration = files_of(folder)
    sheet = tmp_path / "sheet.txt"
    assert run("secret", "recovery", configuration, "-e", environment, "--out", sheet).exit_code == 0
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    expected = fedikit.load_environment(environment).deployment(fedikit.load_configuration(configuration))
    folder.rename(tmp_path / "lost")

    told = run("secret", "recover", sheet, "--out", tmp_path / "new")

    assert told.exit_code == 0, told.output
    environment, configuration = files_of(tmp_path / "new")
    assert f"fedikit doctor {configuration} --environment {environment}" in told.output
    found = fedikit.load_environment(environment).deployment(fedikit.load_configuration(configuration))
    assert found.digest == expected.digest
    vaults = [Vault.of(expected), Vault.of(found)]
    vaults[0]._reference = f"file:{tmp_path / 'lost/master.key'}"
    assert vaults[0].seal_key("social") == vaults[1].seal_key("social")
    assert (tmp_path / "new/given-1.key").read_text() == "correct horse\n"
    assert "# of the relay" in environment.read_text()
    login = tomllib.loads(environment.read_text())["hosts"]["social"]["identity_file"]
    assert (tmp_path / "new" / login).read_text() == (tmp_path / "lost/id_ed25519").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()} == {0o600}


def test_without_a_file_the_sheet_is_printed_and_says_what_to_do(folder: Path) -> None:
    environment, configuration = files_of(folder)
    told = run("secret", "recovery", configuration, "-e", environment)
    assert told.exit_code == 0, told.output
    assert told.output.startswith("RECOVERY SHEET of the environment ")
    assert "fedikit secret recover sheet.txt --out" in told.output
    assert (folder / "master.key").read_text().strip() in told.output


def test_a_secret_that_cannot_be_read_makes_no_sheet(tmp_path: Path, folder: Path) -> None:
    environment, configuration = files_of(folder)
    (folder / "mail.password").unlink()
    told = run("secret", "recovery", configuration, "-e", environment, "--out", tmp_path / "sheet")
    assert (told.exit_code, (tmp_path / "sheet").exists()) == (1, False)
    assert "the secret mail/password" in told.output


def test_nothing_is_written_over_and_a_torn_sheet_writes_nothing(tmp_path: Path, folder: Path) -> None:
    environment, configuration = files_of(folder)
    sheet = tmp_path / "sheet"
    run("secret", "recovery", configuration, "-e", environment, "--out", sheet)
    told = run("secret", "recover", sheet, "--out", folder)
    assert told.exit_code == 1
    assert "already" in told.output
    sheet.write_text(sheet.read_text().split("== master.key")[0])
    told = run("secret", "recover", sheet, "--out", tmp_path / "other")
    assert told.exit_code != 0
    assert "should have both files and the master key" in told.output
    assert not (tmp_path / "other").exists()
