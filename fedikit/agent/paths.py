"""What lies at a path: files, links and directories compared, brought to safety and put back."""

from typing import Any

from .blobs import Blobs
from .eyes import BARRED, Eyes, State
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


def put_back_once_more(hands: Hands, path: str, prior: State, blobs: Blobs) -> None:
    """Where something took along what had been put back."""
    if hands.file_state(path) != prior:
        put_back(hands, path, prior, blobs)
