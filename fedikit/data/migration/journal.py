"""The journal of a migration: how far it has come, beside the new environment's file. Written before and after a phase.

What matters most is on the hosts themselves: whether an application is closed there, and by which migration.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pydantic import Field, ValidationError

from fedikit.errors import ConfigurationError, FedikitError, Mistake
from fedikit.model.host import MovedSite
from fedikit.model.value import HostName, Value
from fedikit.results.migration import Direction, Phase

FOLDER = ".fedikit-migrations"


class Journal(Value):
    """How far a migration has come.

    id         what it is called on the hosts
    instead    another migration whose place it takes, if any
    direction  whether it goes there, or back
    done       the phases that have ended
    hosts      by application, those that it leaves and comes to
    there      of a way back, those that had ended of the way there
    copied     by application, the backup that was copied last
    closed     by application, since when it is closed on the side that is left, as its host says
    closed_at  when the door of the side that is left was shut, in seconds since 1970
    opened_at  when the other side served
    has_begun  whether the other side may have been written to
    moving     of a move within one environment, the hosts that each application leaves and comes to
    servers    of a move, by application, the server that is to keep each part of its data
    sites      of a move, the web sites that come to a host without their application
    consent    of a move, by what an apply is told that data is brought along
    predicted  for how many seconds nobody could write, as a rehearsal foretold
    """

    format: int = 1
    id: str
    instead: str = ""
    direction: Direction = "there"
    hosts: dict[str, tuple[str, str]] = Field(default_factory=dict)
    done: tuple[Phase, ...] = ()
    there: tuple[Phase, ...] = ()
    copied: dict[str, str] = Field(default_factory=dict)
    closed: dict[str, str] = Field(default_factory=dict)
    closed_at: float | None = None
    opened_at: float | None = None
    has_begun: bool = False
    moving: dict[str, tuple[HostName, HostName]] = Field(default_factory=dict)
    servers: dict[str, dict[str, str]] = Field(default_factory=dict)
    sites: tuple[MovedSite, ...] = ()
    consent: tuple[str, ...] = ()
    predicted: float | None = None

    @property
    def read_only(self) -> float | None:
        """For how many seconds nobody could write."""
        if self.closed_at is None or self.opened_at is None:
            return None
        return round(max(0.0, self.opened_at - self.closed_at), 3)


def place_of(folder: Path, source: str, target: str) -> Path:
    """Where the journal lies of the migration between two environments; `folder`: that of the new one's file."""
    return folder / FOLDER / f"{source}-to-{target}.json"


def read_journal(path: Path) -> Journal | None:
    """The journal; None if there was no such migration yet. Raises ConfigurationError if it cannot be read."""
    try:
        return Journal.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        mistake = Mistake("journal", "cannot be read as a migration's journal of this version of fedikit")
        hint = "the hosts know which applications are closed: fedikit status; restore the file, or move it away"
        raise ConfigurationError(str(path), [mistake], hint=hint) from error


SPARE_BYTES = 64 << 10
"""More than a journal has: a disk gives what was freed to others too."""


def write_journal(path: Path, journal: Journal) -> None:
    """Puts it in the place of the former one, at once and on the disk; raises FedikitError if it cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(f"{journal.model_dump_json(indent=1)}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> FedikitError:
    words = f"how far the migration has come cannot be written down in {path}: {error.strerror or error}"
    return FedikitError(words, hint="see that there is room, and that you may write there")


def end_journal(path: Path) -> None:
    """Keeps what is over under its own name: the next migration is another."""
    journal = read_journal(path)
    if journal:
        try:
            path.replace(path.with_name(f"{path.stem}.{journal.id}.json"))
        except OSError as error:
            raise _unwritten(path, error) from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else carries out the same migration from this deployer meanwhile, and there is room for its journal.

    Raises FedikitError if somebody does, or if there is none.
    """
    with _opened_lock(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait until that has ended; what is done is done, and it goes on where it is"
            raise FedikitError("this migration is being carried out already", hint=hint) from None
        _keep_room(path)
        try:
            yield
        finally:
            give_room(path)


def _opened_lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return path.with_suffix(".lock").open("w")
    except OSError as error:
        raise _unwritten(path, error) from error


def _keep_room(path: Path) -> None:
    """For what is to be written down when the disk has become full, so that a side may open again."""
    try:
        with _spare(path).open("wb") as file:
            file.write(os.urandom(SPARE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        give_room(path)
        raise _unwritten(path, error) from error


def give_room(path: Path) -> None:
    """The room that was kept is for the journal now."""
    with suppress(OSError):
        _spare(path).unlink()


def _spare(path: Path) -> Path:
    return path.with_name(f".{path.name}.room")
