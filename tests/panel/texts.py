"""Every text of the panel: read from its code, and from the schema of what operators choose."""

import ast
import json
import re
from collections.abc import Iterator

from fedikit.display import timeline
from fedikit.environment import load_catalogue
from fedikit.model import configuration_model
from fedikit.panel.fields import Group, Part
from fedikit.panel.outline import outline
from fedikit.panel.page import PAGES
from fedikit.panel.said import FORMS
from tests.pages import PROJECT

TEMPLATES = sorted((PROJECT / "fedikit/panel/server/template").glob("*.html"))
CODE = (*sorted((PROJECT / "fedikit/panel").rglob("*.py")), PROJECT / "fedikit/display/timeline.py")
Message = str | tuple[str, str]
"""A text, or one and many."""


def messages() -> set[Message]:
    """All that the panel may say."""
    said = {words or form for form, words in FORMS.items()}
    titles = {page.title for page in PAGES}
    return {*of_the_code(), *titles, *of_the_templates(), *of_the_schema(), *said, *timeline.WORDS, *timeline.HEADS}


def of_the_code() -> set[Message]:
    """What is handed to `text(…)` and `text.plural(…)`, also by way of a name."""
    return {message for file in CODE for message in _of(ast.parse(file.read_text()))}


def of_the_templates() -> set[Message]:
    """What the server's own pages say."""
    return {json.loads(found) for file in TEMPLATES for found in re.findall(r'text\(("[^"]*")', file.read_text())}


def of_the_schema() -> set[Message]:
    """What the form of the configuration says of its parts, of all applications."""
    form = outline(configuration_model(load_catalogue()).model_json_schema())
    return {words for part in _within(form) for words in (part.title, part.help) if words}


def as_po(wanted: set[Message]) -> str:
    """Entries to be pasted into a catalogue, and translated."""
    return "\n".join(_entry(message) for message in sorted(wanted, key=str))


def _entry(message: Message) -> str:
    if isinstance(message, str):
        return f'msgid {_quoted(message)}\nmsgstr ""\n'
    one, many = message
    return f'msgid {_quoted(one)}\nmsgid_plural {_quoted(many)}\nmsgstr[0] ""\nmsgstr[1] ""\n'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _within(part: Part) -> Iterator[Part]:
    yield part
    for inner in part.parts if isinstance(part, Group) else ():
        yield from _within(inner)


def _of(tree: ast.AST) -> Iterator[Message]:
    named = _named(tree)
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in ast.walk(scope):
                if isinstance(call, ast.Call):
                    yield from _of_call(call, named | _named(scope))


def _of_call(call: ast.Call, named: dict[str, list[ast.expr]]) -> Iterator[Message]:
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr == "plural":
        one, many = (list(_texts(argument, named)) for argument in call.args[:2])
        yield from zip(one, many, strict=True)
    elif call.args and (_name(function) in ("text", "_text")):
        yield from _texts(call.args[0], named)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _named(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What names stand for, in a function or a module."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for name, value in zip(names, values, strict=False):
                    found.setdefault(_name(name), []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
    return found


def _texts(node: ast.expr, named: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The texts that an expression may come to, as far as its code says."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=first, orelse=second):
            yield from (*_texts(first, named), *_texts(second, named))
        case ast.Dict(values=values):
            for value in values:
                yield from _texts(value, named)
        case ast.Subscript(value=value):
            yield from _texts(value, named)
        case ast.Call(func=ast.Attribute(attr="get", value=value), args=[_, *others]):
            for part in (value, *others):
                yield from _texts(part, named)
        case ast.Name(id=name):
            for value in named.get(name, ()):
                yield from _texts(value, {other: nodes for other, nodes in named.items() if other != name})
