"""The log of PeerTube's stand-in: on standard output, and as upstream's in a file that everybody may read."""

import json
from datetime import UTC, datetime
from pathlib import Path

_LEVELS = ("debug", "info", "warn", "error")


class Log:
    """Writes what is at or above its level, in both places."""

    def __init__(self, label: str, level: str, folder: Path) -> None:
        self._label = label
        self._levels = _LEVELS[_LEVELS.index(level) :]
        self._file = folder / "peertube.log"

    def info(self, message: str) -> None:
        self._write("info", message)

    def warn(self, message: str) -> None:
        self._write("warn", message)

    def error(self, message: str) -> None:
        self._write("error", message)

    def _write(self, level: str, message: str) -> None:
        if level not in self._levels:
            return
        now = datetime.now(UTC)
        print(f"[{self._label}] {now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03} {level}: {message}", flush=True)
        told = {"label": self._label, "level": level, "message": message, "timestamp": now.isoformat()}
        with self._file.open("a") as file:
            file.write(json.dumps(told) + "\n")
