"""Users of the host.

A user that fedikit made notes `made` in its entry, as `done`. One that was there before keeps its full name, home and
shell: it gets groups and keys, and loses nothing else.
"""

import os
from contextlib import suppress
from typing import Any

from ..blobs import Blobs
from ..change import BEFORE, Change
from ..eyes import ABSENT, Eyes, State
from ..files import Folder
from ..hands import Hands
from ..keys import KEYS, SSH, keys_state, take_keys_away, text_of, write_keys
from ..trouble import Trouble
from ..walk import Barred
from ..work import Work
from .kind import Kind

Item = dict[str, Any]
PASSWD_FIELDS = {"comment": 4, "home": 5, "shell": 6}
OPTIONS = {"comment": "-c", "home": "-d", "shell": "-s"}
"""The only names that useradd and usermod share."""
MADE = "made"

SKELETON = "/etc/skel"
"""What useradd puts into a new home."""
DEEP = 16


def home_of(item: Item) -> str:
    return item["home"] or ("/root" if item["name"] == "root" else f"/home/{item['name']}")


def groups_of(eyes: Eyes, name: str) -> list[str]:
    """The groups that list the user as a member; the user's own primary group is not among them."""
    return sorted(group for group, row in eyes.accounts("group").items() if name in row[3].split(","))


class UserKind(Kind):
    may_hold = True

    def observe(self, eyes: Eyes, item: Item) -> State:
        row = eyes.account("passwd", item["name"])
        if not row:
            return self._absent(eyes, item)
        fields = {name: row[index] for name, index in PASSWD_FIELDS.items()}
        keys = keys_state(eyes, fields["home"], int(row[2]))
        return {"type": "user", **fields, "groups": groups_of(eyes, item["name"]), **keys}

    def _absent(self, eyes: Eyes, item: Item) -> State:
        """useradd walks paths: it is not let into a directory where somebody could lead it astray."""
        above = home_of(item).rpartition("/")[0]
        try:
            words = (
                "" if eyes.files.is_roots_alone(above) else f"its home is to be in {above}, where not only root writes"
            )
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except Barred as reason:
            words = reason.message
        return {**ABSENT, "installed": False, "barred": words} if words else ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state["type"] == "absent":
            return ["absent"]
        wanted = _fields_of(item) if done == MADE else {}
        plain = [f"{name} {state[name]} → {value}" for name, value in wanted.items() if state[name] != value]
        missing = [f"not in group {group}" for group in item["groups"] if group not in state["groups"]]
        keys = item["authorized_keys"]
        return plain + missing + (["authorized keys"] if keys and state["authorized_keys"] != keys else [])

    def conflict(self, item: Item, state: State) -> str:
        is_in_the_way = state["type"] == "absent" or item["authorized_keys"]
        return state.get("barred", "") if is_in_the_way else ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        state = self.observe(hands, item)
        if conflict := self.conflict(item, state):
            raise Trouble(conflict)
        if state == ABSENT:
            if item["name"] in hands.accounts("group"):
                raise Trouble(
                    f"there is a group {item['name']} already, and a user has a group of the same name",
                    hint="choose another name for the user",
                )
            _make(hands, item, work)
        elif work.done == MADE:
            _change_fields(hands, item["name"], state, _fields_of(item))
        for group in item["groups"]:
            if group not in state.get("groups", ()):
                hands.run(["gpasswd", "--add", item["name"], group])
        hands.look_afresh()
        if item["authorized_keys"]:
            _note_keys(state, item, work)
            home = hands.account("passwd", item["name"])[PASSWD_FIELDS["home"]]
            write_keys(hands, item["name"], home, text_of({KEYS: item["authorized_keys"]}))
        hands.look_afresh()

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        is_there = bool(hands.account("passwd", item["name"]))
        if work.prior["type"] == "user":
            return _restore(hands, item, work.prior) if is_there else ""
        home = home_of(item)
        is_pristine = _is_pristine(hands, home)
        if is_there:
            hands.run(["userdel", item["name"]])
            hands.look_afresh()
        if is_pristine or (work.purge and not work.prior.get("home")):  # one that was there before its user stays
            kept = hands.delete_tree(home)
            return f"its home {home} {kept}" if kept else ""
        return f"its home {home} holds more than was put there, and stays" if hands.exists(home) else ""

    def prior(self, hands: Hands, change: Change, blobs: Blobs) -> State:
        """Whether its home is older than the user is remembered too."""
        has_home = change.state == ABSENT and hands.exists(home_of(change.item))
        return {**ABSENT, "home": True} if has_home else change.state

    def parting_words(self, item: Item, prior: State, state: State) -> list[str]:
        return [f"its home stays: it {BEFORE}"] if prior.get("home") else []

    def place(self, item: Item) -> str:
        """Its home."""
        return str(item["home"] or f"/home/{item['name']}")

    def is_at_its_place_alone(self) -> bool:
        return False

    def account(self, item: Item) -> str:
        return str(item["name"])


