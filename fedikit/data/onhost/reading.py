"""Reading goes on while an application is closed for writing, where it can: what must hold for that, and is tried.

Its database refuses every write, and nothing else of its data is where its units could write by themselves.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from . import units
from .journal import read_journal
from .part import make_part
from .work import Work

if TYPE_CHECKING:
    from .postgresql import PostgresPart


def can_go_on(work: Work) -> bool:
    """Whether it can: its units for readers run, and of its data only the database and what that leads to changes."""
    kinds = {spec["kind"] for spec in work.settings.parts}
    reads = work.settings.reads
    is_fit = "postgresql" in kinds and kinds <= {"postgresql", "bucket"}
    return bool(reads) and is_fit and read_journal(work.state) is None and units.running(reads) == reads


def refuse_writes(work: Work) -> None:
    """Nobody can write any more as the application does; raises Trouble where that cannot be shown."""
    for part in _databases(work):
        part.refuse_writes()


def take_writes(work: Work) -> None:
    """The application can write again."""
    for part in _databases(work):
        part.take_writes()


def _databases(work: Work) -> "Iterator[PostgresPart]":
    """Those that can refuse writes."""
    databases = (spec for spec in work.settings.parts if spec["kind"] == "postgresql")
    return (cast("PostgresPart", make_part(spec, work.secrets)) for spec in databases)
