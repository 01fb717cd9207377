"""Keeps the agent on the host under its hash, for the Python there; forgets others. Used at a host's first change.

HASH/MAGIC.bytecode   what is run, in the form in which it is sent (`fedikit.remote.bootstrap`), by the number of the
                      bytecode: what was compiled until now stands in it so, and the source of what was not needed
"""

import marshal
import os
import zlib
from _frozen_importlib_external import MAGIC_NUMBER  # without `importlib.util`: it takes time to import
from types import CodeType
from typing import Any

NAME = f"{MAGIC_NUMBER.hex()}.bytecode"


def keep(place: str) -> None:
    """Puts the agent that runs in place at once; what was there by its name was damaged."""
    agents, own = os.path.split(place)
    os.makedirs(place, mode=0o700, exist_ok=True)
    with open(os.path.join(place, "new"), "wb") as draft:
        draft.write(packed(__spec__.loader))
    os.rename(os.path.join(place, "new"), os.path.join(place, NAME))
    if others := [name for name in os.listdir(agents) if name != own]:
        import shutil  # slow to import

        for other in others:
            shutil.rmtree(os.path.join(agents, other))


def packed(loader: Any) -> bytes:
    """What a loader of the agent has, with what it compiled; not made smaller, so that it starts at once."""
    codes: dict[str, CodeType] = loader.codes
    parts = {
        name: (path, marshal.dumps(codes[name]) if name in codes else content)
        for name, (path, content) in loader.parts.items()
    }
    return zlib.compress(marshal.dumps(parts, 2), 0)
