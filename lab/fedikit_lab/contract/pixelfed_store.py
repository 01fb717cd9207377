"""The database of Pixelfed's stand-in: its migrations, and what its pages and commands ask of it."""

import ctypes
import hmac
import importlib
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .pixelfed_settings import Settings
from .shared import Refused

Row = dict[str, Any]
SESSION_SECONDS = 86400 * 60
_ROUNDS = 10
_HASHING = threading.Lock()  # crypt(3) keeps its answer in one place for the whole process
_STAMPS = "created_at timestamp null default now(), updated_at timestamp null default now()"
_MIGRATIONS = {
    "2014_10_12_000000_create_users_table": (
        "create table users (id bigint unsigned auto_increment primary key, name varchar(255), username varchar(255) "
        "unique, email varchar(255) not null unique, password varchar(255) not null, is_admin tinyint(1) not null "
        "default 0, email_verified_at timestamp null, remember_token varchar(100), deleted_at timestamp null, "
        f"profile_id bigint unsigned, {_STAMPS})"
    ),
    "2016_06_01_000001_create_oauth_tables": (
        f"create table oauth_clients (id bigint unsigned auto_increment primary key, name varchar(255), provider "
        f"varchar(255), grant_types text, revoked tinyint(1) not null default 0, {_STAMPS})"
    ),
    "2016_06_01_000002_create_oauth_access_tokens_table": (
        "create table oauth_access_tokens (id varchar(100) primary key, user_id bigint unsigned, client_id bigint "
        f"unsigned not null, revoked tinyint(1) not null, {_STAMPS})"
    ),
    "2016_06_01_000003_create_oauth_refresh_tokens_table": (
        "create table oauth_refresh_tokens (id varchar(100) primary key, access_token_id varchar(100) not null, "
        "revoked tinyint(1) not null)"
    ),
    "2018_06_22_062621_create_email_verifications_table": (
        "create table email_verifications (id bigint unsigned auto_increment primary key, user_id bigint unsigned, "
        f"email varchar(255), user_token varchar(100), random_token varchar(100), {_STAMPS})"
    ),
    "2019_02_01_023357_create_places_table": (
        "create table places (id bigint unsigned auto_increment primary key, slug varchar(255), name varchar(255), "
        f"country varchar(255), lat decimal(9,6), `long` decimal(9,6), {_STAMPS})"
    ),
    "2018_04_16_002611_create_profiles_table": (
        "create table profiles (id bigint unsigned auto_increment primary key, user_id bigint unsigned, username "
        f"varchar(255) unique, name varchar(255), private_key text, public_key text, {_STAMPS})"
    ),
    "2018_04_16_005848_create_statuses_table": (
        "create table statuses (id bigint unsigned auto_increment primary key, profile_id bigint unsigned not null, "
        f"caption text, {_STAMPS})"
    ),
    "2018_04_16_011918_create_media_table": (
        "create table media (id bigint unsigned auto_increment primary key, status_id bigint unsigned, "
        "profile_id bigint unsigned not null, media_path varchar(255) not null, mime varchar(255), size int unsigned, "
        f"cdn_url varchar(255), replicated_at timestamp null, {_STAMPS})"
    ),
    "2018_11_01_000000_create_sessions_table": (
        "create table sessions (id varchar(191) primary key, user_id bigint unsigned, payload text not null, "
        "last_activity int not null)"
    ),
    "2021_08_04_100435_create_config_caches_table": (
        f"create table config_caches (id bigint unsigned auto_increment primary key, k varchar(191) not null unique, "
        f"v text, {_STAMPS})"
    ),
    "2020_06_30_180159_create_instance_actors_table": (
        f"create table instance_actors (id bigint unsigned auto_increment primary key, private_key text, public_key "
        f"text, {_STAMPS})"
    ),
}
_POSTS = (
    "select statuses.id, caption, media_path, cdn_url, mime, username, profiles.name from statuses "
    "join media on media.status_id = statuses.id join profiles on profiles.id = statuses.profile_id"
)
_NEW_KEY = (
    '$k = openssl_pkey_new(["private_key_bits" => (int) $argv[1]]); openssl_pkey_export($k, $private);'
    'echo json_encode([$private, openssl_pkey_get_details($k)["key"]]);'
)


