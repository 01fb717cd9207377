"""One-off commands.

A job notes in its entry the fingerprint of what it last ran with: its own fields, its standard input and the items that
it watches. It runs again only when that changes.
"""

from typing import Any

from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .work import Work

Item = dict[str, Any]


class JobKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if done == item["fingerprint"]:
            return []
        return ["its inputs changed"] if done else ["has not run"]

    def conflict(self, item: Item, state: State) -> str:
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        stdin = work.content(item)
        if work.done or not self._is_done(hands, item, stdin):
            hands.run(item["run"], stdin=stdin, user=item["user"], seconds=item["deadline"])
        work.entry["done"] = item["fingerprint"]

    def _is_done(self, eyes: Eyes, item: Item, stdin: bytes) -> bool:
        check = item["check"]
        return bool(check) and eyes.holds(check, stdin=stdin, user=item["user"], seconds=item["deadline"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        if item["undo"]:
            hands.run(item["undo"], user=item["user"], seconds=item["deadline"])
        return ""
