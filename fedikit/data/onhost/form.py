"""The form of a manifest: of which kind each of its values is. It may come from another provider, or a hacked host.

What is wrong is found before anything is replaced: later, an application would be left down over a word.
"""

import re
from collections.abc import Mapping
from typing import Any

MOST = 1 << 60
"""Bytes, rows or files: more is no number of anything."""
_TEXTS = ("id", "deployment", "application", "host", "reason", "started", "ended", "life")
_SNAPSHOT = re.compile(r"[0-9a-f]{64}")


def require_form(manifest: Mapping[str, Any]) -> None:
    """Raises ValueError, KeyError or TypeError unless each value is of the kind that it must be."""
    for name in _TEXTS:
        _require(_is_text(manifest[name]), name)
    _require(_is_list(manifest["expected"]) and all(map(_is_text, manifest["expected"])), "expected")
    _require(_is_mapping(manifest["images"]) and all(map(_is_text, manifest["images"].values())), "images")
    _require(_is_list(manifest["parts"]) and all(map(_is_mapping, manifest["parts"])), "parts")
    for part in manifest["parts"]:
        _require_part(part)


def _require_part(part: Mapping[str, Any]) -> None:
    for name in ("id", "kind", "version"):
        _require(_is_text(part[name]), name)
    for name in ("bytes", "added"):
        _require(_is_number(part[name]), name)
    _require(_is_mapping(part["counts"]) and all(map(_is_number, part["counts"].values())), "counts")
    snapshots = part["snapshots"]
    _require(_is_mapping(snapshots) and all(map(_is_snapshot, snapshots.values())), "snapshots")


def _require(is_so: bool, name: str) -> None:
    if not is_so:
        raise ValueError(f"{name} is not what it must be")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _is_snapshot(value: object) -> bool:
    return isinstance(value, str) and _SNAPSHOT.fullmatch(value) is not None
