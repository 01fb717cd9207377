"""The database of PeerTube's stand-in: users, tokens and videos in PostgreSQL."""

import importlib
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .peertube_settings import Settings
from .shared import Refused, hash_password, is_password

Row = dict[str, Any]
ADMINISTRATOR, USER = 0, 2
TOKEN_SECONDS = 86400
_CLIENT_ID = string.ascii_lowercase + string.digits
_ALPHANUMERIC = string.ascii_letters + string.digits
_EXTENSIONS = ("pg_trgm", "unaccent")
_SCHEMA = """
create table if not exists application ("id" serial primary key, "migrationVersion" integer not null);
create table if not exists "oAuthClient" ("id" serial primary key, "clientId" text not null,
  "clientSecret" text not null);
create table if not exists "user" ("id" serial primary key, "username" text not null unique,
  "email" text not null unique, "password" text not null, "role" integer not null, "videoQuota" bigint not null,
  "channelName" text not null unique, "displayName" text);
create index if not exists user_username_trigram on "user" using gin ("username" gin_trgm_ops);
create table if not exists "oAuthToken" ("id" serial primary key, "accessToken" text not null unique,
  "refreshToken" text not null unique, "userId" integer not null references "user" on delete cascade,
  "accessTokenExpiresAt" timestamptz not null);
create table if not exists video ("id" serial primary key, "uuid" uuid not null unique default gen_random_uuid(),
  "name" text not null, "privacy" integer not null, "state" integer not null, "filename" text not null,
  "fileUrl" text, "userId" integer not null references "user" on delete cascade, "createdAt" timestamptz default now());
insert into application ("migrationVersion") select 1125 where not exists (select from application);
"""


class Taken(Exception):
    """A user name or an address that somebody has already."""


class Store:
    """The tables of one instance; each act is a transaction of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._driver = importlib.import_module("psycopg2")
        self._rows = importlib.import_module("psycopg2.extras").RealDictCursor

    def ask(self, statement: str, *values: object) -> list[Row]:
        """The rows that a statement gives."""
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def install(self) -> None:
        """Brings the database up to date: extensions, tables, the OAuth client, and `root` when there is no user."""
        for extension in _EXTENSIONS:
            self._demand_extension(extension)
        self.ask(_SCHEMA)
        if not self.ask('select id from "oAuthClient"'):
            identity = "".join(secrets.choice(_CLIENT_ID) for _ in range(32))
            secret = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(32))
            self.ask('insert into "oAuthClient" ("clientId", "clientSecret") values (%s, %s)', identity, secret)
        if not self.ask('select id from "user" limit 1'):
            self._create_root()

    def client(self) -> Row:
        """The credentials of the instance's own pages."""
        return self.ask('select * from "oAuthClient" order by id limit 1')[0]

    def create_user(self, wanted: Row) -> int:
        """Adds a user and the channel that goes with it; tells its number."""
        statement = (
            'insert into "user" ("username", "email", "password", "role", "videoQuota", "channelName") '
            "values (%s, %s, %s, %s, %s, %s) on conflict do nothing returning id"
        )
        names = ("username", "email", "password", "role", "videoQuota", "channelName")
        kept = {**wanted, "password": hash_password(wanted["password"])}
        added = self.ask(statement, *(kept[name] for name in names))
        if not added:
            raise Taken
        return int(added[0]["id"])

    def change_user(self, number: int, changes: Row) -> None:
        """Sets a user's password, address, role or displayed name."""
        if "password" in changes:
            changes = {**changes, "password": hash_password(changes["password"])}
        kept = {**self.ask('select * from "user" where id = %s', number)[0], **changes}
        values = (kept["email"], kept["password"], kept["role"], kept["displayName"])
        self.ask(
            'update "user" set email = %s, password = %s, role = %s, "displayName" = %s where id = %s', *values, number
        )
        if "password" in changes:
            self.ask('delete from "oAuthToken" where "userId" = %s', number)

    def user_with_password(self, name: str, password: str) -> Row | None:
        """The user that may log in with these; the name may be the address."""
        found = self.ask('select * from "user" where username = lower(%s) or email = %s', name, name)
        return found[0] if found and is_password(password, found[0]["password"]) else None

    def begin_session(self, user: int) -> Row:
        """Tokens for somebody who logged in."""
        access, refresh = secrets.token_hex(20), secrets.token_hex(20)
        self.ask(
            'insert into "oAuthToken" ("accessToken", "refreshToken", "userId", "accessTokenExpiresAt") '
            "values (%s, %s, %s, now() + %s * interval '1 second')",
            *(access, refresh, user, TOKEN_SECONDS),
        )
        return {"access_token": access, "refresh_token": refresh}

    def user_of_token(self, token: str) -> Row | None:
        """Who bears this token."""
        found = self.ask(
            'select "user".* from "user" join "oAuthToken" on "userId" = "user".id '
            'where "accessToken" = %s and "accessTokenExpiresAt" > now()',
            token,
        )
        return found[0] if found else None

    def _create_root(self) -> None:
        password = self._settings.root_password
        if not password:
            password = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(16))
            print(f"Username: root\nUser password: {password}", flush=True)
        root = {"username": "root", "email": self._settings.admin_email, "password": password}
        self.create_user({**root, "role": ADMINISTRATOR, "videoQuota": -1, "channelName": "root_channel"})

    def _demand_extension(self, name: str) -> None:
        if self.ask("select extname from pg_extension where extname = %s", name):
            return
        try:
            self.ask(f"create extension if not exists {name}")
        except Refused as error:
            raise Refused(f"You need to enable the extension {name} of PostgreSQL: {error}") from error

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            connection = self._driver.connect(**self._settings.database)
            try:
                with connection, connection.cursor(cursor_factory=self._rows) as cursor:
                    yield cursor
            finally:
                connection.close()
        except self._driver.Error as error:
            words = str(error).strip().splitlines() or ["no answer"]
            raise Refused(f"the database of PEERTUBE_DB_HOSTNAME refused: {words[0]}") from error
