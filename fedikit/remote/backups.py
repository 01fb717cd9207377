"""What a host noted of its backups, as values: it lies there as text, perhaps of another version, or of a stranger."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from fedikit.remote.data_messages import Closed, Journal, Manifest, Newest, Result
from fedikit.remote.messages import BackupsNoted
from fedikit.remote.spoken import Message
from fedikit.results.backup import Backup, BackupHealth, LastCheck, LastRun, Proven

M = TypeVar("M", bound=Message)
UNREADABLE = "what the host noted of them cannot be read"


def backups_of(application: str, there: BackupsNoted, max_age_hours: int, proof_days: int = 0) -> BackupHealth:
    """How it is about the backups of an application: so old the newest may be, and so old the newest proof."""
    since = datetime.fromtimestamp(there.since, UTC) if there.since else None
    about: dict[str, Any] = {
        "application": application,
        "max_age_hours": max_age_hours,
        "proof_days": proof_days,
        "since": since,
    }
    if there.journal:
        journal = _read(Journal, there.journal)
        about["restoring"] = journal.backup if journal else "a backup"
    if not there.record:
        return BackupHealth(**about)
    result = read_result(there.record)
    if result is None:
        return BackupHealth(**about, error=UNREADABLE)
    newest = backup_of(result.newest) if result.newest else None
    proof = Proven(**result.proof.model_dump()) if result.proof else None
    return BackupHealth(**about, newest=newest, last=last_run_of(result), check=last_check_of(result), proof=proof)


def closed_of(application: str, there: BackupsNoted) -> str:
    """That an application is closed, since when and by what, in words; empty if it is not."""
    if not there.closed:
        return ""
    closed = read_closed(there)
    since = f" since {closed.since:%d %b %Y, %H:%M} UTC by the migration {closed.migration}" if closed else ""
    what = "fedikit migrate or fedikit move goes on with that, fedikit migrate --back opens it again"
    return f"{application} is closed{since}: {what}"


def read_closed(there: BackupsNoted) -> Closed | None:
    """What is written down of a closed application; None if it cannot be read, or it is not closed."""
    return _read(Closed, there.closed)


def read_result(text: str) -> Result | None:
    """What the program noted; None if it cannot be read."""
    return _read(Result, text)


def backup_of(told: Manifest) -> Backup:
    """With its sums, of which a manifest says nothing."""
    if isinstance(told, Newest):
        return Backup(**told.model_dump())
    size, added = sum(part.bytes for part in told.parts), sum(part.added for part in told.parts)
    return Backup(**told.model_dump(), bytes=size, added=added)


def last_run_of(result: Result) -> LastRun | None:
    return LastRun(**result.last.model_dump()) if result.last else None


def last_check_of(result: Result) -> LastCheck | None:
    return LastCheck(**result.check.model_dump()) if result.check else None


def _read(kind: type[M], text: str) -> M | None:
    try:
        return kind.model_validate_json(text)
    except (ValidationError, ValueError, RecursionError):
        return None
