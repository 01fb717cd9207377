"""MariaDB's databases, asked and told by its client as root, over the server's socket.

MariaDB keeps an account for each place that a user comes from; all accounts of a database's user are kept alike.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from .eyes import Eyes, State
from .hands import Hands
from .sql import MARK, identifier, literal

Item = dict[str, Any]
CLIENT = ["mariadb", "--no-defaults", "--user=root", "--protocol=socket", "--batch", "--raw", "--skip-column-names"]
USUAL_PORT = 3306
HERE = ("localhost", "127.0.0.1", "::1")
"""Where connections from this host come from: a server that does not resolve names knows them by their address."""
PLUGIN = "mysql_native_password"
PRIVILEGES = (
    "Select Insert Update Delete Create Drop References Index Alter Create_tmp_table Lock_tables Create_view Show_view"
    " Create_routine Alter_routine Execute Event Trigger Delete_history"
).split()
SETTINGS = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES';\n"

# Not into the general log, nor the slow one; and no waiting for ever behind somebody's transaction.
IN_SILENCE = "SET SESSION sql_log_off = 1, slow_query_log = 0, lock_wait_timeout = 60;\n"
LOOK = """\
SELECT 'server', @@port, @@skip_networking;
SELECT 'database', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, SCHEMA_COMMENT
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {name};
SELECT 'grant', Host, CONCAT({privileges}) NOT LIKE '%N%', Db FROM mysql.db
WHERE User = {user} AND Db IN ({name}, {pattern}) ORDER BY Host;
SELECT 'account', Host, JSON_VALUE(Priv, '$.plugin'), JSON_VALUE(Priv, '$.authentication_string'),
  COALESCE(JSON_VALUE(Priv, '$.access'), 0) <> 0,
  EXISTS (SELECT * FROM mysql.db d WHERE d.User = g.User AND d.Host = g.Host AND Db NOT IN ({name}, {pattern}))
  OR EXISTS (SELECT * FROM mysql.tables_priv t WHERE t.User = g.User AND t.Host = g.Host AND Db <> {name})
FROM mysql.global_priv g WHERE User = {user} ORDER BY Host"""
SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
PEOPLE = ("root", "mysql", "mariadb.sys", "PUBLIC", "")
LOOK_FOR_GUESTS = """\
SELECT 'database', SCHEMA_NAME FROM information_schema.SCHEMATA;
SELECT DISTINCT 'user', User FROM mysql.global_priv;
SELECT 'answered', ''"""
END_CONNECTIONS = """\
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;
  FOR client IN (SELECT ID FROM information_schema.PROCESSLIST WHERE DB = {name}) DO KILL client.ID; END FOR;
