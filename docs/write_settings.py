"""Writes docs/settings.md and docs/environment.md anew: every key of both files, as the schemas describe it.

.venv/bin/python docs/write_settings.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedikit.environment import load_catalogue
from fedikit.environment.schema import schema

DOCS = Path(__file__).parent
HEAD = """\
# Settings

What operators may set, application by application. Under *upstream's name* the software's own documentation tells more:
most often it is an environment variable. This page is written by `docs/write_settings.py`, from the
[schema](operations/files.md#fedikit-schema) that `fedikit schema configuration` prints.
"""
HEADING = "| setting | values | default | meaning | upstream's name |\n|---|---|---|---|---|"

ENVIRONMENT_HEAD = """\
# The provider's file

Every key of `environment.toml`. What [operations](operations/files.md#the-providers-file) explain, such as shared
databases, is not told again here. Paths are relative to the file. This page is written by `docs/write_settings.py`,
from the [schema](operations/files.md#fedikit-schema) that `fedikit schema environment` prints.
"""
ENVIRONMENT_HEADING = "| key | values | default | meaning |\n|---|---|---|---|"


def settings_page() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    catalogue = load_catalogue()
    described = schema(catalogue, "configuration")
    for name, application in sorted(catalogue.items()):
        properties = described["$defs"][application.settings.__name__]["properties"]
        rows = "\n".join(_row(f"{name}.{key}", part, described) for key, part in properties.items())
        what = (type(application).__doc__ or "").strip().splitlines()[0]
        yield f"## {name}\n\n{what}\n\n{HEADING}\n{rows}\n"


def environment_page() -> str:
    """The page of the provider's file as it should be."""
    described = schema({}, "environment")
    top = {"description": "The file as a whole.", **described}
    return "\n".join([ENVIRONMENT_HEAD, *_groups("", top, described)])


def _groups(path: str, node: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """A section of a group of keys, if it has any of its own, then those of the groups in it."""
    below = [(f"{path}.{key}".lstrip("."), part) for key, part in node["properties"].items()]
    groups = {key: list(_models(part, whole)) for key, part in below}
    rows = "\n".join(
        _key_row(key, part, whole, is_needed=key.rpartition(".")[2] in node.get("required", ()))
        for key, part in below
        if not groups[key]
    )
    if rows:
        yield f"## {_title(path, node)}\n\n{node['description']}\n\n{ENVIRONMENT_HEADING}\n{rows}\n"
    for key, part in below:
        name = f"{key}.NAME" if "patternProperties" in part else key
        for model in groups[key]:
            described = part.get("description") or model.get("description", "")
            yield from _groups(name, {**model, "description": " ".join(described.split())}, whole)


def _models(part: dict[str, Any], whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The groups of keys that may stand there, if nothing else may."""
    if "$ref" in part:
        yield from _models(whole["$defs"][part["$ref"].removeprefix("#/$defs/")], whole)
    elif "patternProperties" in part:
        for named in part["patternProperties"].values():
            yield from _models(named, whole)
    elif part.get("properties"):
        yield part
    else:
        ways = [one for one in part.get("anyOf", part.get("oneOf", ())) if one.get("type") != "null"]
        found = [list(_models(one, whole)) for one in ways]
        yield from (model for models in found if all(found) for model in models)


def _title(path: str, node: dict[str, Any]) -> str:
    """The group's path, and which of several kinds it is."""
    kinds = [f'{key} "{part["const"]}"' for key, part in node["properties"].items() if "const" in part]
    return ", ".join([f"`{path}`" if path else "At the top", *kinds])


def _key_row(path: str, part: dict[str, Any], whole: dict[str, Any], *, is_needed: bool) -> str:
    examples = [f"`{json.dumps(one, ensure_ascii=False)}`" for one in part.get("examples", ())]
    meaning = " Such as ".join([" ".join(part.get("description", "").split()), *examples])
    default = part.get("default")
    shown = "none" if default in (None, "", [], {}) else f"`{json.dumps(default, ensure_ascii=False)}`"
    cells = (f"`{path}`", _values(part, whole), "(needed)" if is_needed else shown, meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _row(path: str, part: dict[str, Any], whole: dict[str, Any]) -> str:
    meaning = " ".join(part.get("description", "").split())
    upstream = f"`{part['upstream']}`" if "upstream" in part else ""
    cells = (
        f"`{path}`",
        _values(part, whole),
        f"`{json.dumps(part['default'], ensure_ascii=False)}`",
        meaning,
        upstream,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _values(part: dict[str, Any], whole: dict[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in part:
        return _values(whole["$defs"][part["$ref"].removeprefix("#/$defs/")], whole)
    if "anyOf" in part:
        return " or ".join(_values(one, whole) for one in part["anyOf"])
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    match part.get("type"):
        case "boolean":
            return "`true`, `false`"
        case "integer" | "number":
            return _range(part)
        case "array":
            return f"a list: {_values(part['items'], whole)}"
        case "object":
            return "a group"
        case "null":
            return "`null`"
    return f"text, up to {part['maxLength']} characters" if "maxLength" in part else "text"


def _range(part: dict[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"a number, at least {low}" if low is not None else "a number"


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page())
    (DOCS / "environment.md").write_text(environment_page())
