"""The record of a run: a folder with its parameters, events, executed notebook and, last of all, its result.

Rule: the runner writes the result last and at once. A record without one is of a run that goes on (its runner
holds the lock of the parameters file) or whose runner was killed; it is never taken for a success.
Names of folders rise, also where the clock was set back: the last is the newest.
"""

import errno
import fcntl
import json
import os
import platform
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from fedikit import __version__
from fedikit.errors import FedikitError
from fedikit.events import Event, as_record
from fedikit.model.value import Value
from fedikit.remote.session import OPERATOR, user_name
from fedikit.runbook.follow import events_in
from fedikit.runbook.parameters import RunbookParameters

RECORD = "FEDIKIT_RECORD"
RUNBOOK = "FEDIKIT_RUNBOOK"
"""What tells a kernel the folder of the record that is kept of its run, and the runbook's path."""
_STAMP = "%Y%m%dT%H%M%SZ"


class RunStatus(StrEnum):
    """How a run ended, or that it did not."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INVALID = "invalid"
    TIMED_OUT = "timed-out"
    KERNEL_DIED = "kernel-died"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    UNFINISHED = "unfinished"
    UNREADABLE = "unreadable"
    """The result was written by another version, or is damaged."""


class RunResult(Value):
    """The result of a run, as `result.json` keeps it."""

    runbook: str
    status: RunStatus
    exit_status: int
    """What `fedikit run` exits with."""
    reason: str = ""
    failed_step: str = ""
    dry_run: bool | None
    """None where the runbook never changes anything."""
    started: datetime
    finished: datetime
    user: str
    runbook_sha256: str
    versions: dict[str, str]
    source: str = ""
    """The notebook that a person ran in JupyterLab: it is theirs, and the record holds no executed one."""
    folder: Annotated[Path, Field(exclude=True)] = Path()
    """The record; not kept in it, for folders are moved."""

    @property
    def seconds(self) -> float:
        """How long it took; nothing where the clock was set back meanwhile."""
        return max(0.0, (self.finished - self.started).total_seconds())

    @property
    def has_succeeded(self) -> bool:
        return self.status is RunStatus.SUCCEEDED

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.folder / f"{self.runbook}.ipynb"


@dataclass(frozen=True)
class Record:
    """A record folder; reading its properties reads its files."""

    folder: Path
    status: RunStatus
    result: RunResult | None = None

    @property
    def runbook(self) -> str:
        if self.result:
            return self.result.runbook
        return re.sub(r"^[^-]*-|-\d+$", "", self.folder.name)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the run was given; empty if that cannot be read."""
        try:
            content = json.loads((self.folder / "parameters.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events told so far, each with its `time`; a line that cannot be read is left out."""
        return read_events(self.folder)[0]


def read_record(folder: Path) -> Record:
    """Reads what a run left; says `running` or `unfinished` where no result was written."""
    if not (folder / "parameters.json").is_file():
        raise FedikitError(f"{folder} is not the record of a run")
    try:
        result = RunResult.model_validate_json((folder / "result.json").read_bytes())
    except FileNotFoundError:
        return Record(folder, RunStatus.RUNNING if _is_held(folder) else RunStatus.UNFINISHED)
    except ValidationError as error:
        raise FedikitError(f"{folder}/result.json was not written by this version of fedikit") from error
    except OSError as error:
        raise FedikitError(f"{folder}/result.json cannot be read: {_reason(error)}") from error
    return Record(folder, result.status, result.model_copy(update={"folder": folder}))


def read_events(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events that a record tells from an offset on, in bytes, and the offset at which the next ones will begin."""
    try:
        with (folder / "events.ndjson").open("rb") as stream:
            stream.seek(offset)
            text = stream.read()
    except OSError:
        return [], offset
    whole = text[: text.rfind(b"\n") + 1]
    return [*events_in(whole.splitlines())], offset + len(whole)


def record_folders(records: Path) -> list[Path]:
    """The folders of all records in a folder, oldest first. Raises FedikitError if it cannot be looked into."""
    try:
        names = sorted(os.listdir(records))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FedikitError(f"the records in {records} cannot be read: {_reason(error)}") from error
    return [records / name for name in names if (records / name / "parameters.json").is_file()]


def list_records(records: Path) -> list[Record]:
    """Reads every record in a folder of records, oldest first; one that is damaged hides no other."""
    return [_as_far_as_readable(folder) for folder in record_folders(records)]


def newest_record(records: Path) -> Record | None:
    """Reads the newest record in a folder of records, damaged or not."""
    folders = record_folders(records)
    return _as_far_as_readable(folders[-1]) if folders else None


def _as_far_as_readable(folder: Path) -> Record:
    try:
        return read_record(folder)
    except FedikitError:
        return Record(folder, RunStatus.UNREADABLE)


def open_record(records: Path, name: str, parameters: RunbookParameters) -> Path:
    """Makes the folder of a new run, for its owner only, and writes the parameters."""
    with writing(records):
        records.mkdir(parents=True, exist_ok=True)
        folder = _new_folder(records, f"{_next_time(records):{_STAMP}}-{name}")
    try:
        write_whole(folder / "parameters.json", parameters.model_dump_json(indent=2))
    except FedikitError:
        folder.rmdir()
        raise
    return folder


def circumstances() -> dict[str, Any]:
    """What a result says of who ran it, with what, and until when."""
    versions = {"fedikit": __version__, "python": platform.python_version()}
    return {"finished": datetime.now(UTC), "user": os.environ.get(OPERATOR) or user_name(), "versions": versions}


def close_record(folder: Path, result: RunResult) -> None:
    """Writes the result, whole or not at all."""
    write_whole(folder / "result.json", result.model_dump_json(indent=2))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Marks the run as going on; the kernel of the operating system forgets the mark with the process."""
    try:
        file = (folder / "parameters.json").open()
    except OSError:  # it was taken away; the run goes on
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def as_line(event: Event) -> dict[str, Any]:
    """An event as a record has it: with its time, which is now."""
    return {"time": datetime.now(UTC).isoformat(), **as_record(event)}


class EventLog:
    """Appends events to a record, from whichever thread. A full disk costs events, but not the run."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._start = ""

    def __call__(self, event: Event) -> None:
        line = json.dumps(as_line(event), ensure_ascii=False)
        with self._lock:
            try:
                with open(self._file, "a", opener=_private) as file:
                    file.write(f"{self._start}{line}\n")
                self._start = ""
            except OSError:
                self._start = "\n"  # ends what was written of it


def _next_time(records: Path) -> datetime:
    """Now, or else a second after the newest record's name."""
    now = datetime.now(UTC)
    for folder in reversed(record_folders(records)):
        try:
            newest = datetime.strptime(folder.name.partition("-")[0], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        return newest + timedelta(seconds=1) if newest > now else now
    return now


def _new_folder(records: Path, stem: str) -> Path:
    for number in count(1):
        folder = records / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("counting does not end")


def _is_held(folder: Path) -> bool:
    with (folder / "parameters.json").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_whole(file: Path, text: str) -> None:
    """Writes a file for its owner only, whole or not at all; whoever writes last wins. Raises FedikitError."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}.new")
    with writing(file):
        try:
            with open(fresh, "w", opener=_private) as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(file)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Raises FedikitError where the operating system does not let a file be written."""
    try:
        yield
    except OSError as error:
        hint = "make room on this machine" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise FedikitError(f"{file} cannot be written: {_reason(error)}", hint=hint) from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
