"""What goes wrong, in words for people."""

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


class Absent(Trouble):
    """A part is not there: its database, its bucket or its folder does not exist."""


class Busy(Trouble):
    """Somebody else is at work on the same application."""
