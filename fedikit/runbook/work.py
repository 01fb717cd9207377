"""Who is at work on an environment: runs that other processes start are one at a time for each.

The mark is a lock of the operating system's on a file beside the environment's, which goes with the process that
holds it; what is written there says who it is.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from fedikit.errors import FedikitError
from fedikit.model.value import Value
from fedikit.runbook.record import writing


class Work(Value):
    """A run that goes on."""

    who: str
    runbook: str
    record: str
    """The folder of its record."""
    since: datetime

    def __str__(self) -> str:
        return f"{self.who} is at work there: {self.runbook}, since {self.since.astimezone():%H:%M:%S}"


class EnvironmentBusy(FedikitError):
    """Somebody else's run goes on in the same environment."""


def who_is_at_work(environment: Path) -> Work | None:
    """The run that goes on in the environment that the file describes, if there is one."""
    try:
        with _file_of(environment).open() as file:
            if _takes(file.fileno(), fcntl.LOCK_SH):
                return None
            return _work_in(file.read(), environment)
    except FileNotFoundError:
        return None


@contextmanager
def at_work(environment: Path, who: str, runbook: str) -> Iterator[int]:
    """Takes the environment for a run; raises EnvironmentBusy if somebody has it.

    Yields the mark, in which `name_record` writes which run it is.
    """
    descriptor = _open(environment)
    try:
        if not _takes(descriptor, fcntl.LOCK_EX):
            text = os.pread(descriptor, 1 << 16, 0).decode(errors="replace")
            raise EnvironmentBusy(str(_work_in(text, environment)), hint="wait for it to end, or stop it first")
        with writing(_file_of(environment)):
            _write(descriptor, Work(who=who, runbook=runbook, record="", since=datetime.now(UTC)))
        yield descriptor
    finally:
        os.close(descriptor)


def name_record(mark: int, record: Path) -> None:
    """Writes into the mark which record the run keeps."""
    work = Work.model_validate_json(os.pread(mark, 1 << 16, 0))
    _write(mark, work.model_copy(update={"record": str(record)}))


def _file_of(environment: Path) -> Path:
    return environment.with_name(f".{environment.name}.work")


def _open(environment: Path) -> int:
    try:
        return os.open(_file_of(environment), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = "its folder must be one that this user may write to"
        raise FedikitError(f"{environment} cannot be marked as being worked on: {reason}", hint=hint) from error


def _takes(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _work_in(text: str, environment: Path) -> Work:
    """What is written there; who has just taken it may not have written it yet."""
    try:
        return Work.model_validate_json(text)
    except ValidationError:
        return Work(who="somebody", runbook="a run", record="", since=datetime.now(UTC))


def _write(descriptor: int, work: Work) -> None:
    content = json.dumps(work.model_dump(mode="json")).encode()
    os.pwrite(descriptor, content.ljust(4096), 0)
    os.ftruncate(descriptor, 4096)
