"""Keeps the agent on the host, unpacked and compiled, under its hash; forgets older ones. Used at the first change."""

import marshal
import os
import shutil
import zipfile
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from types import CodeType
from typing import BinaryIO

UNCHECKED = (1).to_bytes(4, "little")
"""What marks a compiled module that is not compared with its source: both are put in place at once."""


def keep(archive: str, place: str) -> None:
    """Unpacks the archive that the agent was loaded from, compiled, and puts it in place at once."""
    draft = place + ".new"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft, mode=0o700)
    unpack(archive, draft, getattr(__spec__.loader, "codes", {}))
    for other in os.listdir(os.path.dirname(place)):
        if os.path.join(os.path.dirname(place), other) not in (draft, place):
            shutil.rmtree(os.path.join(os.path.dirname(place), other))
    os.rename(draft, place)


def unpack(archive: str | BinaryIO, folder: str, compiled: dict[str, CodeType] | None = None) -> None:
    """Unpacks an agent's archive, and compiles what is not `compiled` already, by the module's name."""
    with zipfile.ZipFile(archive) as contents:
        contents.extractall(folder)
        for name in contents.namelist():
            source = contents.read(name)
            code = (compiled or {}).get(_module(name)) or compile(source, name, "exec", dont_inherit=True)
            _write_compiled(os.path.join(folder, name), source, code)


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _write_compiled(path: str, source: bytes, code: CodeType) -> None:
    compiled = cache_from_source(path)
    os.makedirs(os.path.dirname(compiled), exist_ok=True)
    with open(compiled, "wb") as file:
        file.write(MAGIC_NUMBER + UNCHECKED + source_hash(source) + marshal.dumps(code))
