"""What is shipped: fedikit without the lab, and the lab whole."""

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import fedikit
from fedikit.cli import main
from tests.pages import PROJECT

LAB = PROJECT / "lab"


@pytest.fixture(scope="module", params=["fedikit", "fedikit_lab"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, set[str]]:
    """The name of a distribution's package, and the files in its wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = PROJECT if request.param == "fedikit" else LAB
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return request.param, set(archive.namelist())


def sources(package: str) -> set[str]:
    root = PROJECT if package == "fedikit" else LAB
    files = [path for path in (root / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(root)) for path in files}


def test_a_wheel_holds_its_package_whole_with_all_data_files(wheel: tuple[str, set[str]]) -> None:
    package, files = wheel
    assert sources(package) <= files


def test_a_wheel_holds_nothing_of_another_distribution(wheel: tuple[str, set[str]]) -> None:
    package, files = wheel
    assert {name.split("/")[0] for name in files} == {package, f"{package}-{fedikit.__version__}.dist-info"}
    assert not [name for name in files if package == "fedikit" and "lab/" in name]


def test_the_files_of_stand_ins_are_in_the_wheel_of_the_lab() -> None:
    kinds = {".py", ".js", ".json", ".php", ".rb", ".sql", ".svg", ".txt"}
    assert {Path(name).suffix for name in sources("fedikit_lab")} == kinds


def project_of(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project


def test_the_lab_fits_the_fedikit_beside_it() -> None:
    assert project_of(LAB)["version"] == project_of(PROJECT)["version"] == fedikit.__version__
    assert f"fedikit=={fedikit.__version__}" in project_of(LAB)["dependencies"]


def test_what_both_need_is_wanted_in_the_same_versions() -> None:
    ours, labs = set(project_of(PROJECT)["dependencies"]), set(project_of(LAB)["dependencies"])
    assert labs - {f"fedikit=={fedikit.__version__}"} <= ours


def test_both_are_under_the_same_licence() -> None:
    assert (LAB / "LICENSE").read_bytes() == (PROJECT / "LICENSE").read_bytes()


# Commands of other distributions


def with_commands(monkeypatch: pytest.MonkeyPatch, commands: Mapping[str, str]) -> None:
    """Has no distribution installed but one that brings these commands."""
    found = EntryPoints(EntryPoint(name, value, "fedikit.commands") for name, value in commands.items())
    monkeypatch.setattr("fedikit.cli.plugins.entry_points", lambda **wanted: found.select(**wanted))


def test_the_lab_brings_its_commands_by_an_entry_point() -> None:
    (found,) = entry_points(group="fedikit.commands", name="lab")
    assert found.dist
    assert found.dist.name == "fedikit-lab"
    assert main.get_command(click.Context(main), "lab") is found.load()


@pytest.mark.parametrize("words", ["lab", "lab up one --no-acme", "lab --help"])
def test_without_the_lab_its_commands_say_how_to_get_it(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_commands(monkeypatch, {})
    done = CliRunner().invoke(main, words.split())
    assert done.exit_code == 1
    assert done.output == "error: `fedikit lab` is not installed\n  → pip install fedikit-lab\n"


def test_help_names_the_lab_also_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with_commands(monkeypatch, {})
    assert "  lab       Not here: pip install fedikit-lab.\n" in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize("value", ["no.such.module:command", "fedikit.errors:visible"])
def test_a_command_that_cannot_be_loaded_spoils_no_other(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_commands(monkeypatch, {"strange": value})
    assert "\n  plan " in CliRunner().invoke(main, ["--help"]).output
    done = CliRunner().invoke(main, ["strange", "--any", "words"])
    assert done.exit_code == 1
    assert f"`fedikit strange` cannot be loaded from {value}" in done.output


def test_no_distribution_replaces_a_verb_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with_commands(monkeypatch, {"plan": "fedikit.cli.secret:secret"})
    found = main.get_command(click.Context(main), "plan")
    assert found
    assert found.name == "plan"


def test_a_verb_of_ours_looks_for_no_distribution() -> None:
    asked = "import sys; from fedikit.cli import main; main(['status', '--help'], standalone_mode=False);"
    shown = "print('fedikit.cli.plugins' in sys.modules, 'fedikit_lab' in sys.modules)"
    command = [sys.executable, "-c", asked + shown]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
