"""What a host tells of an application's backups, as one line of JSON: this file's text runs there, by its own Python.

Standard library only, and nothing of ours: a host gets this file and no other.
"""

import json
import os
import time
from typing import Any

MARK = "fedikit backups: "
FOLDER = "/var/lib/fedikit-data"
MOST_BYTES = 2**20


def told(folder: str) -> dict[str, Any]:
    """When the newest backup ended, how the last attempt did, since when there should be any, and what time it is."""
    known: dict[str, Any] = {"now": time.time(), "since": _since(folder), "newest": None, "failed": ""}
    try:
        result = json.loads(_text(os.path.join(folder, "result.json")))
        newest, last = result["newest"], result["last"]
        known["newest"] = newest["ended"] if newest else None
        known["failed"] = (str(last["error"])[:500] or "in silence") if last["failed"] else ""
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError):
        known["failed"] = "what the host noted of it cannot be read"
    return known


def _since(folder: str) -> float | None:
    try:
        return os.lstat(os.path.join(folder, "since")).st_mtime
    except OSError:
        return None


def _text(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, encoding="utf-8") as file:
        return file.read(MOST_BYTES)


def main(application: str) -> None:
    """Prints it behind a mark, for a login's start files print what they like."""
    print(MARK + json.dumps(told(os.path.join(FOLDER, application))), flush=True)
