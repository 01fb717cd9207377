"""Runs in a process of their own, which outlives the page, the kernel and whoever else began them.

`launch` begins such a process and returns the record that it writes; what the process does is told in `own_process`.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fedikit.errors import FedikitError
from fedikit.model.value import Value
from fedikit.runbook.record import RunStatus, read_record, write_whole


class Keeper(Value):
    """The process that keeps a record, and for whom: `runner.json` in it."""

    who: str
    pid: int
    born: int
    """When the process started, in ticks since the boot, so that another one with its number is not taken for it."""
    cancelled_by: str = ""


AnyKeeper = TypeVar("AnyKeeper", bound=Keeper)


class RunOrder(Value):
    """A run that a notebook wants."""

    runbook: str
    parameters: dict[str, Any]
    records: str


class RefusedOrder(FedikitError):
    """The order was not begun; says why."""


def launch(module: str, order: Value) -> Path:
    """Begins the run and returns the folder of its record. Raises RefusedOrder, with the reason, if there is none."""
    command = [sys.executable, "-P", "-m", module]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(order.model_dump_json().encode())
    with process.stdout as stdout:
        answer = stdout.readline()
    threading.Thread(target=process.wait, name=f"await {process.pid}", daemon=True).start()
    said = json.loads(answer) if answer else {"refused": "the run ended before it began", "hint": ""}
    if "refused" in said:
        raise RefusedOrder(said["refused"], hint=said["hint"])
    return Path(said["record"])


def keeper_of(record: Path, kind: type[AnyKeeper]) -> AnyKeeper | None:
    """Who keeps a record; None if it was not begun in such a way."""
    try:
        return kind.model_validate_json((record / "runner.json").read_bytes())
    except (OSError, ValidationError):
        return None


def cancel(record: Path, kind: type[Keeper], who: str) -> bool:
    """Asks a run to stop, and says whether there was one to ask.

    What hosts are at they bring to its end; no other host is begun. A second time, it is stopped at once.
    """
    keeper = keeper_of(record, kind)
    if keeper is None or read_record(record).status is not RunStatus.RUNNING or born(keeper.pid) != keeper.born:
        return False
    write_keeper(record, keeper.model_copy(update={"cancelled_by": who}))
    with suppress(ProcessLookupError):
        os.kill(keeper.pid, signal.SIGTERM)
    return True


def write_keeper(record: Path, keeper: Keeper) -> None:
    """Says in a record who keeps it."""
    write_whole(record / "runner.json", keeper.model_dump_json(indent=1))


def born(pid: int) -> int:
    """When a process started, in ticks since the boot; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