class Store:
    """The tables of one instance; each act is a transaction of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def ask(self, statement: str, *values: object) -> list[Row]:
        """The rows that a statement gives; an inserted row's number is asked for by `insert`."""
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def insert(self, statement: str, *values: object) -> int:
        """Adds a row and tells its number."""
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.lastrowid)

    def migrate(self) -> list[str]:
        """Brings the tables up to date; tells which migrations ran."""
        self.ask(
            "create table if not exists migrations (id int unsigned auto_increment primary key, "
            "migration varchar(255) not null, batch int not null)"
        )
        known = {row["migration"] for row in self.ask("select migration from migrations")}
        wanted = {name: statement for name, statement in _MIGRATIONS.items() if name not in known}
        for name, statement in wanted.items():
            self.ask(statement)
            self.ask("insert into migrations (migration, batch) values (%s, 1)", name)
        return list(wanted)

    def create_user(self, name: str, username: str, email: str, password: str, *, admin: bool, confirmed: bool) -> int:
        """Adds a user and the profile that goes with it; tells the user's number."""
        user = self.insert(
            "insert into users (name, username, email, password, is_admin, email_verified_at) "
            "values (%s, %s, %s, %s, %s, if(%s, now(), null))",
            *(name, username, email, hash_password(password), admin, confirmed),
        )
        profile = self.insert(
            "insert into profiles (user_id, username, name, private_key, public_key) values (%s, %s, %s, %s, %s)",
            *(user, username, name, *new_key_pair(2048)),
        )
        self.ask("update users set profile_id = %s where id = %s", profile, user)
        return user

    def keep_first(self, key: str, value: str) -> str:
        """What the database keeps under a key: the first value that was not empty."""
        found = self.ask("select v from config_caches where k = %s", key)
        if not found and value:
            self.ask("insert into config_caches (k, v) values (%s, %s)", key, value)
        return str(found[0]["v"]) if found else value

    def user_with_password(self, email: str, password: str) -> Row | None:
        """The user that may log in with these."""
        found = self.ask("select * from users where email = %s and deleted_at is null", email)
        return found[0] if found and is_password(password, found[0]["password"]) else None

    def begin_session(self, user: int | None = None) -> Row:
        """A new session, of a visitor or of somebody who logged in."""
        session = {"id": secrets.token_hex(20), "user_id": user, "token": secrets.token_hex(20)}
        self.ask(
            "insert into sessions (id, user_id, payload, last_activity) values (%s, %s, %s, %s)",
            *(session["id"], user, json.dumps({"_token": session["token"]}), int(time.time())),
        )
        return session

    def session(self, number: str) -> Row | None:
        """A session that is known and not too old, with the user who is logged in."""
        since = int(time.time()) - SESSION_SECONDS
        found = self.ask("select * from sessions where id = %s and last_activity > %s", number, since)
        return {**found[0], "token": json.loads(found[0]["payload"])["_token"]} if found else None

    def note(self, session: str, text: str) -> None:
        """Keeps what the session's next page will say."""
        self.ask("update sessions set payload = json_set(payload, '$.error', %s) where id = %s", text, session)

    def noted(self, session: str) -> str:
        """What was noted; it is said once."""
        found = self.ask("select json_value(payload, '$.error') as error from sessions where id = %s", session)
        self.ask("update sessions set payload = json_remove(payload, '$.error') where id = %s", session)
        return str(found[0]["error"] or "") if found else ""

    def end_session(self, number: str) -> None:
        self.ask("delete from sessions where id = %s", number)

    def posts(self, condition: str = "true", *values: object) -> list[Row]:
        """Posts with their picture and who wrote them, newest first."""
        statement = f"{_POSTS} where {condition} order by statuses.id desc limit 20"
        return self.ask(statement, *values)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        driver = importlib.import_module("pymysql")
        how = {**self._settings.database, "cursorclass": driver.cursors.DictCursor}
        try:
            with driver.connect(**how) as connection, connection.cursor() as cursor:
                yield cursor
                connection.commit()
        except driver.err.MySQLError as error:
            number, *words = error.args
            raise Refused(f"the database of DB_HOST refused: [{number}] {words[-1] if words else ''}") from error


def new_key_pair(bits: int) -> tuple[str, str]:
    """A new RSA key, private and public, as PEM."""
    command = ["/usr/bin/php", "-r", _NEW_KEY, "--", str(bits)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    private, public = json.loads(made.stdout)
    return private, public


def hash_password(password: str) -> str:
    """The password as Laravel keeps it: bcrypt."""
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    salt = "".join(secrets.choice(alphabet) for _ in range(21)) + secrets.choice(".Oeu")  # the last holds two bits
    return _crypt(password, f"$2y${_ROUNDS}${salt}")


def is_password(password: str, kept: str) -> bool:
    """Whether a password is the one that was kept as bcrypt."""
    return hmac.compare_digest(_crypt(password, kept), kept)


def _crypt(password: str, setting: str) -> str:
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    with _HASHING:
        hashed: bytes = library.crypt(password.encode(), setting.encode())
    return hashed.decode()
