"""The outline of a form: JSON Schema, as the model describes itself, in a tree of groups and fields. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from fedikit.environment.schema import JsonSchema
from fedikit.panel.fields import (
    ABSENT,
    Choice,
    Field,
    Group,
    Json,
    Line,
    Lines,
    LongText,
    Number,
    Part,
    Secret,
    Switch,
)

LONG = 120
"""Text that may be longer than so many characters gets more room than a line."""


def outline(described: JsonSchema) -> Group:
    """The form for documents that a JSON Schema describes: an object, with `$defs` for what is referred to."""
    part = _part("", described, described, is_required=True)
    if not isinstance(part, Group):
        raise TypeError("a form is made of a schema of an object with properties")
    return part


def drawn(part: Part, margin: str = "") -> str:
    """The tree in lines, for people: the key of each part, its sort, and what it is called."""
    below = [drawn(inner, f"{margin}  ") for inner in part.parts] if isinstance(part, Group) else []
    return "\n".join([f"{margin}{part.key or '.'}: {type(part).__name__.lower()} “{part.title}”", *below])


def _part(path: str, node: JsonSchema, whole: JsonSchema, *, is_required: bool) -> Part:
    node, is_nullable = _plain(node, whole)
    if is_nullable and node.get("type") == "boolean":
        node = {**node, "enum": [True, False]}
    about = {
        "path": path,
        "title": node.get("title", path.rpartition(".")[2]),
        "help": _help(node, is_nullable=is_nullable),
        "is_required": is_required,
    }
    if "properties" in node:
        return Group(
            **about,
            parts=_parts(path, node, whole),
            is_optional=is_nullable,
            default=node.get("default", ABSENT),
        )
    return _field(node, whole)(
        **about,
        **_options(node, whole),
        default=node.get("default"),
        is_nullable=is_nullable,
        examples=tuple(map(str, node.get("examples", ()))),
    )


def _parts(path: str, node: JsonSchema, whole: JsonSchema) -> tuple[Part, ...]:
    usual = node.get("default")
    return tuple(
        _part(
            f"{path}.{key}" if path else key,
            {**inner, "default": usual[key]} if isinstance(usual, Mapping) and key in usual else inner,
            whole,
            is_required=key in node.get("required", ()),
        )
        for key, inner in node["properties"].items()
    )


def _plain(node: JsonSchema, whole: JsonSchema) -> tuple[JsonSchema, bool]:
    """The schema with what it refers to merged in, what is said here first; and whether it may be null besides."""
    node = _followed(node, whole)
    alternatives = [_followed(inner, whole) for inner in node.get("anyOf", ())]
    others = [inner for inner in alternatives if inner.get("type") != "null"]
    is_nullable = len(others) < len(alternatives)
    if len(others) == 1:
        node = {**others[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    return node, is_nullable


def _followed(node: JsonSchema, whole: JsonSchema) -> JsonSchema:
    while "$ref" in node:
        referred = whole["$defs"][node["$ref"].removeprefix("#/$defs/")]
        node = {**referred, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _field(node: JsonSchema, whole: JsonSchema) -> type[Field]:
    """The sort of field for a schema that is no group."""
    sorts = {"boolean": Switch, "integer": Number, "number": Number}
    if node.get("writeOnly") or node.get("format") == "password":
        return Secret
    if "enum" in node or "const" in node:
        return Choice
    if _is_text(node, whole):
        return LongText if _is_long(node) else Line
    if node.get("type") == "array" and _is_text(node.get("items", {}), whole):
        return Lines
    return sorts.get(str(node.get("type")), Json)


def _help(node: JsonSchema, *, is_nullable: bool) -> str:
    """What is absent or null in a file is empty in a form."""
    words = " ".join(node.get("description", "").split())
    return re.sub(r"\bif (absent|null)\b", "if empty", words) if is_nullable else words


def _is_long(node: JsonSchema) -> bool:
    """Prose: a pattern that does more than exclude characters is that of a name or an address."""
    return bool(node.get("maxLength", 0) > LONG and node.get("pattern", "^[^").startswith("^[^"))


def _options(node: JsonSchema, whole: JsonSchema) -> dict[str, Any]:
    """What may be chosen, where it is told."""
    if "enum" in node or "const" in node:
        return {"options": tuple(node.get("enum", (node.get("const"),)))}
    lines = _followed(node.get("items", {}), whole) if node.get("type") == "array" else {}
    return {"options": tuple(lines["enum"])} if "enum" in lines and _is_text(lines, whole) else {}


def _is_text(node: JsonSchema, whole: JsonSchema) -> bool:
    """Whether nothing but text may stand there, in whichever of several forms."""
    node = _followed(node, whole)
    alternatives = node.get("anyOf", ())
    return node.get("type") == "string" or (bool(alternatives) and all(_is_text(part, whole) for part in alternatives))
