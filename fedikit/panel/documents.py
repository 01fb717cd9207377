"""Documents: what operators choose, as plain data, in files of the panel's and in their own."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedikit.environment.load import read_document
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model.document import parse_json
from fedikit.model.mistake import WHOLE
from fedikit.runbook.record import write_whole, writing

LARGEST_DOCUMENT = 1 << 20
"""Bytes that what an operator chose may have; a configuration has some hundred."""


def read_group(file: Path) -> dict[str, Any]:
    """The settings in a file. Raises ConfigurationError if it cannot be read, or holds anything else."""
    document = read_document(file, parse_json)
    if not isinstance(document, dict):
        raise ConfigurationError(str(file), [Mistake(WHOLE, "must be a group of settings")])
    return dict(document)


def keep_group(file: Path, document: Mapping[str, Any]) -> None:
    """Writes settings into a file, as people would, and makes its folder."""
    keep(file, json.dumps(document, indent=2, ensure_ascii=False))


def keep(file: Path, text: str) -> None:
    """Writes a file whole, or not at all, and makes its folder. Raises FedikitError if it cannot be written."""
    with writing(file):
        os.makedirs(file.parent, mode=0o700, exist_ok=True)
    write_whole(file, text)


def mark_of(file: Path | None) -> tuple[int, int] | None:
    """What is another one when a file was written again; None where there is none."""
    try:
        status = file.stat() if file else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino) if status else None


def is_too_large(document: Mapping[str, Any]) -> bool:
    """Whether it is more than anybody would choose."""
    return len(json.dumps(document)) > LARGEST_DOCUMENT


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The dotted paths at which two documents differ; a list is one thing."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        if before != after:
            yield path
        return
    for key in before.keys() | after.keys():
        inner = f"{path}.{key}" if path else key
        yield from differences(before.get(key, {}), after.get(key, {}), inner)
