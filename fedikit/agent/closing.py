"""Closing applications that come to this host by a migration, before anything of them is made: nobody starts them.

The program of backups closes as a rule. It is not there yet, so only what it needs to go on from is written down here.
"""

import os
from typing import TYPE_CHECKING

from .closed import FILE
from .compare import former_items
from .data_program import STATE, applications_of
from .ledger import flush_folder, write_record
from .order import now
from .trouble import Trouble

if TYPE_CHECKING:
    from .batch import Batch
    from .hands import Hands
    from .ledger import Ledger, Record

FORMAT = 1
OPENING = "opening.json"


def close_at_once(batch: "Batch") -> None:
    """Closes those that are to be closed from the start, if they are new here; what is closed stays as it is.

    One that was to run here may have been written to: it is not for an apply to close it.
    """
    closing = batch.wish.closing or {}
    for application in (name for name in applications_of(batch.ledger) if name in closing):
        about, folder = closing[application], STATE.format(application)
        is_noted = any(batch.hands.exists(f"{folder}/{file}") for file in (FILE, OPENING))
        if not is_noted and not _was_to_run(batch.ledger, about["units"]):
            _claim(batch.hands, folder)
            write_record(batch.hands.real(f"{folder}/{FILE}"), _closed(about))


def _was_to_run(ledger: "Ledger", units: list[str]) -> bool:
    """Whether one of them was wanted to be up, as far as the ledger knows."""
    entries = [ledger.entries.get(f"unit:{unit}") for unit in units]
    return any(item["active"] for entry in entries for item in former_items(entry))


def _claim(hands: "Hands", folder: str) -> None:
    """Makes the folder in which it is noted, for root alone, so that it is there after a power cut too."""
    for path in (os.path.dirname(folder), folder):
        if not hands.exists(path):
            hands.make_directory(path)
            flush_folder(hands.real(os.path.dirname(path)))
    if not hands.files.is_roots_alone(folder):
        raise Trouble(f"others could write to {folder}", hint=f"chown root: {folder}; chmod 0700 {folder}")


def _closed(about: "Record") -> "Record":
    """As the program of backups reads it: nothing of it has run."""
    return {"format": FORMAT, "since": now(), "why": "moving", "running": [], "restored": False, "reads": [], **about}
