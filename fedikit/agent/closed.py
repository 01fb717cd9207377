"""Applications that are closed on this host: what of theirs is not to run, and since when.

The program of backups writes it down when it closes one, and puts the fence around its units. Whoever applies leaves
those alone, and its jobs, until it is opened again; everything else is made as ever.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .data_program import applications_of, record_of
from .eyes import Eyes
from .ledger import Ledger

FILE = "closed.json"


class Closed(NamedTuple):
    """A closed application.

    ids    its items that are left alone
    reads  those of them that go on for readers, until they stop
    """

    application: str
    since: str
    migration: str
    ids: frozenset[str]
    reads: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        why = f"by the migration {self.migration}" if self.migration else "by a migration"
        since = f"since {self.since} " if self.since else ""
        what = "fedikit migrate or fedikit move goes on with that, fedikit migrate --back opens it again"
        return f"{self.application} is closed {since}{why}, and nothing of it is started: {what}"


def closed_here(eyes: Eyes, ledger: Ledger, resting: Mapping[str, Iterable[str]] | None = None) -> list[Closed]:
    """Those that are closed. `resting`: by application, the ids of items that rest while it is, as a deployer says."""
    names = dict.fromkeys([*applications_of(ledger), *(resting or {})])
    return [_read(text, name, (resting or {}).get(name, ())) for name in names if (text := _text(eyes, name))]


def _text(eyes: Eyes, application: str) -> str:
    return record_of(eyes, application, FILE)


def _read(text: str, application: str, resting: Iterable[str]) -> Closed:
    """As far as it can be read: what is there at all is closed."""
    try:
        raw = json.loads(text)
        units = [f"unit:{name}" for name in raw["units"]]
        reads = frozenset(f"unit:{name}" for name in raw.get("reads", ()))
        return Closed(application, str(raw["since"]), str(raw["migration"]), frozenset([*units, *resting]), reads)
    except (ValueError, TypeError, KeyError, RecursionError):
        return Closed(application, "", "", frozenset(resting))
