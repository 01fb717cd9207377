"""A closed application: it must not run on this host, whatever else happens, until it is opened again.

It is written down before anything else. Then its door is shut, its units are fenced off and stopped, and the fence is
tried: cut off anywhere, the same again comes to the same end. It may be closed for writing first, and be read on: its
units for readers run then until they stop for whatever reason, a reboot for instance, and do not start again.
"""

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from . import reading, units
from .door import READING, Door
from .fence import Fence
from .following import owe_what_follows
from .journal import read_journal
from .moments import now
from .places import remove_whole, sync_folder, write_whole
from .trouble import Trouble
from .work import OTHER, Work

FORMAT = 1
FILE = "closed.json"
OPENING = "opening.json"
"""The same once it is being opened, and may have been written to: renamed, for which a full disk has room too."""
MOVE = "move-"
"""What the names of moves within one environment begin with."""
MARK = "the application was closed by the migration {migration}\n"


@dataclass(frozen=True)
class Closed:
    """What is written down of a closed application.

    migration  the name of what closed it
    since      when it was closed first
    why        what its page says
    running    the units that ran then, in the order of stopping
    units      those that are fenced off
    domains    those whose web sites say why
    restored   whether data was put back meanwhile: what follows a restore is owed then
    reads      the units that go on for readers; also once they are stopped, until databases take writes again
    """

    migration: str
    since: str
    why: str
    running: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    restored: bool = False
    reads: list[str] = field(default_factory=list)


def read_closed(state: Path) -> Closed | None:
    """What is written down; None if the application is not closed."""
    return _read(state / FILE)


def _read(path: Path) -> Closed | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise ValueError("it was written by a newer fedikit")
        return Closed(**raw)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "see who changed it; if it is to stay closed, remove that file and close it again"
        raise Trouble(f"{path} cannot be read: {error}", hint=hint) from error


def close(work: Work, *, migration: str, why: str, instead: str = "") -> dict[str, Any]:
    """Closes the application, or sees that it is shut; what is written down. Data and backups stay as they are.

    What another migration closed is that one's, and Trouble is raised; unless it is named `instead`, and over thereby.
    `why` is READING: it is closed for writing only, where that can be shown, and wholly where not, or if it was before.
    """
    former = require_ours(work.state, migration, instead)
    if why != READING:
        return _close_wholly(work, migration, why)
    if former is not None and former.why != READING:
        return _close_wholly(work, migration, former.why)
    if reading.can_go_on(work):
        with suppress(Trouble):
            return _close_for_writing(work, migration)
    return _close_wholly(work, migration, "moving")


def _close_wholly(work: Work, migration: str, why: str) -> dict[str, Any]:
    closed = _noted(work, migration, why)
    with work.telling.step("door"):
        door_of(work, closed).shut(why)
    with work.telling.step("stop"):
        _stop(work, closed, closed.units)
    if closed.reads:
        with work.telling.step("databases"):
            reading.take_writes(work)
        closed = replace(closed, reads=[])
        _write(work.state, closed)
    return asdict(closed)


def _close_for_writing(work: Work, migration: str) -> dict[str, Any]:
    """Raises Trouble where it cannot be shown that nobody can write."""
    closed = _noted(work, migration, READING)
    with work.telling.step("door"):
        door_of(work, closed).shut(READING)
    with work.telling.step("stop"):
        _stop(work, closed, [unit for unit in closed.units if unit not in closed.reads])
    with work.telling.step("databases"):
        reading.refuse_writes(work)
    with work.telling.step("try"):
        door_of(work, closed).require_shut()
    return asdict(closed)


def _stop(work: Work, closed: Closed, names: Sequence[str]) -> None:
    """Nothing of the application starts any more; these are stopped, and tried."""
    fence_of(work, closed).put_up()
    units.stop(names)
    fence_of(work, closed).require(names)


def end_reading(work: Work) -> None:
    """Closes wholly what is closed for writing only."""
    closed = read_closed(work.state)
    if closed and closed.reads:
        _close_wholly(work, closed.migration, "moving" if closed.why == READING else closed.why)


