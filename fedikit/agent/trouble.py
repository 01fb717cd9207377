"""What the agent reports when something cannot be done; the deployer gives it its place in the error tree."""

import errno
from typing import Any

TAIL_CHARACTERS = 4000


class Trouble(Exception):
    """Says what happened.

    code  which kind of error it is for the deployer: failed, busy, stale, blocked, disk
    tail  last lines of output
    item  the id of the item that was worked on
    """

    def __init__(self, message: str, *, code: str = "failed", tail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.tail = tail
        self.hint = hint
        self.item = ""


def trouble_from(error: Exception) -> Trouble:
    """The error in words: trouble as it is, what the operating system refused, or a fault of the agent's own."""
    if isinstance(error, Trouble):
        return error
    if not isinstance(error, OSError):
        return Trouble(f"the agent failed: {type(error).__name__}: {error}", code="agent")
    words = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble(words, code="disk", hint="free some space there and run the same command again")
    return Trouble(words)


def redacted(trouble: Trouble, secrets: set[str]) -> Trouble:
    """The trouble without secrets in its words; they are taken out before anything is cut off."""
    from .redaction import scrub  # slow to import, and needed for failures only

    trouble.message, trouble.tail, trouble.hint = (
        scrub(text, secrets) for text in (trouble.message, trouble.tail, trouble.hint)
    )
    return trouble


def last_lines(text: str, limit: int) -> str:
    """As many of the last lines as fit into that many characters; none of them in part, unless one alone is longer."""
    if len(text) <= limit:
        return text
    _, end_of_line, rest = text[-limit:].partition("\n")
    return rest if end_of_line else text[-limit:]


def as_event(trouble: Trouble) -> dict[str, Any]:
    """The trouble as the deployer is told of it."""
    return {
        "event": "trouble", "code": trouble.code, "message": trouble.message,
        "tail": last_lines(trouble.tail, TAIL_CHARACTERS), "hint": trouble.hint, "item": trouble.item,
    }  # fmt: skip
