"""Who may import whom: imports point downwards, there is no cycle, and the agent stands alone."""

import ast
import sys
from pathlib import Path

import pytest

import fedikit

PACKAGE = Path(fedikit.__file__).parent

# From the bottom up: a room may import rooms of lower rows, never of its own row or above.
ROWS: list[set[str]] = [
    {"errors", "events", "agent"},
    {"model"},
    {"catalogue", "secrets", "store"},
    {"results"},
    {"remote"},
    {"plan", "status", "disclosure", "verify"},
    {"apply", "lock"},
    {"display"},
    {"runbook"},
    {"lab"},
    {"cli"},
    {"__main__"},
]
RANKS = {room: rank for rank, row in enumerate(ROWS) for room in row}


def rooms() -> list[str]:
    paths = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    return sorted({path.stem for path in paths} - {"__init__"})


def imports_of(room: str) -> set[str]:
    """The rooms that a room imports, anywhere in its code."""
    folder = PACKAGE / room
    files = folder.rglob("*.py") if folder.is_dir() else [PACKAGE / f"{room}.py"]
    found = {name for file in files for name in imported_modules(file)}
    return {name.split(".")[1] for name in found if name.startswith("fedikit.")} - {room}


def imported_modules(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    whole = {f"{node.module}.{alias.name}" for node in froms if node.module == "fedikit" for alias in node.names}
    return plain | whole | {node.module for node in froms if node.module and node.module != "fedikit"}


def test_every_room_has_its_row() -> None:
    assert set(rooms()) == set(RANKS)


@pytest.mark.parametrize("room", rooms())
def test_imports_point_downwards(room: str) -> None:
    known = {other for other in imports_of(room) if other in RANKS}
    upwards = {other for other in known if RANKS[other] >= RANKS[room]}
    assert not upwards, f"{room} must not import {upwards}"


def test_no_production_room_imports_the_lab() -> None:
    assert {room for room in rooms() if "lab" in imports_of(room)} <= {"lab"}


def test_the_agent_imports_the_standard_library_only() -> None:
    files = sorted((PACKAGE / "agent").glob("*.py"))
    foreign = {name.split(".")[0] for file in files for name in imported_modules(file)} - set(sys.stdlib_module_names)
    assert files
    assert not foreign


def test_the_model_and_the_catalogue_touch_nothing_outside() -> None:
    """But `load`, which reads what people wrote, and says so."""
    files = [*(PACKAGE / "model").glob("*.py"), *(PACKAGE / "catalogue").glob("*.py")]
    outside = {"os", "subprocess", "socket", "shutil", "tempfile", "urllib", "httpx"}
    touching = {file.name for file in files if imported_modules(file) & outside}
    assert touching <= {"load.py"}
