"""Answers one request: how much there is of each part, or all of one part.

{"verb": "measure", "parts": [spec, …], "secrets": {…}}    m for each part in turn, and "." at the end
{"verb": "stream", "part": spec, "secrets": {…}, "after": "key"}    d…, or o d… e for each object, and "." at the end
"""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from fedikit.data.onhost.trouble import Trouble

from .wire import Wire

Part = Any
"""One with `measure()` and `stream(wire)`."""
MODULES = {"postgresql": "postgresql", "mariadb": "mariadb", "volume": "files", "bucket": "objects"}


def main(request: dict[str, Any]) -> int:
    """Serves the request; what it says goes to standard output, what tools say to standard error."""
    with contextlib.suppress(PermissionError):  # it leads a group of its own already
        os.setsid()
    wire = Wire(os.dup(1))
    os.dup2(2, 1)
    wire.begin()
    with wire.alive():
        try:
            VERBS[request["verb"]](request, wire)
        except Trouble as trouble:
            wire.tell(b"!", {"message": trouble.message, "hint": trouble.hint, "tail": trouble.tail[-2000:]})
            return 1
        except Exception as error:
            words = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            wire.tell(b"!", {"message": words, "hint": "", "tail": ""})
            return 1
    return 0


def part_of(spec: dict[str, Any], request: dict[str, Any]) -> Part:
    """The part that a spec tells of."""
    from importlib import import_module

    module = import_module(f".{MODULES[spec['kind']]}", __package__)
    return module.Part(spec, request["secrets"], request.get("after", ""))


def _measure(request: dict[str, Any], wire: Wire) -> None:
    for spec in request["parts"]:
        wire.tell(b"m", {"id": spec["id"], "bytes": part_of(spec, request).measure()})
    wire.tell(b".", {})


def _stream(request: dict[str, Any], wire: Wire) -> None:
    wire.tell(b".", part_of(request["part"], request).stream(wire))


VERBS: dict[str, Callable[[dict[str, Any], Wire], None]] = {"measure": _measure, "stream": _stream}
