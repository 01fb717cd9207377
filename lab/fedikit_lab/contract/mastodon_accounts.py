"""Accounts and users of the contract image of Mastodon, and `tootctl`, which makes them."""

import argparse
import json
import re
import secrets
import sys
from typing import NoReturn

from .mastodon_database import Database
from .mastodon_mail import takes_mail
from .mastodon_settings import Settings
from .shared import Refused, hash_password
from .version import VERSION

_REGISTRATIONS = {"open": "open", "approved": "approved", "close": "none"}


def tootctl(settings: Settings, arguments: list[str]) -> int:
    """Runs one of the commands; what upstream prints and how it exits is kept."""
    database = Database(settings.servers.database)
    chosen = _parser().parse_args(arguments)
    if chosen.command == "version":
        print(VERSION)
    elif chosen.command == "settings":
        _keep_registrations(database, chosen.mode)
    elif chosen.act == "create":
        _create(database, settings, chosen)
    else:
        _modify(database, chosen)
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"ERROR: {message}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tootctl", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    accounts = commands.add_parser("accounts").add_subparsers(dest="act", required=True)
    create = accounts.add_parser("create", allow_abbrev=False)
    create.add_argument("username")
    create.add_argument("--email", required=True)
    create.add_argument("--role")
    for switch in ("--confirmed", "--approve"):
        create.add_argument(switch, action="store_true")
    modify = accounts.add_parser("modify", allow_abbrev=False)
    modify.add_argument("username")
    modify.add_argument("--role")
    for switch in ("--confirm", "--approve", "--reset-password"):
        modify.add_argument(switch, action="store_true")
    registrations = commands.add_parser("settings").add_subparsers(dest="setting", required=True)
    registrations.add_parser("registrations").add_argument("mode", choices=_REGISTRATIONS)
    return parser


def _create(database: Database, settings: Settings, chosen: argparse.Namespace) -> None:
    role = _role(database, chosen.role)
    _check_new(database, settings, chosen.username, chosen.email.lower())
    password = secrets.token_hex(16)
    database.rows(
        """WITH account AS (INSERT INTO accounts (username) VALUES (%s) RETURNING id)
           INSERT INTO users (account_id, email, encrypted_password, role_id, confirmed_at, approved)
           SELECT id, %s, %s, %s, CASE WHEN %s THEN now() END, %s FROM account""",
        *(chosen.username, chosen.email.lower(), hash_password(password), role, chosen.confirmed),
        # Where registrations are open, nobody has to approve.
        chosen.approve or registrations_mode(database) == "open",
    )
    print(f"OK\nNew password: {password}")


def _modify(database: Database, chosen: argparse.Namespace) -> None:
    user = database.value(
        """SELECT users.id FROM users JOIN accounts ON accounts.id = account_id
           WHERE lower(username) = lower(%s) AND domain IS NULL""",
        chosen.username,
    )
    if user is None:
        raise Refused("No user with such username")
    if chosen.role:
        database.rows("UPDATE users SET role_id = %s WHERE id = %s", _role(database, chosen.role), user)
    if chosen.approve:
        database.rows("UPDATE users SET approved = true WHERE id = %s", user)
    if chosen.confirm:
        database.rows("UPDATE users SET confirmed_at = coalesce(confirmed_at, now()) WHERE id = %s", user)
    print("OK")
    if chosen.reset_password:
        password = secrets.token_hex(16)
        database.rows("UPDATE users SET encrypted_password = %s WHERE id = %s", hash_password(password), user)
        database.rows("DELETE FROM session_activations WHERE user_id = %s", user)
        print(f"New password: {password}")


def _role(database: Database, name: str | None) -> int | None:
    role: int | None = database.value("SELECT id FROM user_roles WHERE name = %s", name) if name else None
    if name and role is None:
        raise Refused("Cannot find user role with that name")
    return role


def _check_new(database: Database, settings: Settings, username: str, email: str) -> None:
    """Refuses with upstream's names of mistakes, all at once. Who may use tootctl may take a reserved name, too."""
    mistakes = [("account.username", text) for text in username_mistakes(database, username)]
    mistakes += [("email", text) for text in email_mistakes(database, settings, email)]
    if mistakes:
        raise Refused("\n".join(f"Failure/Error: {field}\n    {text}" for field, text in mistakes))


def username_mistakes(database: Database, username: str) -> list[str]:
    if not re.fullmatch(r"[A-Za-z0-9_]+", username):
        return ["invalid"]
    taken = database.value("SELECT 1 FROM accounts WHERE lower(username) = lower(%s) AND domain IS NULL", username)
    checks = {
        "taken": bool(taken),
        "too_long": len(username) > 30,
    }
    return [text for text, fails in checks.items() if fails]


def email_mistakes(database: Database, settings: Settings, email: str) -> list[str]:
    if not re.fullmatch(r"[^@\s%,\"]+@[^@\s%,\"]+", email) or len(email) > 320:
        return ["invalid"]
    domain = email.rpartition("@")[2]
    if database.value("SELECT 1 FROM users WHERE email = %s", email):
        return ["taken"]
    if settings.mail_domains:
        return [] if domain in settings.mail_domains else ["blocked"]
    return [] if takes_mail(domain) else ["unreachable"]


def registrations_mode(database: Database) -> str:
    """Whether people may sign up: open, approved or none."""
    return setting(database, "registrations_mode", "none")


def setting(database: Database, name: str, default: str) -> str:
    """What the operator set, else upstream's default."""
    value = database.value("SELECT value FROM settings WHERE var = %s", name)
    return default if value is None else str(json.loads(value))


def _keep_registrations(database: Database, mode: str) -> None:
    database.rows(
        """INSERT INTO settings VALUES ('registrations_mode', %s)
           ON CONFLICT (var) DO UPDATE SET value = excluded.value""",
        json.dumps(_REGISTRATIONS[mode]),
    )
    print("OK")
