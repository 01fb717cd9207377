"""PostgreSQL's databases, asked and told by psql as the user postgres, over the server's socket."""

import hashlib
import hmac
import json
import os
import re
from binascii import a2b_base64, b2a_base64
from typing import Any

from .eyes import Eyes, State, as_user
from .hands import Hands
from .sql import MARK, identifier, literal

Item = dict[str, Any]
PROGRAMS = "/usr/lib/postgresql"
SETTINGS = "/etc/postgresql"
SUPERUSER = "postgres"
USUAL_PORT = 5432
PORT = re.compile(r"^[ \t]*port[ \t]*=?[ \t]*'?([0-9]{1,5})", re.MULTILINE | re.IGNORECASE)
# A database's owner says what sessions in it begin with, the administrator's too: where names are looked for, say.
OURS = "-c search_path=pg_catalog -c role=none -c default_transaction_read_only=off"
PSQL = [
    "--no-psqlrc",
    "--no-password",
    "--quiet",
    "--tuples-only",
    "--no-align",
    "--dbname",
    f"dbname=postgres connect_timeout=10 options='{OURS}'",
]
EXTEND = "CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public;"
ITERATIONS = 4096
FIRST_OF_USERS = 16384

# One row, also where there is neither; `to_jsonb`, for the columns differ from release to release.
LOOK = """\
SELECT json_build_object(
  'role', (SELECT json_build_object('password', coalesce(rolpassword, ''), 'login', rolcanlogin, 'super', rolsuper)
           FROM pg_authid WHERE rolname = {user}),
  'database', (SELECT to_jsonb(d) || jsonb_build_object(
                 'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),
                 'public', has_database_privilege('public', oid, 'CONNECT'),
                 'comment', shobj_description(oid, 'pg_database'))
               FROM pg_database d WHERE datname = {name}))"""
LOOK_AT_VERIFIER = "SELECT rolpassword FROM pg_authid WHERE rolname = {user}"
LOOK_INSIDE = "SELECT json_agg(extname ORDER BY extname) FROM pg_extension"

# A statement that fails is written to the server's log: these are not.
IN_SILENCE = """\
SET log_min_error_statement = panic;
SET log_min_duration_statement = -1;
SET log_statement = none;
SET log_duration = off;
"""
# What the former owner has in it; but not if he owns more than that, for the statement would take that too.
HAND_OVER = """\
SELECT format('REASSIGN OWNED BY %I TO %I', rolname, {user}) FROM pg_authid
WHERE rolname = {former} AND NOT rolsuper
  AND NOT EXISTS (SELECT FROM pg_database WHERE datdba = pg_authid.oid)
  AND NOT EXISTS (SELECT FROM pg_tablespace WHERE spcowner = pg_authid.oid) \\gexec
"""
DROP_ROLE = """\
SELECT format('DROP ROLE %I', rolname) FROM pg_authid
WHERE rolname = {user} AND NOT EXISTS
  (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = pg_authid.oid) \\gexec
"""

# All that is not the server's own: databases, users, tablespaces, and tables in the database that comes with it.
LOOK_FOR_GUESTS = """\
SELECT 'database', datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')
UNION ALL SELECT 'user', rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'
UNION ALL SELECT 'tablespace', spcname FROM pg_tablespace WHERE spcname !~ '^pg_'
UNION ALL (SELECT 'table', 'postgres.' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'm') LIMIT 1)
UNION ALL SELECT 'answered', ''"""


