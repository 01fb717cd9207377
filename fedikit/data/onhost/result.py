"""How the last backups and checks ended: result.json, which whoever looks after the host reads."""

import contextlib
import json
from typing import Any

from .manifest import Manifest
from .moments import now
from .part import summary
from .places import Places, write_whole
from .repository import Repository
from .settings import Settings
from .trouble import Trouble

FORMAT = 1
FILE = "result.json"


class Result:
    """The result of one application, as it is on the disk; each change is there at once."""

    def __init__(self, places: Places, settings: Settings, repository: Repository) -> None:
        self._path = places.state / FILE
        self.values: dict[str, Any] = {
            "format": FORMAT, "deployment": settings.deployment, "application": settings.application,
            "repository": repository.url, "expected": settings.expected, "newest": None, "last": None, "check": None,
            "note": "",
            "proof": None,
        }  # fmt: skip
        with contextlib.suppress(OSError, ValueError, AttributeError):
            was = json.loads(self._path.read_text(encoding="utf-8"))
            if was.get("repository") == repository.url:
                self.values |= {name: was.get(name) for name in ("newest", "last", "check", "proof")}
                self.values["note"] = was.get("note", "")

    def backed_up(self, manifest: Manifest, seconds: float) -> None:
        parts = [{"id": part["id"], "bytes": part["bytes"], "counts": summary(part["counts"])}
                 for part in manifest.parts]  # fmt: skip
        newest = {
            "id": manifest.id, "started": manifest.started, "ended": manifest.ended, "bytes": manifest.bytes,
            "added": sum(part["added"] for part in manifest.parts), "seconds": round(seconds, 3), "parts": parts,
        }  # fmt: skip
        last = {"id": manifest.id, "ended": manifest.ended, "failed": False, "error": "", "part": ""}
        self._write(newest=newest, last=last)

    def failed(self, identity: str, trouble: Trouble, words: str) -> None:
        self._write(last={"id": identity, "ended": now(), "failed": True, "error": words, "part": trouble.part})

    def noted(self, words: str) -> None:
        """What is to be known of the repository though all went well; nothing if the words are empty."""
        if words != self.values["note"]:
            self._write(note=words)

    def checked(self, words: str) -> None:
        """A check ended; with words if it found something."""
        self._write(check={"ended": now(), "failed": bool(words), "error": words})

    def proven(self, proof: dict[str, Any]) -> None:
        """A proof was noted, of whichever backup."""
        self._write(proof={name: proof[name] for name in ("ended", "failed")})

    def _write(self, **values: Any) -> None:
        self.values |= values
        write_whole(self._path, json.dumps(self.values, ensure_ascii=False))
