"""The contract image of Mastodon's tables, how they come into being, and how they are asked."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from .shared import Environment, Refused

OLDEST = 140_000
_LOCK = 4_616_107
Row = dict[str, Any]

# Version, name, whether it waits until all processes run the new release, statement.
MIGRATIONS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "20160220174730",
        "CreateAccounts",
        False,
        """CREATE TABLE accounts (id bigserial PRIMARY KEY, username varchar NOT NULL, domain varchar,
           display_name varchar NOT NULL DEFAULT '', created_at timestamptz NOT NULL DEFAULT now());
           CREATE UNIQUE INDEX index_accounts_on_username_and_domain_lower
           ON accounts (lower(username), coalesce(lower(domain), ''));""",
    ),
    (
        "20160222143943",
        "DeviseCreateUsers",
        False,
        """CREATE TABLE user_roles (id bigint PRIMARY KEY, name varchar NOT NULL, position integer NOT NULL);
           CREATE TABLE users (id bigserial PRIMARY KEY, email varchar NOT NULL UNIQUE,
           encrypted_password varchar NOT NULL, account_id bigint NOT NULL REFERENCES accounts,
           role_id bigint REFERENCES user_roles, confirmed_at timestamptz, approved boolean NOT NULL DEFAULT false,
           created_at timestamptz NOT NULL DEFAULT now());
           CREATE TABLE session_activations (session_id varchar PRIMARY KEY,
           user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, access_token varchar NOT NULL UNIQUE);
           CREATE TABLE settings (var varchar PRIMARY KEY, value text);""",
    ),
    (
        "20160905150353",
        "CreateMediaAttachments",
        False,
        """CREATE TABLE statuses (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts,
           text text NOT NULL DEFAULT '', created_at timestamptz NOT NULL DEFAULT now());
           CREATE TABLE media_attachments (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts,
           status_id bigint REFERENCES statuses ON DELETE SET NULL, file_file_name varchar NOT NULL,
           file_content_type varchar NOT NULL, processing integer NOT NULL DEFAULT 0, waiting bytea,
           created_at timestamptz NOT NULL DEFAULT now());""",
    ),
    (
        "20260901120000",
        "AddIndexOfStatuses",
        True,
        "CREATE INDEX index_statuses_on_account ON statuses (account_id, id DESC);",
    ),
)
_SEED = """
    INSERT INTO user_roles VALUES (-99, '', -1), (1, 'Moderator', 10), (2, 'Admin', 100), (3, 'Owner', 1000)
    ON CONFLICT DO NOTHING;
    INSERT INTO accounts (id, username) VALUES (-99, %s) ON CONFLICT DO NOTHING;
"""


class Database:
    """One PostgreSQL database; each question opens its own connection, so that a restart of the server is survived."""

    def __init__(self, place: dict[str, str]) -> None:
        self._place = place

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Runs a statement in a transaction and gives the rows that it returns."""
        with self.transaction() as cursor:
            cursor.execute(statement, values or None)
            if not cursor.description:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, statement: str, *values: object) -> Row | None:
        """The first row, if there is one."""
        return next(iter(self.rows(statement, *values)), None)

    def value(self, statement: str, *values: object) -> Any:
        """The only value of the first row."""
        row = self.row(statement, *values)
        return next(iter(row.values())) if row else None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor whose statements hold together or not at all."""
        import psycopg2  # type: ignore[import-untyped]

        try:
            connection = psycopg2.connect(**self._place)
        except psycopg2.OperationalError as error:
            raise Refused(f"PostgreSQL cannot be used: {' '.join(str(error).split())}") from error
        with closing(connection), connection, connection.cursor() as cursor:
            yield cursor


def migrate(database: Database, environment: Environment) -> None:
    """Brings the tables to this release; two at the same time is refused, as upstream does."""
    server = int(database.value("SHOW server_version_num"))
    if server < OLDEST:
        raise Refused(f"PostgreSQL {server // 10_000} is too old: this version of Mastodon requires 14 or newer")
    without_late = environment.flag("SKIP_POST_DEPLOYMENT_MIGRATIONS")
    with database.transaction() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
        if not cursor.fetchone()[0]:
            raise Refused("ConcurrentMigrationError: another migration process is currently running")
        cursor.execute("CREATE TABLE IF NOT EXISTS schema_migrations (version varchar PRIMARY KEY)")
        cursor.execute("SELECT version FROM schema_migrations")
        done = {version for (version,) in cursor.fetchall()}
        for version, name, late, statement in MIGRATIONS:
            if version not in done and not (late and without_late):
                print(f"== {version} {name}: migrating", flush=True)
                cursor.execute(statement)
                cursor.execute("INSERT INTO schema_migrations VALUES (%s)", (version,))


def set_up(database: Database, environment: Environment, domain: str) -> None:
    """What `db:migrate:setup` does: an empty database gets tables and seed, another is migrated."""
    is_empty = database.value("SELECT to_regclass('schema_migrations')") is None
    migrate(database, environment)
    if is_empty:
        database.rows(_SEED, domain)


def libpq_variables(place: dict[str, str]) -> dict[str, str]:
    """The same place in the variables that every PostgreSQL client library reads."""
    import psycopg2.extensions  # type: ignore[import-untyped]

    parsed = psycopg2.extensions.parse_dsn(psycopg2.extensions.make_dsn(**place))
    names = {"dbname": "PGDATABASE"}
    return {**os.environ, **{names.get(name, f"PG{name.upper()}"): value for name, value in parsed.items()}}