class PostgreSQL:
    title = "PostgreSQL"
    package = "postgresql"
    unit = "postgresql@*.service"
    data = "/var/lib/postgresql"

    def is_installed(self, eyes: Eyes) -> bool:
        return bool(_psql_of(eyes))

    def has_data(self, eyes: Eyes) -> bool:
        """Whether a cluster lies there, be its server installed or not."""
        return any(version.replace(".", "").isdigit() for version in eyes.names(self.data))

    def things(self, eyes: Eyes) -> list[tuple[str, str]] | None:
        """What is in the server, as kind and name; None if it does not answer."""
        rows = [tuple(line.split("|", 1)) for line in _ask(eyes, LOOK_FOR_GUESTS)] if self.is_installed(eyes) else []
        found = [(row[0], row[1]) for row in rows if len(row) == 2]
        return [row for row in found if row[0] != "answered"] if ("answered", "") in found else None

    def clusters(self, eyes: Eyes) -> list[str]:
        """The clusters that have data here, as VERSION/NAME."""
        versions = _folders(eyes, self.data)
        found = [f"{version}/{name}" for version in versions for name in _folders(eyes, f"{self.data}/{version}")]
        return [cluster for cluster in found if cluster[0].isdigit()]

    def remains(self, eyes: Eyes) -> list[str]:
        """What can be told of the data without the server: the numbers of what is not its own, by cluster."""
        found = []
        for base in (f"{self.data}/{cluster}/base" for cluster in self.clusters(eyes)):
            databases = _folders(eyes, base)
            own = [name for name in databases if _is_own(name)]
            inside = [f"{name}/{file}" for name in own for file in _folders(eyes, f"{base}/{name}")]
            found += [f"{base}/{name}" for name in databases + inside if not _is_own(name.rpartition("/")[2])]
        return found

    def look(self, eyes: Eyes, item: Item) -> State | None:
        """What there is; None if the server does not answer."""
        inside = [f"\\connect {identifier(item['name'])}", LOOK_INSIDE] if item["extensions"] else []
        lines = _ask(eyes, LOOK.format(user=literal(item["user"]), name=literal(item["name"])), *inside)
        if not lines:
            return None
        extensions = json.loads(lines[1]) if len(lines) > 1 else []
        return _state(eyes, json.loads(lines[0]), extensions)

    def obstacle(self, eyes: Eyes) -> str:
        """Why applications could not use the server as it is set up: they look for one cluster at the usual port."""
        wanted, there = f"{_newest(eyes)}/main", _configured(eyes)
        if there and wanted not in there:
            return f"there is no cluster {wanted} on this host, but {', '.join(there)}; see: pg_createcluster --help"
        port = _port_of(eyes, wanted) if there else USUAL_PORT
        if port != USUAL_PORT:
            return f"the cluster {wanted} listens at port {port}; applications look for it at {USUAL_PORT}"
        return ""

    def silence(self, eyes: Eyes) -> str:
        """What a server that runs says to its administrator in the place of an answer; empty if it does not run."""
        if not eyes.unit(f"postgresql@{_newest(eyes)}-main.service")["active"]:
            return ""
        return eyes.complaint(as_user([_psql_of(eyes), *PSQL, "--command", "SELECT"], SUPERUSER))

    def differences(self, item: Item, state: State) -> list[str]:
        """In what it is not as wanted, but for the password."""
        role = [] if state["user"] else [f"no user {item['user']}"]
        if state["user"] and not state["login"]:
            role = [f"the user {item['user']} may not log in"]
        if state["type"] == "absent":
            return ["absent", *([] if role else [f"its user {item['user']} is there already"])]
        owner = [] if state["owner"] == item["user"] else [f"owner {state['owner']} → {item['user']}"]
        is_open = ["every user of the server may connect"] if state["ours"] and state["public"] else []
        missing = [f"no extension {name}" for name in item["extensions"] if name not in state["extensions"]]
        return role + owner + is_open + missing

    def conflict(self, item: Item, state: State) -> str:
        if state["super"]:
            return f"its user {item['user']} is a superuser of the server; choose another name for it"
        if state["type"] == "absent":
            return ""
        if state["owner"] != item["user"] and not state["ours"]:
            return f"is there already, belongs to {state['owner']}, and was not made by fedikit"
        has, wanted = f"{state['encoding']}, {state['collation']}", f"UTF8, {item['collation']}"
        return "" if _plain(has) == _plain(wanted) else f"has {has}, not {wanted}: that takes a dump and a restore"

    def make(self, hands: Hands, item: Item, state: State, *, password: bytes | None, is_ours: bool) -> None:
        """Makes user and database, or mends them; `password` is None if it is as wanted."""
        user, name = identifier(item["user"]), identifier(item["name"])
        script = [] if state["user"] else [f"CREATE ROLE {user};"]
        script.append(f"ALTER ROLE {user} LOGIN;")
        if password is not None and not is_verifier_of(_stored(hands, item), password):
            script.append(f"ALTER ROLE {user} PASSWORD {literal(verifier_of(password, os.urandom(16)))};")
        if state["type"] == "absent":
            kind = f"TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE {literal(item['collation'])}"
            script.append(f"CREATE DATABASE {name} OWNER {user} {kind};")
        elif state["owner"] != item["user"]:
            hand_over = HAND_OVER.format(former=literal(state["owner"]), user=literal(item["user"]))
            script += [f"ALTER DATABASE {name} OWNER TO {user};", f"\\connect {name}", hand_over]
        if is_ours:
            script += [f"COMMENT ON DATABASE {name} IS {literal(MARK)};", f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;"]
        if item["extensions"]:
            script.append(f"\\connect {name}")
            script += [EXTEND.format(extension=identifier(extension)) for extension in item["extensions"]]
        _tell(hands, script)

    def drop(self, hands: Hands, item: Item) -> None:
        """Ends its connections and drops it."""
        _tell(hands, [f"DROP DATABASE IF EXISTS {identifier(item['name'])} WITH (FORCE);"])

    def drop_user(self, hands: Hands, item: Item) -> None:
        """Drops its user, unless something else is his."""
        _tell(hands, [DROP_ROLE.format(user=literal(item["user"]))])


def verifier_of(password: bytes, salt: bytes, iterations: int = ITERATIONS) -> str:
    """What the server keeps of a password (SCRAM-SHA-256, RFC 5803), so that the password itself never goes there."""
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b2a_base64(part, newline=False).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def is_verifier_of(verifier: str, password: bytes) -> bool:
    method, _, rest = verifier.partition("$")
    iterations, _, rest = rest.partition(":")
    if method != "SCRAM-SHA-256" or not iterations.isdigit():
        return False
    return hmac.compare_digest(verifier, verifier_of(password, a2b_base64(rest.partition("$")[0]), int(iterations)))


def _folders(eyes: Eyes, path: str) -> list[str]:
    return sorted(eyes.names(path))


def _is_own(name: str) -> bool:
    """Whether a file or folder of a cluster is one that each cluster has; users' things have larger numbers."""
    number = name.partition("_")[0].partition(".")[0]
    return not number.isdigit() or int(number) < FIRST_OF_USERS


def _psql_of(eyes: Eyes) -> str:
    """The newest server's psql; the one in the PATH is a wrapper that takes longer to start than to answer."""
    newest = _newest(eyes)
    return eyes.real(f"{PROGRAMS}/{newest}/bin/psql") if newest else ""


def _newest(eyes: Eyes) -> str:
    """The version of the newest server that is installed; empty if none is."""
    names = [name for name in eyes.names(PROGRAMS) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", name)]
    servers = [version for version in names if eyes.exists(f"{PROGRAMS}/{version}/bin/postgres")]
    return max(servers, key=lambda version: [int(part) for part in version.split(".")], default="")


def _configured(eyes: Eyes) -> list[str]:
    """The clusters that are set up here, as VERSION/NAME."""
    found = [f"{version}/{name}" for version in eyes.names(SETTINGS) for name in eyes.names(f"{SETTINGS}/{version}")]
    return [cluster for cluster in found if eyes.exists(f"{SETTINGS}/{cluster}/postgresql.conf")]


def _port_of(eyes: Eyes, cluster: str) -> int:
    """Where a cluster listens, by its files: what is read later counts."""
    folder = f"{SETTINGS}/{cluster}"
    further = [f"{folder}/conf.d/{name}" for name in sorted(eyes.names(f"{folder}/conf.d")) if name.endswith(".conf")]
    paths = [f"{folder}/postgresql.conf", *further, f"{PostgreSQL.data}/{cluster}/postgresql.auto.conf"]
    texts = [eyes.read(path).decode(errors="replace") for path in paths if eyes.size(path)]
    return int(([str(USUAL_PORT), *PORT.findall("\n".join(texts))])[-1])


def _tell(hands: Hands, script: list[str]) -> None:
    """Has psql run the statements, given on its standard input; it stops at the first that fails."""
    settings = ["--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=terse"]
    stdin = IN_SILENCE + "".join(f"{line}\n" for line in script)
    hands.run([_psql_of(hands), *PSQL, *settings], stdin=stdin.encode(), user=SUPERUSER)


def _ask(eyes: Eyes, *questions: str) -> list[str]:
    """The answers; none if the server does not answer. They stand on the command line: no secret is in a question."""
    options = [option for question in questions for option in ("--command", question)]
    return eyes.ask(as_user([_psql_of(eyes), *PSQL, *options], SUPERUSER)).splitlines()


def _stored(eyes: Eyes, item: Item) -> str:
    """The verifier that the server keeps."""
    return "".join(_ask(eyes, LOOK_AT_VERIFIER.format(user=literal(item["user"]))))


def _state(eyes: Eyes, row: dict[str, Any], extensions: list[str]) -> State:
    role, database = row["role"] or {}, row["database"]
    known = {
        "user": bool(role),
        "login": role.get("login", False),
        "super": role.get("super", False),
        "verifier": eyes.seal(role["password"].encode()) if role else "",
    }
    if not database:
        return {"type": "absent", "installed": False, **known}
    is_libc = database.get("datlocprovider", "c") == "c"
    return {
        "type": "database",
        "ours": database["comment"] == MARK,
        "owner": database["owner"],
        "encoding": database["encoding"],
        "collation": database["datcollate"] if is_libc else "of another provider than the C library",
        "public": database["public"],
        "extensions": extensions,
        **known,
    }


def _plain(locale: str) -> str:
    """C.UTF-8 and C.utf8 are one."""
    return locale.lower().replace("-", "")
