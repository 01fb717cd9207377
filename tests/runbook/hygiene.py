"""What a runbook in the source tree must be like: stripped, thin, with one cell of plain parameters."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError, Mistake
from fedikit.runbook.parameters import RunbookParameters, parameters_model

_LOGIC = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.While,
    ast.Try,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.comprehension,
)
_MOST_STATEMENTS = 8


def mistakes_in_runbook(path: Path) -> list[Mistake]:
    """Names everything that a runbook in the source tree must not have, or lacks."""
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [
        *_metadata_mistakes(notebook["metadata"]),
        *_id_mistakes(notebook["cells"]),
        *(mistake for cell in code for mistake in _cell_mistakes(cell)),
        *_parameter_mistakes(notebook["metadata"], code),
    ]


def plain_assignments(source: str) -> dict[str, Any]:
    """The names and values of a cell of plain assignments of literals; ValueError if it has more."""
    values: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = ast.literal_eval(value)
            case _:
                raise ValueError(f"line {statement.lineno} is not a plain name = literal")
    return values


def _metadata_mistakes(metadata: dict[str, Any]) -> Iterator[Mistake]:
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield Mistake("metadata.kernelspec", "must name python3")
    for name in sorted({"papermill", "widgets"} & set(metadata)):
        yield Mistake(f"metadata.{name}", "is left over from an execution")


def _id_mistakes(cells: list[dict[str, Any]]) -> Iterator[Mistake]:
    ids = [cell.get("id", "") for cell in cells]
    if not all(ids) or len(set(ids)) < len(ids):
        yield Mistake("cells", "need an id each, no two alike")


def _cell_mistakes(cell: dict[str, Any]) -> Iterator[Mistake]:
    path, source = f"cells.{cell.get('id', '?')}", _source(cell)
    if cell["outputs"] or cell["execution_count"] is not None:
        yield Mistake(path, "has outputs or an execution count")
    if set(cell["metadata"]) - {"tags"}:
        yield Mistake(path, "has metadata besides its tags")
    nodes = list(ast.walk(ast.parse(source)))
    is_parameters = "parameters" in cell["metadata"].get("tags", [])  # a line for each, and nothing else
    if not is_parameters and sum(isinstance(node, ast.stmt) for node in nodes) > _MOST_STATEMENTS:
        yield Mistake(path, f"has more than {_MOST_STATEMENTS} statements")
    for node in nodes:
        if isinstance(node, _LOGIC):
            yield Mistake(path, f"has logic in it ({type(node).__name__}); that belongs into the package")


def _parameter_mistakes(metadata: dict[str, Any], code: list[dict[str, Any]]) -> Iterator[Mistake]:
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    if tagged != code[:1]:
        yield Mistake("cells", "exactly the first code cell must be tagged parameters")
        return
    try:
        model = parameters_model(metadata.get("fedikit", {}).get("parameters", ""))
        values = plain_assignments(_source(tagged[0]))
    except (FedikitError, ValueError) as error:
        yield Mistake("parameters", str(error))
        return
    defaults = _defaults(model)
    if json.loads(json.dumps(values)) != defaults or list(values) != list(defaults):
        yield Mistake("parameters", f"are not the fields and defaults of {model.__name__}: {defaults}")
    if defaults.get("dry_run", True) is not True:
        yield Mistake("parameters", "dry_run must be true by default")


def _defaults(model: type[RunbookParameters]) -> dict[str, Any]:
    return model().model_dump(mode="json")


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])
