"""The demo as a stranger sees it: one command, and what it prints is true."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from fedikit_lab import Lab

SAMPLE = Path(__file__).parents[2] / "configuration.sample.json"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(SAMPLE, folder)
    yield folder
    Lab(folder / ".lab").down()


@pytest.fixture(scope="module")
def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "fedikit_lab.demo")


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )


def told(demo: subprocess.CompletedProcess[str], what: str) -> str:
    """What the last lines say under a heading."""
    line = next(line for line in demo.stdout.splitlines() if line.startswith(what))
    return line.removeprefix(what).strip()


def test_it_succeeds_and_every_check_holds(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "9 checks held." in demo.stdout
    assert demo.stdout.count("✓ snac") == 7


def test_the_notebooks_it_names_are_executed_records(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    for path in told(demo, "notebooks").split():
        notebook = nbformat.read(folder / path, as_version=4)
        nbformat.validate(notebook)
        assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
        assert json.loads((folder / path).with_name("result.json").read_text())["status"] == "succeeded"


def test_the_password_is_where_it_says(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    words = told(demo, "password").split()
    shown = python(folder, "-m", "fedikit", *words[words.index("secret") :])
    assert re.fullmatch(r"[A-Za-z0-9]{24}\n", shown.stdout), shown.stderr
    records = [path for path in (folder / "runs").rglob("*") if path.is_file()]
    assert records
    assert not [path for path in records if shown.stdout.strip().encode() in path.read_bytes()]


def test_the_screenshot_shows_a_page(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    picture = (folder / told(demo, "screenshot")).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000, "an empty page compresses to less"
