"""What a process that was launched to run one runbook does.

It reads its order from standard input, takes its environments, says in one line which record it keeps, or why there is
none, lets go of its starter, and runs the runbook as `fedikit run` does. This module is the process of a notebook's
button, whose user may do everything; the panel's decides before what its operator may.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from fedikit.errors import FedikitError
from fedikit.remote.session import user_name
from fedikit.runbook.arguments import find_file
from fedikit.runbook.detached import Keeper, RunOrder, born, write_keeper
from fedikit.runbook.parameters import parameters_model
from fedikit.runbook.runner import run_runbook
from fedikit.runbook.work import at_work, name_record

LONGEST = 24 * 3600.0  # seconds; long migrations take hours


@contextmanager
def telling_refusals() -> Iterator[None]:
    """Says to the starter why nothing was begun, if something is wrong."""
    try:
        yield
    except FedikitError as error:
        _answer(refused=error.headline, hint=error.hint)
        sys.exit(error.exit_status)
    except OSError as error:
        _answer(refused=f"this machine refused it: {error}", hint="")
        sys.exit(1)


def this_process(who: str) -> dict[str, Any]:
    """What a Keeper says of this very process."""
    return {"who": who, "pid": os.getpid(), "born": born(os.getpid())}


def keep_record(
    runbook: str, parameters: Mapping[str, Any], *, records: Path, marks: Sequence[int], keeper: Keeper
) -> None:
    """Runs the runbook as `fedikit run` does; once there is a record, nobody listens any more.

    `marks`: of the environments that were taken.
    """

    def opened(record: Path) -> None:
        write_keeper(record, keeper)
        for mark in marks:
            name_record(mark, record)
        _answer(record=str(record))
        _let_go(record / "runner.log")

    run_runbook(runbook, parameters, records=records, timeout=LONGEST, opened=opened)


def main() -> None:
    """The process of one run that a notebook wanted."""
    with telling_refusals():
        order = RunOrder.model_validate_json(sys.stdin.buffer.read())
        who, named = user_name(), parameters_model(order.runbook).environments
        with ExitStack() as taken:
            files = [find_file(order.parameters[name]) for name in named]
            marks = [taken.enter_context(at_work(file, who, order.runbook)) for file in files]
            keeper = Keeper(**this_process(who))
            keep_record(order.runbook, order.parameters, records=Path(order.records), marks=marks, keeper=keeper)


def _answer(**said: str) -> None:
    """Says it to the starter, who may be gone by now: the run goes on all the same."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), f"{json.dumps(said)}\n".encode())


def _let_go(log: Path) -> None:
    """From now on nobody listens: what is printed goes to the record."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    os.close(descriptor)


if __name__ == "__main__":
    main()
