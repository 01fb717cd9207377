"""The contract image of Mastodon's tables, how they come into being, and how they are asked."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .shared import Environment, Refused
from .version import VERSION

OLDEST = 140_000
_LOCK = 4_616_107
_NUMBER = "".join(f"{int(part):02}" for part in VERSION.partition("+")[0].split("."))
# Up to here an older server is migrated in two steps; what is older still must be stopped for it (lib/tasks/db.rake).
_TWO_STEPS_FROM = "20241007071624"
Row = dict[str, Any]

# Version, name, whether it waits until all processes run the new release, statement.
MIGRATIONS: tuple[tuple[str, str, bool, str], ...] = (
    (
        "20160220174730",
        "CreateAccounts",
        False,
        """CREATE SEQUENCE accounts_id_seq;
           CREATE TABLE accounts (id bigint PRIMARY KEY
           DEFAULT (extract(epoch FROM now()) * 1000)::bigint * 65536 + nextval('accounts_id_seq') % 65536,
           username varchar NOT NULL, domain varchar,
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
           disabled boolean NOT NULL DEFAULT false, confirmation_token varchar,
           created_at timestamptz NOT NULL DEFAULT now());
           CREATE TABLE session_activations (session_id varchar PRIMARY KEY,
           user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, access_token varchar NOT NULL UNIQUE,
           last_used_at timestamptz);
           CREATE TABLE settings (var varchar PRIMARY KEY, value text);
           CREATE TABLE rules (id bigserial PRIMARY KEY, text text NOT NULL, priority integer NOT NULL DEFAULT 0,
           deleted_at timestamptz);
           CREATE TABLE username_blocks (username varchar PRIMARY KEY, exact boolean NOT NULL);""",
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
    # What a release brings: at first what the older one does not mind, in the end what it cannot work with.
    (
        f"2026{_NUMBER}0001",
        "AddIndexOfStatuses",
        False,
        "CREATE INDEX IF NOT EXISTS index_statuses_on_account ON statuses (account_id, id DESC);",
    ),
    (f"2026{_NUMBER}0002", "MigrateLocalAccountKeypairs", True, "SELECT 1"),
)
_SEED = Path("db/seed.sql")


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


def run_tasks(database: Database, environment: Environment, tasks: list[str]) -> None:
    """Runs tasks of Rails' on the database, one after the other."""
    known: dict[str, Callable[[], None]] = {
        "db:migrate": lambda: _migrate_checked(database, environment),
        "db:migrate:setup": lambda: _set_up(database, environment),
        "db:prepare": lambda: _prepare(database, environment),
        "db:seed": lambda: _seed_when_migrated(database, environment),
    }
    for task in tasks:
        if task not in known:
            raise Refused(f"Don't know how to build task '{task}'")
        known[task]()


def is_overtaken(database: Database) -> bool:
    """Whether a newer release has migrated what this one still works with."""
    late = max(version for version, _, is_late, _ in MIGRATIONS if is_late)
    return any(version > late and version.endswith("0002") for version in _versions(database))


def seed(database: Database) -> None:
    """What every server has from the start; what is there stays as it is."""
    database.rows(_SEED.read_text())


def _set_up(database: Database, environment: Environment) -> None:
    """An empty database gets tables and seed, another is migrated: one that was left in between gets no seed."""
    is_empty = not _versions(database)
    _migrate_checked(database, environment)
    if is_empty:
        seed(database)


def _prepare(database: Database, environment: Environment) -> None:
    """An empty database is filled from the schema, which knows all migrations, and seeded; another is migrated."""
    if _versions(database):
        _migrate(database, environment)
    else:
        _migrate(database, Environment({}))
        seed(database)


def _seed_when_migrated(database: Database, environment: Environment) -> None:
    done = _versions(database)
    without_late = _skips_late(environment)
    waiting = [version for version, _, late, _ in MIGRATIONS if version not in done and not (late and without_late)]
    if waiting:
        raise Refused("Migrations are pending. To resolve this issue, run: bin/rails db:migrate")
    seed(database)


def _migrate_checked(database: Database, environment: Environment) -> None:
    server = int(database.value("SHOW server_version_num"))
    if server < OLDEST:
        raise Refused("This version of Mastodon requires PostgreSQL 14.0 or newer.")
    if _skips_late(environment) and max(_versions(database), default="0") < _TWO_STEPS_FROM:
        raise Refused("Zero-downtime migrations from Mastodon versions earlier than 4.3.0 are not supported.")
    _migrate(database, environment)


def _skips_late(environment: Environment) -> bool:
    """Upstream asks whether the variable is there, and not what it says."""
    return environment.raw("SKIP_POST_DEPLOYMENT_MIGRATIONS") is not None


def _migrate(database: Database, environment: Environment) -> None:
    """Brings the tables to this release; two at the same time is refused, as upstream does."""
    without_late = _skips_late(environment)
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


def _versions(database: Database) -> set[str]:
    if database.value("SELECT to_regclass('schema_migrations')") is None:
        return set()
    return {row["version"] for row in database.rows("SELECT version FROM schema_migrations")}


def libpq_variables(place: dict[str, str]) -> dict[str, str]:
    """The same place in the variables that every PostgreSQL client library reads."""
    import psycopg2.extensions  # type: ignore[import-untyped]

    parsed = psycopg2.extensions.parse_dsn(psycopg2.extensions.make_dsn(**place))
    names = {"dbname": "PGDATABASE"}
    return {**os.environ, **{names.get(name, f"PG{name.upper()}"): value for name, value in parsed.items()}}
