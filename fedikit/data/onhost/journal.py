"""The journal of a restore: written before each phase, so that one that was cut off can go on where it was."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .places import remove_whole, write_whole
from .trouble import Trouble

FILE = "journal.json"


@dataclass(frozen=True)
class Journal:
    """How far a restore has come.

    backup       the name of the backup that is restored
    before       the name of the backup of what was there, or none
    running      the units that ran, in the order of stopping
    done         the ids of parts that are restored
    is_up        whether all parts are, and the units may run again
    differences  in what they differed from the backup before anything ran
    started      when it began
    """

    backup: str
    started: str
    before: str = ""
    running: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    is_up: bool = False
    differences: list[str] = field(default_factory=list)


def read_journal(state: Path) -> Journal | None:
    """The journal of a restore that was cut off, or is under way."""
    path = state / FILE
    try:
        return Journal(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Trouble(f"the journal {path} cannot be read: {error}", hint="see what was restored last") from error


def write_journal(state: Path, journal: Journal) -> None:
    write_whole(state / FILE, json.dumps(asdict(journal)))


def end_journal(state: Path) -> None:
    remove_whole(state / FILE)