END//
DELIMITER ;"""


class MariaDB:
    title = "MariaDB"
    package = "mariadb-server"
    unit = "mariadb.service"
    data = "/var/lib/mysql"

    def is_installed(self, eyes: Eyes) -> bool:
        return eyes.exists("/usr/sbin/mariadbd")

    def has_data(self, eyes: Eyes) -> bool:
        """Whether a server's data lies there, be the server installed or not."""
        return eyes.exists(f"{self.data}/mysql")

    def things(self, eyes: Eyes) -> list[tuple[str, str]] | None:
        """What is in the server, as kind and name; None if it does not answer."""
        answer = eyes.ask([*CLIENT, "--execute", SETTINGS + LOOK_FOR_GUESTS]) if self.is_installed(eyes) else ""
        found = [(row[0], row[1]) for line in answer.splitlines() if len(row := line.split("\t")) == 2]
        if ("answered", "") not in found:
            return None
        own = {("answered", ""), *(("database", name) for name in SYSTEM), *(("user", name) for name in PEOPLE)}
        return [row for row in found if row not in own]

    def clusters(self, eyes: Eyes) -> list[str]:
        """One server has one set of data."""
        return []

    def remains(self, eyes: Eyes) -> list[str]:
        """What can be told of the data without the server: the folders of its databases."""
        names = eyes.names(self.data)
        folders = [
            name for name in names if eyes.file_state(f"{self.data}/{name}")["type"] == "directory" and name[0] != "#"
        ]
        return sorted({_spelt_out(name) for name in folders} - {*SYSTEM, "lost+found"})

    def look(self, eyes: Eyes, item: Item) -> State | None:
        """What there is; None if the server does not answer."""
        rows = _rows(eyes, item)
        return _state(eyes, item, rows) if rows else None

    def obstacle(self, eyes: Eyes) -> str:
        """Nothing can be told by its files: the server itself says where it listens."""
        return ""

    def silence(self, eyes: Eyes) -> str:
        """What a server that runs says to its administrator in the place of an answer; empty if it does not run."""
        if not eyes.unit(self.unit)["active"]:
            return ""
        return eyes.complaint([*CLIENT, "--execute", "SELECT 1"])

    def differences(self, item: Item, state: State) -> list[str]:
        """In what it is not as wanted, but for the password."""
        user, is_known = item["user"], state["user"]
        if state["type"] == "absent":
            return ["absent", *([f"its user {user} is there already"] if is_known else [])]
        missing = [f"{user} has no access from {host}" for host in _hosts(item) if not state["access"].get(host)]
        strange = [f"{user} has access from {host}" for host in state["access"] if host not in _hosts(item)]
        return missing + (strange if state["ours"] else [])

    def conflict(self, item: Item, state: State) -> str:
        if state["elsewhere"]:
            return str(state["elsewhere"])
        if state["super"]:
            return f"its user {item['user']} has privileges over the whole server; choose another name for it"
        if state["type"] == "absent":
            return ""
        if not any(state["access"].values()) and not state["ours"]:
            return f"is there already, is not {item['user']}'s, and was not made by fedikit"
        has, wanted = f"{state['encoding']}, {state['collation']}", f"utf8mb4, {item['collation']}"
        return "" if has == wanted else f"has {has}, not {wanted}: that takes a dump and a restore"

    def make(self, hands: Hands, item: Item, state: State, *, password: bytes | None, is_ours: bool) -> None:
        """Makes accounts and database, or mends them; `password` is None if it is as wanted."""
        name, kind = identifier(item["name"], "`"), f"CHARACTER SET utf8mb4 COLLATE {item['collation']}"
        script = []
        if state["type"] == "absent":
            script.append(f"CREATE DATABASE IF NOT EXISTS {name} {kind} COMMENT {literal(MARK)};")
        for host in _hosts(item):
            account = _account(item, host)
            if password is not None:
                proof = f"IDENTIFIED VIA {PLUGIN} USING {literal(verifier_of(password))}"
                script += [f"CREATE USER IF NOT EXISTS {account} {proof};", f"ALTER USER {account} {proof};"]
            script.append(f"GRANT ALL PRIVILEGES ON {identifier(_pattern(item), '`')}.* TO {account};")
        _tell(hands, script)
        if is_ours:
            _take_access(hands, item, _hosts(item))
            _drop_accounts(hands, item, _hosts(item))

    def drop(self, hands: Hands, item: Item) -> None:
        """Ends its connections and drops it."""
        _take_access(hands, item)
        name = item["name"]
        _tell(hands, [END_CONNECTIONS.format(name=literal(name)), f"DROP DATABASE IF EXISTS {identifier(name, '`')};"])

    def drop_user(self, hands: Hands, item: Item) -> None:
        """Drops its user's accounts, unless something else needs them."""
        _take_access(hands, item)
        _drop_accounts(hands, item)


def verifier_of(password: bytes) -> str:
    """What the server keeps of a password (mysql_native_password), so that the password itself never goes there."""
    first = hashlib.sha1(password, usedforsecurity=False).digest()
    return "*" + hashlib.sha1(first, usedforsecurity=False).hexdigest().upper()


def _hosts(item: Item) -> list[str]:
    """Where the user connects from, as the server spells it."""
    return [*HERE, *(_spelt(client) for client in item["clients"] if client not in HERE)]


