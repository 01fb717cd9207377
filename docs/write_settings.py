"""Writes docs/settings.md anew: every setting of every application, as its schema describes it.

.venv/bin/python docs/write_settings.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedikit.environment import load_catalogue
from fedikit.environment.schema import schema

PAGE = Path(__file__).with_name("settings.md")
HEAD = """\
# Settings

What operators may set, application by application. Under *upstream's name* the software's own documentation tells more:
most often it is an environment variable. This page is written by `docs/write_settings.py`, from the
[schema](operations.md#fedikit-schema) that `fedikit schema configuration` prints.
"""
HEADING = "| setting | values | default | meaning | upstream's name |\n|---|---|---|---|---|"


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
    PAGE.write_text(settings_page())
