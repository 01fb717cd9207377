"""The notebook that is served, with the parameters of the operator who asks for it."""

import ast
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat

import fedikit
from fedikit.errors import FedikitError

PARAMETERS = "parameters"
"""The tag of the cell after which the parameters are put in, as papermill does."""


def own_notebook() -> Path:
    """The panel's notebook: in the installed package, or beside it in a working copy."""
    package = Path(str(files(fedikit)))
    installed = package / "notebooks/panel.ipynb"
    return installed if installed.is_file() else package.parent / "notebooks/panel.ipynb"


class PanelNotebook:
    """A notebook with a cell of parameters. Raises FedikitError if it is not one."""

    def __init__(self, path: Path) -> None:
        try:
            self._content = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        except (OSError, ValueError, nbformat.ValidationError) as error:
            raise FedikitError(f"the panel's notebook {path} cannot be read: {error}") from error
        if self._place() is None:
            raise FedikitError(f"the notebook {path} has no cell with the tag {PARAMETERS!r}")

    @property
    def imports(self) -> str:
        """The import statements of its cells: what takes time, and can be done before anybody comes."""
        trees = [ast.parse(cell.source) for cell in self._content.cells if cell.cell_type == "code"]
        found = [node for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        return "\n".join(ast.unparse(node) for node in found)

    def with_parameters(self, values: Mapping[str, str]) -> Any:
        """A notebook of its own with these parameters, after its own."""
        notebook = nbformat.from_dict(self._content)  # type: ignore[no-untyped-call]
        source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        cell = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
        notebook.cells.insert((self._place() or 0) + 1, cell)
        return notebook

    def _place(self) -> int | None:
        tags = [cell.metadata.get("tags", []) for cell in self._content.cells]
        return next((index for index, found in enumerate(tags) if PARAMETERS in found), None)