def _spelt(address: str) -> str:
    """Addresses of IPv6 have many spellings; the server knows the shortest."""
    if ":" not in address:
        return address
    import socket  # slow, and seldom needed

    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


def _account(item: Item, host: str) -> str:
    return f"{literal(item['user'])}@{literal(host)}"


def _pattern(item: Item) -> str:
    """The name as grants take it, where `_` would stand for any character."""
    name: str = item["name"]
    return name.replace("_", r"\_")


def _spelt_out(folder: str) -> str:
    """The database of a folder, whose name has numbers in the place of unusual characters."""
    return re.sub("@([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), folder)


def _rows(eyes: Eyes, item: Item) -> list[list[str]]:
    """The answers to all questions; none if the server does not answer. No secret is in a question."""
    question = LOOK.format(
        name=literal(item["name"]),
        pattern=literal(_pattern(item)),
        user=literal(item["user"]),
        privileges=", ".join(f"{privilege}_priv" for privilege in PRIVILEGES),
    )
    answer = eyes.ask([*CLIENT, "--execute", SETTINGS + question])
    return [line.split("\t") for line in answer.splitlines()]


def _state(eyes: Eyes, item: Item, rows: list[list[str]]) -> State:
    databases = [row[1:] for row in rows if row[0] == "database"]
    accounts = {row[1]: row[2:] for row in rows if row[0] == "account"}
    known = {
        "user": bool(accounts),
        "super": any(is_super == "1" for _, _, is_super, _ in accounts.values()),
        "verifier": _verifier(eyes, item, accounts),
        "elsewhere": _elsewhere(next(row for row in rows if row[0] == "server")),
    }
    if not databases:
        return {"type": "absent", "installed": False, **known}
    encoding, collation, comment = databases[0]
    return {
        "type": "database",
        "ours": comment == MARK,
        "encoding": encoding,
        "collation": collation,
        "access": {row[1]: row[2] == "1" for row in rows if row[0] == "grant"},
        **known,
    }


def _elsewhere(server: list[str]) -> str:
    """Why applications would not find the server, by what it says of itself."""
    port, is_local_only = [*server[1:], str(USUAL_PORT), "0"][:2]
    if is_local_only != "0":
        return "the server listens at no port (skip-networking), and applications come by one"
    return (
        ""
        if port == str(USUAL_PORT)
        else f"the server listens at port {port}; applications look for it at {USUAL_PORT}"
    )


def _verifier(eyes: Eyes, item: Item, accounts: dict[str, list[str]]) -> str | None:
    """A seal of what the server keeps of the password, the same for each account; empty unless all are there."""
    hosts = _hosts(item)
    if not all(host in accounts for host in hosts):
        return ""
    return eyes.seal("\n".join(sorted({" ".join(accounts[host][:2]) for host in hosts})).encode())


def _take_access(hands: Hands, item: Item, spared: Sequence[str] = ()) -> None:
    """Takes away what the user may do with the database, coming from elsewhere than the spared hosts."""
    rows = [row for row in _rows(hands, item) if row[0] == "grant" and row[1] not in spared]
    grants = [f"{identifier(name, '`')}.* FROM {_account(item, host)}" for _, host, _, name in rows]
    if grants:
        _tell(hands, [f"REVOKE ALL PRIVILEGES ON {grant};" for grant in grants])


def _drop_accounts(hands: Hands, item: Item, spared: Sequence[str] = ()) -> None:
    """Drops the user's accounts that nothing else needs."""
    rows = [row for row in _rows(hands, item) if row[0] == "account" and row[1] not in spared]
    idle = [host for _, host, _, _, is_super, is_needed in rows if "1" not in (is_super, is_needed)]
    if idle:
        _tell(hands, [f"DROP USER IF EXISTS {_account(item, host)};" for host in idle])


def _tell(hands: Hands, script: list[str]) -> None:
    """Has the client run the statements, given on its standard input; it stops at the first that fails."""
    stdin = SETTINGS + IN_SILENCE + "".join(f"{line}\n" for line in script)
    hands.run(CLIENT, stdin=stdin.encode())
