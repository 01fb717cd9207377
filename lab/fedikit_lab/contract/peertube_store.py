"""The database of PeerTube's stand-in: users, who would like to be one, and tokens, in PostgreSQL."""

import secrets
import string

from .peertube_log import Log
from .peertube_settings import Settings
from .shared import Refused, hash_password
from .tables import Row, Tables

ADMINISTRATOR, USER = 0, 2
TOKEN_SECONDS, REFRESH_SECONDS = 86400, 28 * 86400
ITSELF = "peertube"
"""The name of the actor that PeerTube itself is."""
_CLIENT_ID = string.ascii_lowercase + string.digits
_ALPHANUMERIC = string.ascii_letters + string.digits
_EXTENSIONS = ("pg_trgm", "unaccent")
_SCHEMA = """
create table if not exists application ("id" serial primary key, "migrationVersion" integer not null);
create table if not exists "oAuthClient" ("id" serial primary key, "clientId" text not null,
  "clientSecret" text not null);
create table if not exists "user" ("id" serial primary key, "username" text not null unique,
  "email" text not null unique, "password" text not null, "role" integer not null, "videoQuota" bigint not null,
  "videoQuotaDaily" bigint not null, "emailVerified" boolean, "channelName" text not null unique, "displayName" text,
  "otpSecret" text, "createdAt" timestamptz not null default clock_timestamp());
create index if not exists user_username_trigram on "user" using gin ("username" gin_trgm_ops);
create table if not exists "userRegistration" ("id" serial primary key, "username" text not null unique,
  "email" text not null unique, "password" text not null, "state" integer not null default 1,
  "registrationReason" text not null, "emailVerified" boolean);
create table if not exists "oAuthToken" ("id" serial primary key, "accessToken" text not null unique,
  "refreshToken" text not null unique, "userId" integer not null references "user" on delete cascade,
  "accessTokenExpiresAt" timestamptz not null);
create table if not exists video ("id" serial primary key, "uuid" uuid not null unique default gen_random_uuid(),
  "name" text not null, "privacy" integer not null, "state" integer not null, "filename" text not null,
  "size" bigint not null, "fileUrl" text, "playlistUrl" text,
  "userId" integer not null references "user" on delete cascade, "createdAt" timestamptz not null default now());
create table if not exists "userExport" ("id" serial primary key, "filename" text not null unique,
  "state" integer not null, "userId" integer not null references "user" on delete cascade);
insert into application ("migrationVersion") select 1125 where not exists (select from application);
"""
_COLUMNS = ("username", "email", "password", "role", "videoQuota", "videoQuotaDaily", "emailVerified", "channelName")


class Taken(Exception):
    """A name or an address that somebody has already."""


class Store(Tables):
    """The tables of one instance; each act is a transaction of its own."""

    def __init__(self, settings: Settings, log: Log) -> None:
        super().__init__(settings.database, "PEERTUBE_DB_HOSTNAME")
        self._settings = settings
        self._log = log

    def install(self) -> None:
        """Brings the database up to date: extensions, tables, the OAuth client, and `root` when there is no user."""
        for extension in _EXTENSIONS:
            self._demand_extension(extension)
        self.ask(_SCHEMA)
        if not self.ask('select id from "oAuthClient"'):
            self._create_client()
        if not self.ask('select id from "user" limit 1'):
            self._create_root()

    def client(self) -> Row:
        """The credentials of the instance's own pages."""
        return self.ask('select * from "oAuthClient" order by id limit 1')[0]

    # Users

    def create_user(self, wanted: Row) -> Row:
        """Adds a user, and the channel that goes with it."""
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        marks = ", ".join(["%s"] * len(_COLUMNS))
        kept = {"channelName": self._free_channel(wanted["username"]), **wanted}
        kept["password"] = hash_password(wanted["password"]) if "hash" not in wanted else wanted["hash"]
        if self.is_taken(kept["username"]) or self.is_taken(kept["channelName"]):
            raise Taken
        statement = f'insert into "user" ({names}) values ({marks}) on conflict do nothing returning *'  # noqa: S608
        added = self.ask(statement, *(kept[name] for name in _COLUMNS))
        if not added:
            raise Taken
        return added[0]

    def change_user(self, number: int, changes: Row) -> None:
        """Sets columns of a user. Another password or role ends the sessions."""
        if "password" in changes:
            changes = {**changes, "password": hash_password(changes["password"])}
        names = ", ".join(f'"{name}" = %s' for name in changes)
        before = self.user(number)
        self.ask(f'update "user" set {names} where id = %s', *changes.values(), number)  # noqa: S608
        if "password" in changes or changes.get("role", before["role"]) != before["role"]:
            self.ask('delete from "oAuthToken" where "userId" = %s', number)

    def user(self, number: int) -> Row:
        """The user of this number."""
        return self.ask('select * from "user" where id = %s', number)[0]

    def is_taken(self, name: str) -> bool:
        """Whether an account or a channel, or PeerTube itself, is called so."""
        statement = 'select id from "user" where lower(username) = lower(%s) or "channelName" = %s'
        return name == ITSELF or bool(self.ask(statement, name, name))

    def count_users(self) -> int:
        return int(self.ask('select count(*) as number from "user"')[0]["number"])

    # Tokens

    def begin_session(self, user: int) -> Row:
        """Tokens for somebody who logged in."""
        access, refresh = secrets.token_hex(20), secrets.token_hex(20)
        self.ask(
            'insert into "oAuthToken" ("accessToken", "refreshToken", "userId", "accessTokenExpiresAt") '
            "values (%s, %s, %s, now() + %s * interval '1 second')",
            *(access, refresh, user, TOKEN_SECONDS),
        )
        return {"access_token": access, "refresh_token": refresh}

    def end_session(self, token: str) -> None:
        self.ask('delete from "oAuthToken" where "accessToken" = %s', token)

    def user_of_token(self, token: str) -> Row | None:
        """Who bears this token."""
        found = self.ask(
            'select "user".* from "user" join "oAuthToken" on "userId" = "user".id '
            'where "accessToken" = %s and "accessTokenExpiresAt" > now()',
            token,
        )
        return found[0] if found else None

    # The first start

    def _create_client(self) -> None:
        identity = "".join(secrets.choice(_CLIENT_ID) for _ in range(32))
        secret = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(32))
        self.ask('insert into "oAuthClient" ("clientId", "clientSecret") values (%s, %s)', identity, secret)
        self._log.info(f"Client id: {identity}")
        self._log.info(f"Client secret: {secret}")

    def _create_root(self) -> None:
        password = self._settings.root_password or "".join(secrets.choice(_ALPHANUMERIC) for _ in range(20))
        root = {"username": "root", "email": self._settings.admin_email, "password": password, "emailVerified": True}
        self.create_user({**root, "role": ADMINISTRATOR, "videoQuota": -1, "videoQuotaDaily": -1})
        self._log.info("Username: root")
        self._log.info(f"User password: {password}")

    def _free_channel(self, username: str) -> str:
        names = [f"{username}_channel", *(f"{username}_channel-{number}" for number in range(1, 30))]
        return next(name for name in names if not self.is_taken(name))

    def _demand_extension(self, name: str) -> None:
        if self.ask("select extname from pg_extension where extname = %s", name):
            return
        try:
            self.ask(f"create extension if not exists {name}")
        except Refused as error:
            raise Refused(f"You need to enable the extension {name} of PostgreSQL: {error}") from error
