"""What stands under the fields of a class: their descriptions, in the words of whoever wrote the class."""

import ast
import inspect
import textwrap
from itertools import pairwise


def docstrings_of(kind: type) -> dict[str, str]:
    """By field, the text under it; the nearest class that says something wins."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__ != "builtins" and "__annotations__" in vars(base):
            found |= _in_its_own(base)
    return found


def _in_its_own(kind: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):  # made while it runs: there is no source
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
