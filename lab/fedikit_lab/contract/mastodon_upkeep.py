"""`tootctl cache` and `tootctl feeds` of the contract image of Mastodon: what Redis holds are copies of rows."""

from typing import Any

from .mastodon_database import Database
from .mastodon_queue import Feeds
from .shared import Refused

_ACTIVE = "SELECT account_id FROM users WHERE confirmed_at IS NOT NULL AND NOT disabled"


def keep_up(database: Database, client: Any, command: list[str]) -> int:
    """Forgets what is cached or the feeds, or builds the feeds of all who are active, from the database."""
    match command:
        case ["cache", "clear"]:
            _forget(client, "cache:*")
            print("OK")
        case ["feeds", "clear"]:
            _forget(client, "feed:*")
            print("OK")
        case ["feeds", "build"]:
            print(f"Regenerated feeds for {_build(database, Feeds(client))} accounts")
        case _:
            raise Refused(f'Could not find command "{" ".join(command)}".')
    return 0


def _forget(client: Any, keys: str) -> None:
    if found := client.keys(keys):
        client.delete(*found)


def _build(database: Database, feeds: Feeds) -> int:
    accounts = [row["account_id"] for row in database.rows(_ACTIVE)]
    for account in accounts:
        rows = database.rows("SELECT id FROM statuses WHERE account_id = %s ORDER BY id", account)
        feeds.add(account, [row["id"] for row in rows])
    return len(accounts)
