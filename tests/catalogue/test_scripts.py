"""Scripts beside the recipes: their languages' own tools have nothing to say against them."""

import shutil
import subprocess
from pathlib import Path

import pytest

import fedikit.catalogue

FOLDER = Path(str(fedikit.catalogue.__file__)).parent
TOOLS = {".php": ("php", "-l"), ".rb": ("ruby", "-c"), ".sh": ("shellcheck",)}
SCRIPTS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in TOOLS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_sound(name: str) -> None:
    tool = TOOLS[Path(name).suffix]
    if not shutil.which(tool[0]):
        pytest.skip(f"needs {tool[0]}")

    done = subprocess.run([*tool, FOLDER / name], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_scripts_of_php_begin_as_the_recorder_and_php_want_it() -> None:
    wrong = [
        name for name in SCRIPTS if name.endswith(".php") and not (FOLDER / name).read_text().startswith("<?php\n")
    ]

    assert wrong == []
