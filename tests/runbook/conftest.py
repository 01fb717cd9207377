"""The kernels of these tests find the probe beside this file, wherever they are started."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


@pytest.fixture(autouse=True)
def kernels_find_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(HERE), str(PROJECT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def notebooks() -> Path:
    return HERE / "notebooks"
