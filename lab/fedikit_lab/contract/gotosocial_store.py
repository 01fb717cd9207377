"""The database of GoToSocial's stand-in: accounts, users, applications, tokens and posts in PostgreSQL."""

import re
import secrets

from fedikit.model.strength import strength

from .forms import ADDRESS
from .gotosocial_settings import Settings
from .gotosocial_strength import advice
from .shared import hash_password, is_password
from .tables import Row, Tables

_NAME = re.compile(r"[a-z0-9_]{1,64}")
_MOST_PASSWORD_BYTES = 72
_LEAST_BITS = 60
_LOCAL_PART = re.compile(r"[^.@]+(\.[^.@]+)*@.*")
_SCHEMA = """
create table if not exists bun_migrations (name text primary key, migrated_at timestamptz not null default now());
create table if not exists instances (domain text primary key, title text not null default '');
create table if not exists accounts (id text primary key, username text not null unique,
  display_name text not null default '');
create table if not exists users (id text primary key, account_id text not null unique references accounts,
  email text not null unique, encrypted_password text not null, approved boolean not null, admin boolean not null,
  disabled boolean not null default false, confirmed_at timestamptz);
create table if not exists applications (client_id text primary key, client_secret text not null, name text not null,
  redirect_uri text not null, scopes text not null);
create table if not exists tokens (access text unique, code text unique, client_id text not null, redirect_uri text,
  user_id text not null references users, scope text not null);
create table if not exists statuses (id text primary key, account_id text not null references accounts, content text,
  created_at timestamptz not null default now());
create table if not exists media_attachments (id text primary key, account_id text not null references accounts,
  status_id text references statuses, file_path text not null, file_content_type text not null);
alter table tokens add column if not exists id text;
alter table users add column if not exists second_factor boolean not null default false;
alter table media_attachments add column if not exists thumbnail_path text;
alter table accounts add column if not exists private_key text;
alter table accounts add column if not exists public_key text;
create table if not exists peers (id text primary key, uri text not null unique, handle text not null,
  inbox text not null, public_key text not null);
create table if not exists follows (account_id text not null references accounts,
  peer_id text not null references peers, incoming boolean not null, accepted boolean not null, activity text not null,
  primary key (account_id, peer_id, incoming));
create table if not exists timeline (id text primary key, account_id text not null references accounts,
  peer_id text not null references peers, uri text not null, content text not null, unique (account_id, uri));
insert into bun_migrations (name) values ('20211113114307') on conflict do nothing;
"""
_USERS = "select users.*, username, display_name from users join accounts on accounts.id = account_id"


class Invalid(Exception):
    """Something that the instance does not take, in upstream's words."""


class Store(Tables):
    """The tables of one instance; each act is a transaction of its own.

    As upstream's, the server keeps users in memory once it has seen them: what another process changes of them, it
    learns when it starts.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.database, "GTS_DB_ADDRESS")
        self._settings = settings
        self._seen: dict[str, Row] = {}

    def migrate(self) -> None:
        """Brings the tables up to date; every command does."""
        self.ask(_SCHEMA)

    def begin(self) -> None:
        """Makes what only the server makes when it starts: the instance's own entry."""
        self.ask("insert into instances (domain) values (%s) on conflict do nothing", self._settings.host)

    def create_user(self, name: str, email: str, password: str) -> None:
        """Adds a user whose address counts as confirmed."""
        if not _NAME.fullmatch(name):
            allowed = "must contain only lowercase letters, numbers, and underscores, max 64 characters"
            raise Invalid(f"given username {name} was invalid: {allowed}")
        if self.ask("select id from accounts where username = %s", name):
            raise Invalid(f"username {name} is already in use")
        if not ADDRESS.fits(email) or not _LOCAL_PART.fullmatch(email):
            raise Invalid("mail: missing '@' or angle-addr")
        if self.ask("select id from users where email = %s", email):
            raise Invalid(f"email address {email} is already in use")
        check_password(password)
        if not self.ask("select domain from instances"):
            raise Invalid("db error getting instance application: sql: no rows in result set")
        account, user = new_id(), new_id()
        self.ask("insert into accounts (id, username) values (%s, %s)", account, name)
        self.ask(
            "insert into users (id, account_id, email, encrypted_password, approved, admin, confirmed_at) "
            "values (%s, %s, %s, %s, true, false, now())",
            *(user, account, email, hash_password(password)),
        )

    def change_user(self, name: str, column: str, value: object) -> None:
        """Sets one column of a user, for this process at once."""
        found = self.ask(f"{_USERS} where username = %s", name)
        if not found:
            raise Invalid("sql: no rows in result set")
        self.ask(f"update users set {column} = %s where id = %s", value, found[0]["id"])  # noqa: S608 - our own words
        self._remember(found[0]["id"], column, value)

    def users(self) -> list[Row]:
        """All users, with the names of their accounts."""
        return self.ask(f"{_USERS} order by users.id")

    def user(self, number: str) -> Row:
        """A user by the id; as it was when the server first saw it."""
        if number not in self._seen:
            self._seen[number] = self.ask(f"{_USERS} where users.id = %s", number)[0]
        return self._seen[number]

    def user_with_password(self, email: str, password: str) -> Row | None:
        """The user who may sign in with these."""
        known = next((user for user in self._seen.values() if user["email"] == email), None)
        found = [known] if known else self.ask(f"{_USERS} where email = %s", email)
        if not found:
            return None
        user = self.user(found[0]["id"])
        return user if password and is_password(password, user["encrypted_password"]) else None

    def set_display_name(self, user: Row, name: str) -> Row:
        """Renames an account; tells the user as it is then."""
        self.ask("update accounts set display_name = %s where id = %s", name, user["account_id"])
        self._remember(user["id"], "display_name", name)
        return self.user(user["id"])

    def _remember(self, number: str, column: str, value: object) -> None:
        if number in self._seen:
            self._seen[number] = {**self._seen[number], column: value}


def check_password(password: str) -> None:
    """Raises Invalid for one that is too long, or too easy to guess."""
    size = len(password.encode())
    if not size:
        raise Invalid("no password provided / provided password was 0 bytes")
    if size > _MOST_PASSWORD_BYTES:
        raise Invalid(
            f"password should be no more than {_MOST_PASSWORD_BYTES} bytes, provided password was {size} bytes"
        )
    if (bits := strength(password)) < _LEAST_BITS:
        raise Invalid(f"password is only {int(100 * bits / _LEAST_BITS)}% strength, try {advice(password)}")


def new_id() -> str:
    """An id as upstream's look: 26 capital letters and digits."""
    return "01" + "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(24))
