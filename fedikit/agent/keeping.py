"""Keeps the agent on the host under its hash, compiled for the Python there; forgets others. Used at the first change.

HASH/sources.zip      the agent as it was sent, to be read
HASH/cpython-313.zip  compiled, what is run: one file, for a file system takes longer over many than Python over one
"""

import marshal
import os
import shutil
import sys
import zipfile
from importlib.util import MAGIC_NUMBER, source_hash
from types import CodeType
from typing import BinaryIO

SOURCES = "sources.zip"
COMPILED = f"{sys.implementation.cache_tag}.zip"
UNCHECKED = (1).to_bytes(4, "little")
"""What marks a compiled module that is not compared with its source: both are put in place at once."""


def keep(archive: str, place: str) -> None:
    """Compiles the archive that the agent was loaded from, as far as it is not, and puts it in place at once."""
    with open(archive, "rb") as sent:
        unpack(sent, place + ".new", getattr(__spec__.loader, "codes", {}))
    for other in os.listdir(os.path.dirname(place)):
        if other != os.path.basename(place) + ".new":
            shutil.rmtree(os.path.join(os.path.dirname(place), other))
    os.rename(place + ".new", place)


def unpack(archive: BinaryIO, folder: str, compiled: dict[str, CodeType] | None = None) -> None:
    """Writes an agent's archive into a new folder, with what is compiled of it: `compiled` already, or now."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    with open(os.path.join(folder, SOURCES), "wb") as copy:
        shutil.copyfileobj(archive, copy)
    with zipfile.ZipFile(archive) as sources, zipfile.ZipFile(os.path.join(folder, COMPILED), "w") as binaries:
        for name in sources.namelist():
            source = sources.read(name)
            code = (compiled or {}).get(_module(name)) or compile(source, name, "exec", dont_inherit=True)
            binaries.writestr(f"{name}c", MAGIC_NUMBER + UNCHECKED + source_hash(source) + marshal.dumps(code))


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
