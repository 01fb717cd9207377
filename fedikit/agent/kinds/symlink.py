"""Symbolic links."""

from typing import TYPE_CHECKING, Any

from ..blobs import Blobs
from ..change import Change
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..paths import brought_to_safety, differing, obstacle, put_back_once_more, restore
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..batch import Batch

Item = dict[str, Any]


class SymlinkKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        return eyes.file_state(item["path"])

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        if state["type"] != "symlink":
            return [f"is a {state['type']}"]
        return differing(item, state, ("target",))

    def conflict(self, item: Item, state: State) -> str:
        return obstacle(state)

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        hands.link(item["path"], item["target"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        return restore(hands, item["path"], work)

    def prior(self, hands: Hands, change: Change, blobs: Blobs) -> State:
        return brought_to_safety(hands, change.item["path"], blobs)

    def is_owed(self, change: Change) -> bool:
        return change.action == "restore"

    def once_more(self, batch: "Batch", left: list[Change]) -> None:
        for change in left:
            if change.action == "restore":
                prior = batch.ledger.entries[change.id]["prior"]
                put_back_once_more(batch.hands, change.item["path"], prior, batch.work.blobs)


KIND = SymlinkKind()
