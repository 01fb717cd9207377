"""Users of the host."""

import os
from typing import Any

from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .trouble import Trouble
from .work import Work

Item = dict[str, Any]
PASSWD_FIELDS = {"comment": 4, "home": 5, "shell": 6}


def keys_file(home: str) -> str:
    return f"{home}/.ssh/authorized_keys"


def home_of(item: Item) -> str:
    return item["home"] or ("/root" if item["name"] == "root" else f"/home/{item['name']}")


def authorized_keys(eyes: Eyes, home: str) -> list[str] | None:
    path = keys_file(home)
    return eyes.read(path).decode().splitlines() if eyes.exists(path) else None


def groups_of(eyes: Eyes, name: str) -> list[str]:
    """The groups that list the user as a member; the user's own primary group is not among them."""
    return sorted(group for group, row in eyes.accounts("group").items() if name in row[3].split(","))


class UserKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        row = eyes.accounts("passwd").get(item["name"])
        if row is None:
            return ABSENT
        fields = {name: row[index] for name, index in PASSWD_FIELDS.items()}
        keys = authorized_keys(eyes, fields["home"])
        return {"type": "user", **fields, "groups": groups_of(eyes, item["name"]), "authorized_keys": keys}

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        wanted = {"comment": item["comment"], "home": home_of(item), "shell": item["shell"]}
        plain = [f"{name} {state[name]} → {value}" for name, value in wanted.items() if state[name] != value]
        missing = [f"not in group {group}" for group in item["groups"] if group not in state["groups"]]
        keys = item["authorized_keys"]
        return plain + missing + (["authorized keys"] if keys and state["authorized_keys"] != keys else [])

    def conflict(self, item: Item, state: State) -> str:
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        state = self.observe(hands, item)
        if state == ABSENT:
            if item["name"] in hands.accounts("group"):
                raise Trouble(
                    f"there is a group {item['name']} already, and a user has a group of the same name",
                    hint="choose another name for the user",
                )
            hands.run(["useradd", *_options(item), "--create-home", *_system(item), "--password", "*", item["name"]])
        elif self.differences(item, state, ""):
            hands.run(["usermod", *_options(item), item["name"]])
        hands.look_afresh()
        for group in item["groups"]:
            hands.run(["usermod", "--append", "--groups", group, item["name"]])
        if item["authorized_keys"]:
            _write_keys(hands, item["name"], home_of(item), item["authorized_keys"])
        hands.look_afresh()

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        is_there = item["name"] in hands.accounts("passwd")
        if work.prior["type"] == "user":
            return _restore(hands, item, work.prior) if is_there else ""
        home = home_of(item)
        is_pristine = _is_pristine(hands, home)
        if is_there:
            hands.run(["userdel", item["name"]])
            hands.look_afresh()
        if is_pristine or work.purge:
            hands.delete_tree(home)
            return ""
        return f"its home {home} holds more than was put there, and stays" if hands.exists(home) else ""


def _options(item: Item) -> list[str]:
    """Comment, home and shell, by the only names that useradd and usermod share."""
    return ["-c", item["comment"], "-d", home_of(item), "-s", item["shell"]]


def _system(item: Item) -> list[str]:
    return ["--system", "--user-group"] if item["system"] else []


def _write_keys(hands: Hands, name: str, home: str, keys: list[str]) -> None:
    directory = os.path.dirname(keys_file(home))
    group = hands.name_of("group", int(hands.accounts("passwd")[name][3]))
    if not hands.exists(directory):
        hands.make_directory(directory)
    hands.own(directory, name, group, "0700")
    text = "".join(f"{key}\n" for key in keys)
    hands.write(keys_file(home), text.encode(), owner=name, group=group, mode="0600")


def _restore(hands: Hands, item: Item, prior: State) -> str:
    """Gives a user that was there before fedikit its former fields, groups and keys."""
    fields = {"comment": prior["comment"], "home": prior["home"], "shell": prior["shell"]}
    hands.run(["usermod", *_options({"name": item["name"], **fields}), item["name"]])
    for group in set(item["groups"]) - set(prior["groups"]):
        hands.run(["gpasswd", "--delete", item["name"], group])
    hands.look_afresh()
    if not item["authorized_keys"]:
        return ""
    if prior["authorized_keys"] is None:
        hands.delete(keys_file(prior["home"]))
        hands.delete_empty_directory(os.path.dirname(keys_file(prior["home"])))
    else:
        _write_keys(hands, item["name"], prior["home"], prior["authorized_keys"])
    return ""


def _is_pristine(eyes: Eyes, home: str) -> bool:
    """Whether a home holds nothing but what useradd and fedikit put there."""
    for folder, _, names in os.walk(eyes.real(home)):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), eyes.real(home))
            if path != ".ssh/authorized_keys" and not _is_from_skeleton(eyes, home, path):
                return False
    return True


def _is_from_skeleton(eyes: Eyes, home: str, path: str) -> bool:
    skeleton = f"/etc/skel/{path}"
    return eyes.exists(skeleton) and eyes.file_state(skeleton).get("sha256") == eyes.file_state(f"{home}/{path}").get(
        "sha256"
    )
