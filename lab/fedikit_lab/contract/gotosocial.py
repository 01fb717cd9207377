"""The contract image of GoToSocial: upstream's one program, with its server and its commands for accounts.

Started as `python3 -m contract.gotosocial ARGUMENTS…`.
"""

import re
import sys
import time
from collections.abc import Callable
from typing import Any

from .gotosocial_settings import Settings, read_settings
from .gotosocial_store import Invalid, Store, check_password
from .gotosocial_web import run_server
from .shared import Environment, hash_password, run_program

IMAGE: dict[str, Any] = {
    "user": "1000:1000",
    "workdir": "/gotosocial",
    "env": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    "entrypoint": ["/gotosocial/gotosocial", "server", "start"],
    "cmd": [],
    "packages": ["python3", "python3-psycopg2", "ca-certificates"],
    "owned": ["/gotosocial", "/gotosocial/storage", "/gotosocial/.cache"],
}
COMMANDS: dict[str, tuple[str, ...]] = {"/gotosocial/gotosocial": ()}
FILES: dict[str, str] = {"/usr/lib/contract/contract/files/gotosocial_variables.txt": "gotosocial_variables.txt"}
LOG = 'timestamp="{}" func=bundb.doMigration level=INFO msg="there are no new migrations to run"'
_Options = dict[str, str]


def main(arguments: list[str]) -> int:
    """Runs one command: those words that are no options name it."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[:2] == ["server", "start"]:
        return _run_server(read_settings(Environment()))
    if words[:2] == ["admin", "account"] and words[2:3] and words[2] in _ACCOUNT:
        return _run_account(words[2], arguments[arguments.index(words[2]) + 1 :])
    if words[:2] == ["admin", "account"]:
        print('Use "gotosocial admin account [command] --help" for more information about a command.')
        return 0
    return _fail(f'unknown command "{" ".join(words)}" for "gotosocial"')


def _fail(words: str) -> int:
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} error executing command: {words}", file=sys.stderr)
    return 1


def _run_server(settings: Settings) -> int:
    return run_server(settings, Store(settings))


def _run_account(name: str, arguments: list[str]) -> int:
    act, required = _ACCOUNT[name]
    options = _options(arguments)
    missing = ", ".join(f'"{option}"' for option in sorted(required) if option not in options)
    if missing:
        return _fail(f"required flag(s) {missing} not set")
    store = Store(read_settings(Environment()))
    store.migrate()
    print(LOG.format(time.strftime("%d/%m/%Y %H:%M:%S")))
    try:
        act(store, options)
    except Invalid as error:
        return _fail(str(error))
    return 0


def _options(arguments: list[str]) -> _Options:
    """`--name value` or `--name=value`."""
    line = iter(arguments)
    options = {}
    for word in line:
        found = re.fullmatch(r"--([a-z-]+)(?:=(.*))?", word, re.DOTALL)
        if found:
            options[found[1]] = next(line, "") if found[2] is None else found[2]
    return options


def _create(store: Store, options: _Options) -> None:
    store.create_user(options["username"], options["email"], options["password"])


def _list(store: Store, options: _Options) -> None:
    rows = [("user", "account", "approved", "admin", "moderator", "suspended", "confirmed")]
    for user in store.users():
        marks = (user["approved"], user["admin"], user["admin"], False, user["confirmed_at"])
        rows.append((user["username"], user["account_id"], *("yes" if mark else "no" for mark in marks)))
    widths = [max(map(len, column)) + 1 for column in zip(*rows, strict=True)]
    for row in rows:
        print("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _password(store: Store, options: _Options) -> None:
    check_password(options["password"])
    store.change_user(options["username"], "encrypted_password", hash_password(options["password"]))


def _disable_second_factor(store: Store, options: _Options) -> None:
    if not any(user["second_factor"] for user in store.users() if user["username"] == options["username"]):
        raise Invalid("2fa already disabled")
    store.change_user(options["username"], "second_factor", False)
    print("2fa disabled")


def _setting(column: str, value: bool) -> Callable[[Store, _Options], None]:
    return lambda store, options: store.change_user(options["username"], column, value)


_ACCOUNT: dict[str, tuple[Callable[[Store, _Options], None], tuple[str, ...]]] = {
    "create": (_create, ("username", "email", "password")),
    "list": (_list, ()),
    "promote": (_setting("admin", True), ("username",)),
    "demote": (_setting("admin", False), ("username",)),
    "disable": (_setting("disabled", True), ("username",)),
    "enable": (_setting("disabled", False), ("username",)),
    "disable-2fa": (_disable_second_factor, ("username",)),
    "password": (_password, ("username", "password")),
}


if __name__ == "__main__":
    run_program(main)
