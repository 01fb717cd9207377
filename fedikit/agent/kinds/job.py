"""One-off commands.

A job notes in its entry, as `done`, the fingerprint of what it last ran with: its own fields, its standard input and
the items that it watches. It runs again only when that changes. Before its command begins, `begun` takes the place of
what was done, and is on the disk: of a command that was cut short nobody knows what it did, whichever configuration is
next.
"""

from typing import Any

from ..blobs import Blobs
from ..change import Change
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..work import Work
from .kind import Kind

Item = dict[str, Any]
BEGUN = "begun"
CHECK_SECONDS = 300
GLANCE_SECONDS = 20
"""How long a check may take when planning; one that takes longer is asked again when it is time to run."""


class JobKind(Kind):
    has_state = False

    def observe(self, eyes: Eyes, item: Item) -> State:
        return ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if done == item["fingerprint"]:
            return []
        if done.startswith(BEGUN):
            return ["did not end well when it last ran"]
        return ["its inputs changed"] if done else ["has not run"]

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        stdin = work.content(item)
        seconds = min(item["deadline"], CHECK_SECONDS)
        if not (is_first(item, work.done) and self._is_done(hands, item, stdin, seconds)):
            work.entry["done"] = _begun(item) if is_first(item, work.done) else BEGUN
            work.save()
            hands.run_while_here(item["run"], stdin=stdin, user=item["user"], seconds=item["deadline"])
        work.entry["done"] = item["fingerprint"]

    def making(self, item: Item, state: State) -> str:
        return "run"

    def is_done_already(self, eyes: Eyes, item: Item, done: str) -> bool:
        """By its check; cannot be told before it has what it reads, which may be secret."""
        if "seal" in item or "sha256" in item or not is_first(item, done):
            return False
        return self._is_done(eyes, item, b"", min(item["deadline"], GLANCE_SECONDS))

    def prior(self, hands: Hands, change: Change, blobs: Blobs) -> State:
        return ABSENT

    def _is_done(self, eyes: Eyes, item: Item, stdin: bytes, seconds: float) -> bool:
        check = item["check"]
        return bool(check) and eyes.holds(check, stdin=stdin, user=item["user"], seconds=seconds)

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        if item["undo"]:
            hands.run_while_here(item["undo"], user=item["user"], seconds=item["deadline"])
        return ""


KIND = JobKind()


def _begun(item: Item) -> str:
    return f"{BEGUN} {item['fingerprint']}"


def is_first(item: Item, done: str) -> bool:
    """Whether the job never ran but with these inputs: if its effect is there then, it need not run."""
    return done in ("", _begun(item))
