"""What goes wrong, in words for people."""

import errno
from traceback import format_exception

from .disks import full_disks

TAIL_CHARACTERS = 4000


class Trouble(Exception):
    """Says what was wanted, where, and what happened.

    hint  what to do next
    tail  the last lines that a command said
    part  the id of the part that was worked on
    """

    def __init__(self, message: str, *, hint: str = "", tail: str = "", part: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.tail = tail[-TAIL_CHARACTERS:]
        self.part = part


def trouble_from(error: Exception) -> Trouble:
    """The error in words: trouble as it is, what the operating system refused, or a fault of the program's own."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, OSError):
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = hint_of_room() if is_full else "see the host's disks, and run it again"
        return Trouble(": ".join(filter(None, (error.filename, error.strerror or str(error)))), hint=hint)
    return Trouble(f"the program failed: {type(error).__name__}: {error}", tail="".join(format_exception(error)))


def hint_of_room() -> str:
    """What to do where something had no room."""
    full = full_disks()
    where = f" at {' and '.join(full[:3])}" if full else ""
    return f"there is no room left{where}: free some, and run it again"


def of_part(error: Exception, identity: str) -> Trouble:
    """The error in words, of a part that was worked on."""
    trouble = trouble_from(error)
    trouble.part = identity
    return trouble


class Absent(Trouble):
    """A part is not there: its database, its bucket or its folder does not exist."""


class Overdue(Trouble):
    """A command did not end in its time."""


class Busy(Trouble):
    """Somebody else is at work on the same application."""
