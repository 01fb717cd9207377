"""What the program tells: a line of JSON for each event on standard output, which nothing else writes to."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from .trouble import Trouble


class Telling:
    """Tells events; whoever listened may be gone, which stops no work. `secrets` are never told."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream: IO[str] | None = stream
        self.secrets: Sequence[str] = ()

    def tell(self, event: dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
            self._stream.flush()
        except OSError:
            self._stream = None

    def done(self, **result: Any) -> None:
        self.tell({"event": "done", **result})

    def trouble(self, trouble: Trouble) -> None:
        words = {"message": trouble.message, "hint": trouble.hint, "part": trouble.part, "tail": trouble.tail}
        self.tell({"event": "trouble", **{name: self.clean(text) for name, text in words.items()}})

    def clean(self, text: str) -> str:
        """A text without secrets and without control characters but the ends of lines."""
        for secret in self.secrets:
            text = text.replace(secret, "(a secret)")
        return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Tells that a step begins, and how it ended; what is put into the mapping is told with it."""
        self.tell({"event": "step", "name": name, "phase": "start", "failed": False, "seconds": 0.0, "bytes": 0})
        started, more = time.monotonic(), dict[str, Any]()
        failed = True
        try:
            yield more
            failed = False
        finally:
            seconds = round(time.monotonic() - started, 3)
            end = {"event": "step", "name": name, "phase": "end", "failed": failed, "seconds": seconds, "bytes": 0}
            self.tell(end | more)
