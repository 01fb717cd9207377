"""What stands against an export, in words for a person."""


class Trouble(Exception):
    """Says what happened; `hint` what to do next, `tail` the last words of a tool."""

    def __init__(self, message: str, *, hint: str = "", tail: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.tail = message, hint, tail
