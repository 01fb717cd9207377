"""Files, directories and symbolic links."""

from typing import Any

from .blobs import Blobs
from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .work import Work

Item = dict[str, Any]
PERMISSIONS = ("mode", "owner", "group")


def differing(item: Item, state: State, fields: tuple[str, ...]) -> list[str]:
    return [f"{name} {state.get(name)} → {item[name]}" for name in fields if state.get(name) != item[name]]


def observed(eyes: Eyes, item: Item, *, sealed: bool = False) -> State:
    """What lies there, its owner and group named as the item names them: by name, or by number."""
    state = eyes.file_state(item["path"], sealed=sealed)
    for field, database in (("owner", "passwd"), ("group", "group")):
        if field in state and item[field].isdigit():
            state[field] = str(eyes.number_of(database, state[field]) or state[field])
    return state


def restore(hands: Hands, path: str, work: Work) -> None:
    """Puts back the file or link that was there before fedikit."""
    put_back(hands, path, work.prior, work.blobs)


def put_back(hands: Hands, path: str, prior: State, blobs: Blobs) -> None:
    """Makes a file or link what it was; removes it where there was none."""
    if prior["type"] == "symlink":
        hands.link(path, prior["target"])
    elif prior["type"] == "file":
        content = blobs.read(prior["sha256"])
        hands.write(path, content, owner=prior["owner"], group=prior["group"], mode=prior["mode"])
    else:
        hands.delete(path)


class FileKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return observed(eyes, item, sealed="seal" in item)

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        if state["type"] != "file":
            return [f"is a {state['type']}"]
        digest = "seal" if "seal" in item else "sha256"
        is_other = state[digest] not in (item[digest], None)  # None: sealed, and the key is not at hand
        content = ["content"] if is_other else []
        return content + differing(item, state, PERMISSIONS)

    def conflict(self, item: Item, state: State) -> str:
        return f"a {state['type']} is in its place" if state["type"] in ("directory", "other") else ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if self.differences(item, self.observe(hands, item), ""):
            content = work.content(item)
            hands.write(item["path"], content, owner=item["owner"], group=item["group"], mode=item["mode"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        restore(hands, item["path"], work)
        return ""


class SymlinkKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return eyes.file_state(item["path"])

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        if state["type"] != "symlink":
            return [f"is a {state['type']}"]
        return differing(item, state, ("target",))

    def conflict(self, item: Item, state: State) -> str:
        return f"a {state['type']} is in its place" if state["type"] in ("directory", "other") else ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        hands.link(item["path"], item["target"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        restore(hands, item["path"], work)
        return ""


class DirectoryKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return observed(eyes, item)

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        return ["absent"] if state == ABSENT else differing(item, state, PERMISSIONS)

    def conflict(self, item: Item, state: State) -> str:
        return "" if state["type"] in ("absent", "directory") else f"a {state['type']} is in its place"

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if not hands.exists(item["path"]):
            hands.make_directory(item["path"])
        hands.own(item["path"], item["owner"], item["group"], item["mode"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        prior = work.prior
        if prior["type"] == "directory":
            hands.own(item["path"], prior["owner"], prior["group"], prior["mode"])
            return ""
        if work.purge and item["data"]:
            hands.delete_tree(item["path"])
            return ""
        return "" if hands.delete_empty_directory(item["path"]) else "is not empty; what others put there stays"
