"""Files, directories and symbolic links."""

from typing import Any

from .blobs import Blobs
from .eyes import ABSENT, BARRED, Eyes, State
from .hands import Hands
from .work import Work

Item = dict[str, Any]
PERMISSIONS = ("mode", "owner", "group")


def differing(item: Item, state: State, fields: tuple[str, ...]) -> list[str]:
    return [f"{name} {state.get(name)} → {item[name]}" for name in fields if state.get(name) != item[name]]


def in_words_of(eyes: Eyes, item: Item, state: State) -> State:
    """The state, its owner and group named as the item names them if they are the same: names may share a number."""
    named = {}
    for field, database in (("owner", "passwd"), ("group", "group")):
        if field in state and _number(eyes, database, item[field]) == _number(eyes, database, state[field]):
            named[field] = item[field]
    return {**state, **named}


def _number(eyes: Eyes, database: str, name: str) -> int | None:
    return int(name) if name.isdigit() else eyes.number_of(database, name)


def obstacle(state: State) -> str:
    """What is in a file's or link's place that it cannot replace."""
    if state["type"] == BARRED:
        return str(state["why"])
    return f"{state.get('is', 'a directory')} is in its place" if state["type"] in ("directory", "other") else ""


def brought_to_safety(hands: Hands, path: str, blobs: Blobs) -> State:
    """What lies there, links as links; a file's content is in the store from now on."""
    state = hands.file_state(path)
    if state["type"] != "file" or blobs.has(state["sha256"]):
        return state
    with hands.files.place(path) as (folder, name), folder.file(name) as file:
        return {"type": "file", **hands.permissions(file.status), "sha256": blobs.take(file.pieces())}


def restore(hands: Hands, path: str, work: Work) -> str:
    """Puts back the file or link that was there before fedikit; says what is in the way."""
    try:
        put_back(hands, path, work.prior, work.blobs)
    except IsADirectoryError:
        return "a directory is in its place, and stays"
    return ""


def put_back(hands: Hands, path: str, prior: State, blobs: Blobs) -> None:
    """Makes a file or link what it was; removes it where there was none."""
    if prior["type"] == "symlink":
        hands.link(path, prior["target"])
    elif prior["type"] == "file":
        permissions = {field: prior[field] for field in PERMISSIONS}
        hands.write(path, blobs.pieces(prior["sha256"]), **permissions)
    else:
        hands.delete(path)


class FileKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        return in_words_of(eyes, item, eyes.file_state(item["path"], sealed="seal" in item))

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
        return obstacle(state)

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if self.differences(item, self.observe(hands, item), ""):
            content = work.content(item)
            hands.write(item["path"], content, owner=item["owner"], group=item["group"], mode=item["mode"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        return restore(hands, item["path"], work)


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
        return obstacle(state)

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        hands.link(item["path"], item["target"])

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        return restore(hands, item["path"], work)


class DirectoryKind:
    """A link of root's to a directory counts as that directory: so data can be moved to another disk."""

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
