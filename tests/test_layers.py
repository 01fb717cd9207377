"""Who may import whom: imports point downwards, there is no cycle, and the agent stands alone."""

import ast
import re
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fedikit
import fedikit_lab
from fedikit.model.item import CLASSES
from fedikit_lab.standins import sources_of_programs

PACKAGE, LAB = Path(fedikit.__file__).parent, Path(fedikit_lab.__file__).parent

# From the bottom up: a room may import rooms of lower rows, never of its own row or above.
ROWS: list[set[str]] = [
    {"errors", "events", "agent"},
    {"model"},
    {"policies"},
    {"environment"},
    {"catalogue", "secrets", "store"},
    {"results"},
    {"remote"},
    {"plan", "status", "disclosure", "verify", "setup"},
    {"apply", "lock", "dns", "renaming", "upgrade"},
    {"data", "display", "doctor"},
    {"runbook"},
    {"panel", "watch"},
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


def test_nothing_of_fedikit_imports_the_lab() -> None:
    """Its commands are entry points."""
    importing = [file for file in PACKAGE.rglob("*.py") if "fedikit_lab" in packages_of(file)]
    assert importing == []


def packages_of(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_modules(file)}


def test_the_lab_imports_no_command_of_fedikit() -> None:
    rooms_of_lab = {name.split(".")[1] for file in LAB.rglob("*.py") for name in imported_modules(file)
                    if name.startswith("fedikit.")}  # fmt: skip
    assert rooms_of_lab
    assert rooms_of_lab <= RANKS.keys() - {"cli", "__main__"}


def test_what_runs_in_images_imports_nothing_else_of_ours_but_what_is_copied_along() -> None:
    files = sorted((LAB / "contract").glob("*.py"))
    ours = {name for file in files for name in imported_modules(file) if name.startswith("fedikit")}
    assert ours == {"fedikit.agent.signature", "fedikit.model.strength"}
    assert {f"{name.replace('.', '/')}.py" for name in ours} <= sources_of_programs().keys()


@pytest.mark.parametrize("name", ["agent/signature.py", "model/strength.py"])
def test_what_is_copied_along_needs_nothing_else_of_ours(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= sys.stdlib_module_names


def test_the_agent_imports_the_standard_library_only() -> None:
    files = sorted((PACKAGE / "agent").rglob("*.py"))
    foreign = {name.split(".")[0] for file in files for name in imported_modules(file)} - set(sys.stdlib_module_names)
    assert files
    assert not foreign


ASKS_FOR_A_KIND = re.compile(r"""\bkind\b["']?\]?\s*(==|!=|in\b|not in\b|is\b)""")
NAMES_A_KIND = re.compile(r"""is_a\(|kind_named\(""")


@pytest.mark.parametrize("file", sorted((PACKAGE / "agent").glob("*.py")), ids=lambda file: file.name)
def test_the_agents_generic_code_asks_no_item_of_what_kind_it_is(file: Path) -> None:
    """Servers know their own things by their kind, and nobody else does."""
    text = file.read_text()
    assert ASKS_FOR_A_KIND.findall(text) == []
    assert file.stem in ("household", "servers", "container_servers") or not NAMES_A_KIND.search(text)


GENERIC = [file for name in ("remote", "results", "display") for file in sorted((PACKAGE / name).glob("*.py"))]
GENERIC += [PACKAGE / f"{name}.py" for name in ("plan", "apply", "lock", "status")]


@pytest.mark.parametrize("file", GENERIC, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_deployers_generic_code_asks_the_class_of_an_item_and_not_its_name(file: Path) -> None:
    names, classes = "|".join(CLASSES), "|".join(cls.__name__ for cls in CLASSES.values())
    asks = rf"""isinstance\([^()]*\b({classes})\b|(startswith|[=!]=|\bin)\s*\(*["']({names})\b[:"']"""
    assert [found[0] for found in re.finditer(asks, file.read_text())] == []


def test_each_kind_of_item_has_its_own_module_in_the_agent() -> None:
    from fedikit.agent.kinds import NAMES, kind_named
    from fedikit.agent.kinds.kind import Kind

    modules = {file.stem for file in (PACKAGE / "agent/kinds").glob("*.py")} - {"__init__", "kind"}
    assert modules == set(NAMES) == set(CLASSES)
    assert all(isinstance(kind_named(name), Kind) for name in NAMES)


def test_what_is_pure_touches_nothing_outside() -> None:
    """But `load`, which reads what people wrote, and says so; and scripts beside the recipes, which run on hosts."""
    rooms = ("model", "policies", "environment", "catalogue")
    files = [file for room in rooms for file in (PACKAGE / room).glob("*.py") if not is_script(file)]
    outside = {"os", "subprocess", "socket", "shutil", "tempfile", "urllib", "httpx"}
    touching = {file.name for file in files if imported_modules(file) & outside}
    assert touching <= {"load.py"}


def is_script(file: Path) -> bool:
    return 'if __name__ == "__main__":' in file.read_text()


def module_of(file: Path) -> str:
    root = LAB if file.is_relative_to(LAB) else PACKAGE
    parts = file.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_file_is_part_of_a_circle_of_imports() -> None:
    """Imports inside functions count; only what is for type checkers does not."""
    files = {
        module_of(file): file for root in (PACKAGE, LAB) for file in root.rglob("*.py") if "agent" not in file.parts
    }
    graph = {name: run_imports(file, files.keys()) - {name} for name, file in files.items()}
    TopologicalSorter(graph).prepare()


def run_imports(file: Path, known: Collection[str]) -> set[str]:
    """The modules that a file imports when it runs, anywhere in its code."""
    tree = ast.parse(file.read_text())
    hidden = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node not in hidden:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in known else node.module for name in names}
    return found & set(known)


def test_the_top_of_the_package_holds_few_files() -> None:
    assert len([path for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]) <= 8
