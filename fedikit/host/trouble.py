"""What the agent reports when something cannot be done; the deployer gives it its place in the error tree."""


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
