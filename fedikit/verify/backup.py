"""Looks how old an application's newest backup is, by what its host noted, and by that host's clock."""

from datetime import UTC, datetime
from importlib.resources import files
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from fedikit.errors import visible
from fedikit.model.check import BackupIsYoung
from fedikit.model.value import Value
from fedikit.verify.backup_errand import MARK
from fedikit.verify.means import Shell
from fedikit.verify.words import Refused, Unmet

_HOUR = 3600
_LONGEST = 200
_Moment = Annotated[float, Field(ge=0, le=2**40, allow_inf_nan=False)]


class Told(Value):
    """What a host says. Nothing is believed of it that has not this form."""

    now: _Moment
    since: _Moment | None
    newest: AwareDatetime | None
    failed: Annotated[str, Field(max_length=500)]
    """Why the last attempt failed, in the host's words; empty if it did not."""


def is_young(check: BackupIsYoung, shell: Shell) -> str:
    """How old the newest backup is. Raises Refused if it is too old, for looking again makes it no younger."""
    told = _told(check, shell)
    now = datetime.fromtimestamp(told.now, UTC)
    if told.newest is None:
        return _first(check, told)
    hours = (now - told.newest).total_seconds() / _HOUR
    if hours < -1:
        raise _refused(check, "one that ended in the future: is the host's clock right?", told)
    if hours > check.max_age_hours:
        raise _refused(check, f"one that is {int(hours)} hours old", told)
    return f"{_age(hours)} old{_then(told)}"


def _told(check: BackupIsYoung, shell: Shell) -> Told:
    source = files("fedikit.verify").joinpath("backup_errand.py").read_text("utf-8")
    command = ("python3", "-I", "-c", f"{source}\nmain({check.application!r})\n")
    printed = shell(check.host, command, "root")
    said = printed.rpartition(MARK)[2].partition("\n")[0]
    try:
        return Told.model_validate_json(said)
    except ValidationError:
        raise Unmet(wanted=f"what {check.host} knows of backups", seen="something else than an answer") from None


def _first(check: BackupIsYoung, told: Told) -> str:
    """It holds without any backup for as long as one may be old: the first was not due before."""
    hours = (told.now - told.since) / _HOUR if told.since is not None else None
    if hours is None:
        raise _refused(check, "none, and nothing that tells since when there should be any", told)
    if hours > check.max_age_hours:
        raise _refused(check, f"none yet, though they were set up {int(hours)} hours ago", told)
    return f"none yet: they were set up {_age(hours)} ago{_then(told)}"


def _refused(check: BackupIsYoung, seen: str, told: Told) -> Refused:
    return Refused(wanted=f"a backup of the last {check.max_age_hours} hours", seen=seen + _then(told))


def _age(hours: float) -> str:
    return "less than an hour" if hours < 1 else "1 hour" if hours < 2 else f"{int(hours)} hours"


def _then(told: Told) -> str:
    """What became of the last attempt, if it failed."""
    return f"; the last attempt failed: {visible(' '.join(told.failed.split()))[:_LONGEST]}" if told.failed else ""
