"""Directories. A link of root's to one counts as that directory: so data can be moved to another disk."""

from typing import Any

from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..paths import PERMISSIONS, differing, in_words_of, obstacle
from ..work import Work
from .kind import Kind

Item = dict[str, Any]


class DirectoryKind(Kind):
    may_be_shared = True
    is_given_back = True
    may_hold = True

    def observe(self, eyes: Eyes, item: Item) -> State:
        return in_words_of(eyes, item, eyes.folder_state(item["path"]))

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state["type"] == "directory":
            return differing(item, state, PERMISSIONS)
        return ["absent"] if state == ABSENT else ["is no directory"]

    def conflict(self, item: Item, state: State) -> str:
        if state["type"] == "symlink":
            return f"a symbolic link to {state['target']} is in its place, where there is no directory"
        if state["type"] == "file":
            return "a file is in its place"
        return "" if state["type"] == "directory" else obstacle(state)

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if not hands.exists(item["path"]):
            hands.make_directory(item["path"])
        hands.own(item["path"], item["owner"], item["group"], item["mode"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        state, prior = hands.folder_state(item["path"]), work.prior
        if prior["type"] == "directory":
            if state["type"] == "directory":
                hands.own(item["path"], prior["owner"], prior["group"], prior["mode"])
            return ""
        if work.purge and item["data"]:
            return hands.delete_tree(item["path"])
        if "link" in state:
            return f"is a link to {state['link']} that an administrator made; it stays"
        return "" if hands.delete_empty_directory(item["path"]) else "is not empty; what others put there stays"

    def parting_words(self, item: Item, prior: State, state: State) -> list[str]:
        """Where data lies that an administrator's link leads to."""
        return [f"with all in {state['link']}, where it leads"] if item.get("data") and "link" in state else []


KIND = DirectoryKind()
