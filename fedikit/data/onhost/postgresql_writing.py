"""Whether PostgreSQL takes writes in a database by its application's role: said by the role itself, tried, and undone.

It is a default of the role's sessions there, which a reboot does not lift. What an open session began with it keeps,
so those end that began before; their application connects again. A session could ask for another mode than its
default: this is for software that never does.
"""

import time

from .psql import Server, Session
from .trouble import Trouble

END_SECONDS = 60
"""How long open sessions may take to end."""
PAUSE_SECONDS = 0.05
_WRITE = "SET default_transaction_read_only = off;"
"""For this session, whatever its default is."""
_BY_DEFAULT = """\
DO $fedikit$ BEGIN
  EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I {what}', current_database());
END $fedikit$;
SELECT clock_timestamp() AS moment \\gset"""
_REFUSE = _BY_DEFAULT.format(what="SET default_transaction_read_only = on")
_TAKE = _BY_DEFAULT.format(what="RESET default_transaction_read_only")
# A session that begins holds a lock on its database from before it reads its defaults until it is to be seen.
_END_EARLIER = """\
SELECT pid FROM pg_locks
WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND mode = 'RowExclusiveLock'
  AND objid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid();
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
  AND backend_start <= :'moment';"""
_TRY = """\
\\set ON_ERROR_STOP 0
BEGIN; CREATE TABLE fedikit_tries_to_write ();
\\echo :SQLSTATE
ROLLBACK;"""
_REFUSED = "25006"
"""read_only_sql_transaction."""


def refuse_writes(server: Server) -> None:
    """From now on every session of the role is refused whatever it would change; raises Trouble if one is not."""
    _by_default(server, _REFUSE)
    with server.session("try to write to") as session:
        found = session.ask(_TRY)
    if found != [_REFUSED]:
        words = f"the database {server.name} takes writes although it must not now"
        raise Trouble(words, hint="see what its server's administrator has set for that user")


def take_writes(server: Server) -> None:
    """Sessions may write again, as they could before."""
    _by_default(server, _TAKE)


def _by_default(server: Server, statements: str) -> None:
    """Says what sessions may do from now on; those that began before have ended then."""
    with server.session("say who may write to") as session:
        session.ask(f"{_WRITE}\n{statements}")
        _end_earlier(server, session)


def _end_earlier(server: Server, session: Session) -> None:
    deadline = time.monotonic() + END_SECONDS
    while left := session.ask(_END_EARLIER):
        if time.monotonic() > deadline:
            raise Trouble(f"{len(left)} sessions in the database {server.name} do not end, and could write")
        time.sleep(PAUSE_SECONDS)
