"""Keeps the agent on the host, unpacked and compiled, under its hash; forgets older ones. Used at the first change."""

import os
import py_compile
import shutil
import zipfile
from typing import BinaryIO


def keep(archive: str, place: str) -> None:
    """Unpacks the archive that the agent was loaded from, compiles it, and puts it in place at once."""
    draft = place + ".new"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft, mode=0o700)
    unpack(archive, draft)
    for other in os.listdir(os.path.dirname(place)):
        if os.path.join(os.path.dirname(place), other) not in (draft, place):
            shutil.rmtree(os.path.join(os.path.dirname(place), other))
    os.rename(draft, place)


def unpack(archive: str | BinaryIO, folder: str) -> None:
    """Unpacks an agent's archive, and compiles it."""
    with zipfile.ZipFile(archive) as contents:
        contents.extractall(folder)
    for inner, _, names in os.walk(folder):
        for name in names:
            py_compile.compile(os.path.join(inner, name), dfile=name)
