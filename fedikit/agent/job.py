"""One-off commands.

A job notes in its entry, as `done`, the fingerprint of what it last ran with: its own fields, its standard input and
the items that it watches. It runs again only when that changes. Before its command begins, `begun` takes the place of
what was done, and is on the disk: of a command that was cut short nobody knows what it did, whichever configuration is
next.
"""

from typing import Any

from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .work import Work

Item = dict[str, Any]
BEGUN = "begun"
CHECK_SECONDS = 300
GLANCE_SECONDS = 20
"""How long a check may take when planning; one that takes longer is asked again when it is time to run."""


class JobKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if done == item["fingerprint"]:
            return []
        if done.startswith(BEGUN):
            return ["did not end well when it last ran"]
        return ["its inputs changed"] if done else ["has not run"]

    def conflict(self, item: Item, state: State) -> str:
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        stdin = work.content(item)
        if not (is_first(item, work.done) and self._is_done(hands, item, stdin)):
            work.entry["done"] = _begun(item) if is_first(item, work.done) else BEGUN
            work.save()
            hands.run_while_here(item["run"], stdin=stdin, user=item["user"], seconds=item["deadline"])
        work.entry["done"] = item["fingerprint"]

    def _is_done(self, eyes: Eyes, item: Item, stdin: bytes) -> bool:
        check = item["check"]
        seconds = min(item["deadline"], CHECK_SECONDS)
        return bool(check) and eyes.holds(check, stdin=stdin, user=item["user"], seconds=seconds)

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        if item["undo"]:
            hands.run_while_here(item["undo"], user=item["user"], seconds=item["deadline"])
        return ""


def _begun(item: Item) -> str:
    return f"{BEGUN} {item['fingerprint']}"


def is_first(item: Item, done: str) -> bool:
    """Whether the job never ran but with these inputs: if its effect is there then, it need not run."""
    return done in ("", _begun(item))