def require_ours(state: Path, migration: str, instead: str = "") -> Closed | None:
    """What is written down, if the application is closed; raises Trouble if another migration closed it."""
    closed = read_closed(state)
    if closed and closed.migration not in (migration, instead):
        words = f"{state.name} is closed since {closed.since} by the migration {closed.migration}, which is another"
        verb = "move" if closed.migration.startswith(MOVE) else "migrate"
        hint = f"go on with that, where it was begun; if nobody can: fedikit {verb} --instead {closed.migration}"
        raise Trouble(words, hint=hint)
    return closed


def require_closed_by(state: Path, migration: str) -> None:
    """Raises Trouble unless this migration closed it: whatever else serves is not written over."""
    if require_ours(state, migration) is None:
        words = f"{state.name} is not closed by the migration {migration}: what serves is not replaced"
        raise Trouble(words, hint="plan the migration again: it sees how far it has come")


def require_no_migration(state: Path) -> None:
    """Raises Trouble while a migration holds it closed: what anybody else restores would be taken for what it copied.

    A restore that was cut off is ended by anybody.
    """
    closed = read_closed(state)
    if closed and read_journal(state) is None:
        words = f"{state.name} is closed by the migration {closed.migration}, and restored by that alone"
        raise Trouble(words, hint="end that, or go back (fedikit migrate --back), and restore then")


def open_again(work: Work, *, migration: str, starts: bool) -> dict[str, Any]:
    """Nothing keeps the application from running any more; `starts` what ran when it was closed. What was written down.

    What follows a restore is owed then. Raises Trouble while its data is half of a backup, or if another migration
    closed it.
    """
    closed = require_ours(work.state, migration) or _read(work.state / OPENING)
    if closed is None:
        return {"was_closed": False}
    if journal := read_journal(work.state):
        hint = "end it first: run the restore of that backup again"
        raise Trouble(f"a restore of the backup {journal.backup} was cut off: what is there is half of it", hint=hint)
    with suppress(FileNotFoundError):
        (work.state / FILE).replace(work.state / OPENING)
    sync_folder(work.state)
    if closed.reads:
        reading.take_writes(work)
    fence_of(work, closed).lift()
    if closed.restored:
        owe_what_follows(work.state)
    if starts:
        with work.telling.step("start"):
            units.start_all(list(reversed(closed.running)))
    with work.telling.step("door"):
        door_of(work, closed).open()
    shutil.rmtree(work.state / OTHER, ignore_errors=True)
    remove_whole(work.state / OPENING)
    return {"was_closed": True, **asdict(closed)}


def note_restored(work: Work) -> None:
    """Data was put back while the application is closed."""
    if closed := read_closed(work.state):
        _write(work.state, replace(closed, restored=True))


def fence_of(work: Work, closed: Closed | None) -> Fence:
    """The fence around the units, with why it stands."""
    if closed is None:
        return Fence(work.places, work.settings.stop)
    return Fence(work.places, closed.units, MARK.format(migration=closed.migration))


def door_of(work: Work, closed: Closed) -> Door:
    return Door(work.places, closed.domains)


def _noted(work: Work, migration: str, why: str) -> Closed:
    """Written down; who closes it once more takes over what ran before, and what is to be lifted again."""
    opened = _read(work.state / OPENING)
    former = read_closed(work.state) or (replace(opened, restored=False) if opened else None)
    former = former or Closed(migration, now(), why, running=_running(work))
    closed = replace(
        former,
        migration=migration,
        why=why,
        units=list(dict.fromkeys([*work.settings.stop, *former.units])),
        domains=list(dict.fromkeys([*work.settings.domains, *former.domains])),
        reads=work.settings.reads if why == READING else former.reads,
    )
    _write(work.state, closed)
    remove_whole(work.state / OPENING)
    return closed


def _running(work: Work) -> list[str]:
    """What runs, or ran until a restore stopped it that has not ended."""
    journal = read_journal(work.state)
    return journal.running if journal else units.running(work.settings.stop)


def _write(state: Path, closed: Closed) -> None:
    write_whole(state / FILE, json.dumps({"format": FORMAT, **asdict(closed)}))