KIND = UserKind()


def _make(hands: Hands, item: Item, work: Work) -> None:
    """Noted before, so that one whose making was cut short is not taken for somebody else's."""
    work.entry["done"] = MADE
    work.save()
    options = _options(_fields_of(item))
    hands.run(["useradd", *options, "--create-home", *_system(item), "--password", "*", item["name"]])


def _fields_of(item: Item) -> dict[str, str]:
    return {"comment": item["comment"], "home": home_of(item), "shell": item["shell"]}


def _change_fields(hands: Hands, name: str, state: State, wanted: dict[str, str]) -> None:
    """Only those that differ: most can be changed while the user is logged in, but for the home."""
    if differing := {field: value for field, value in wanted.items() if state[field] != value}:
        hands.run(["usermod", *_options(differing), name])


def _options(fields: dict[str, str]) -> list[str]:
    return [word for field, value in fields.items() for word in (OPTIONS[field], value)]


def _system(item: Item) -> list[str]:
    return ["--system", "--user-group"] if item["system"] else []


def _note_keys(state: State, item: Item, work: Work) -> None:
    """Keys that could not be seen when the user was adopted were there before fedikit all the same."""
    if "barred" in work.prior and state.get(KEYS) != item[KEYS]:
        prior = {key: value for key, value in work.prior.items() if key != "barred"}
        work.entry["prior"] = prior | {key: state[key] for key in (KEYS, "unended", "link") if key in state}


def _restore(hands: Hands, item: Item, prior: State) -> str:
    """Gives a user that was there before fedikit its former groups and keys, and what earlier ones changed besides."""
    row = hands.account("passwd", item["name"])
    state = {name: row[index] for name, index in PASSWD_FIELDS.items()}
    _change_fields(hands, item["name"], state, {name: prior[name] for name in PASSWD_FIELDS})
    for group in sorted({*item["groups"]} - {*prior["groups"]}):
        if group in groups_of(hands, item["name"]):
            hands.run(["gpasswd", "--delete", item["name"], group])
    hands.look_afresh()
    return _restore_keys(hands, item["name"], prior) if item["authorized_keys"] else ""


def _restore_keys(hands: Hands, name: str, prior: State) -> str:
    try:
        if prior[KEYS] is None:
            take_keys_away(hands, name, prior)
        else:
            write_keys(hands, name, prior["home"], text_of(prior))
    except Barred as reason:
        return f"its authorized keys are not as they were before: {reason.message}"
    return ""


def _is_pristine(eyes: Eyes, home: str) -> bool:
    """Whether a home holds nothing but what useradd and fedikit put there."""
    try:
        with eyes.files.folder(home) as folder:
            return _has_nothing_new(eyes, folder, "")
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (Barred, OSError):
        return False


def _has_nothing_new(eyes: Eyes, folder: Folder, within: str) -> bool:
    """Empty directories do not count; what lies very deep was put there on purpose."""
    with folder.entries() as entries:
        return within.count("/") < DEEP and all(_is_nothing_new(eyes, folder, entry, within) for entry in entries)


def _is_nothing_new(eyes: Eyes, folder: Folder, entry: "os.DirEntry[str]", within: str) -> bool:
    path = f"{within}/{entry.name}"
    if entry.is_dir(follow_symlinks=False):
        with folder.folder(entry.name) as deeper:
            return _has_nothing_new(eyes, deeper, path)
    return path == f"/{SSH}/{KEYS}" or _is_from_skeleton(eyes, folder, path)


def _is_from_skeleton(eyes: Eyes, folder: Folder, path: str) -> bool:
    """Whether it is what the skeleton has there; sizes first, for what a user put there may be of any."""
    name = path.rpartition("/")[2]
    status = folder.status(name)
    with suppress(FileNotFoundError, NotADirectoryError), eyes.files.place(SKELETON + path) as (skeleton, _):
        sample = skeleton.status(name)
        if sample and status and sample.st_size == status.st_size:
            return eyes.state_in(skeleton, name).get("sha256") == eyes.state_in(folder, name).get("sha256")
    return False
