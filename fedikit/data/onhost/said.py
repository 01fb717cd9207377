"""What restic says: its exit statuses, and the lines of JSON that it tells while it works."""

import contextlib
import json
import os
from dataclasses import dataclass
from typing import Any

from .command import Finished
from .shield import REFUSED
from .trouble import Trouble, hint_of_room

NONE_THERE, LOCKED, WRONG_PASSWORD, SOME_UNREAD = 10, 11, 12, 3
_STILL = ("seconds_elapsed", "seconds_remaining")
_REFUSED = "it lets this host not in: see the key or password in policies.backup"
AWAY = "see that its server is up, that its address is right, and that this host's way there is open"


@dataclass(frozen=True)
class Snapshot:
    """What restic made: how much went in, and by how much the repository grew, in bytes."""

    id: str
    bytes: int
    added: int


class Told:
    """What restic tells in JSON while it makes or restores a snapshot."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.unread: list[str] = []
        self._last: dict[str, Any] = {}

    def hear(self, line: str) -> bool:
        """Takes a line; whether something moved since the last."""
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if message.get("message_type") == "summary" and "snapshot_id" in message:
                added = message.get("data_added_packed", message["data_added"])
                self.snapshot = Snapshot(message["snapshot_id"], message["total_bytes_processed"], added)
            if message.get("message_type") == "error":
                self.unread.append(str(message.get("item", "")))
            now = {name: value for name, value in message.items() if name not in _STILL}
            self._last, last = now, self._last
            return now != last
        return False

    def require_that_all_vanished(self, tail: str) -> None:
        """Raises Trouble if something could not be read that is there."""
        there = [path for path in self.unread if not path or os.path.lexists(path)]
        if there or not self.unread:
            names = ", ".join(there[:3]) or "something"
            raise Trouble(f"{names} could not be read", hint="see the disk, and the last lines", tail=tail)


def trouble_of(finished: Finished, verb: str, url: str) -> Trouble:
    """A failed call of restic in words, by its status."""
    at = f"the repository {url}"
    if finished.status == 127 and "setpriv" in finished.tail:
        return Trouble("restic is not there", hint="run an apply of the deployment", tail=finished.tail)
    if finished.status == REFUSED:
        hint = "it takes Linux 5.12 or newer, and a machine in which root may mount"
        return Trouble("this host cannot keep restic from following links", hint=hint, tail=finished.tail)
    if finished.status == WRONG_PASSWORD:
        hint = "it belongs to somebody else, or to this application under another master key: put the key back"
        return Trouble(f"{at} does not open with this application's password", hint=hint, tail=finished.tail)
    if finished.status == NONE_THERE:
        return Trouble(f"{at} is not there", hint="see that its disk is mounted and its address right")
    if finished.status == LOCKED:
        hint = "see who works on it; a lock that was left behind goes by itself after half an hour"
        return Trouble(f"{at} is locked by somebody else", hint=hint, tail=finished.tail)
    words = f"`restic {verb}` failed with status {finished.status} in {at}"
    return Trouble(words, hint=_hint_of(finished.tail, url), tail=finished.tail)


_HINTS = {
    "host key verification failed": "the server has another key than the one that is known: see known_host in "
    "policies.backup; if nobody changed it on purpose, somebody may stand between",
    "permission denied": _REFUSED,
    "unauthorized": _REFUSED,
    "access denied": _REFUSED,
    "x509": "the server's certificate is none that this host trusts: see its name, its date and who signed it",
    "request time": "this host's clock or the server's is wrong: see timedatectl",
    "connection refused": AWAY,
    "could not resolve": AWAY,
    "no such host": AWAY,
    "timed out": AWAY,
}


def _hint_of(tail: str, url: str) -> str:
    """What to do about what restic said; a hint only, nothing is decided by it."""
    said = tail.lower()
    if "no space left" in said:
        return hint_of_room()
    found = next((hint for words, hint in _HINTS.items() if words in said), "")
    if found:
        return found
    if url.startswith("sftp:"):
        return "see that the server is up, and that known_host and the key in policies.backup are right"
    return "see the last lines of restic"
