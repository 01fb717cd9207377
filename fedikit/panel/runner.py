"""Runs one order in a process of its own, which outlives the page, the kernel and the panel that started it.

`start` begins such a process and returns the record that it writes. The process reads its order from standard input,
decides whether that operator may have it done, takes the environment, and says in one line which record it keeps, or
why there is none. Then it lets go of its starter, and runs the runbook as `fedikit run` does.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fedikit.errors import FedikitError
from fedikit.model.value import Value
from fedikit.panel.desk import WANTED, Desk
from fedikit.panel.order import Order
from fedikit.remote.session import OPERATOR, user_name
from fedikit.runbook.record import Record, RunStatus, read_record, write_whole
from fedikit.runbook.runner import run_runbook
from fedikit.runbook.work import at_work, name_record

LONGEST = 24 * 3600.0  # seconds; long migrations take hours


class Runner(Value):
    """The process that keeps a record, and for whom: `runner.json` in it."""

    who: str
    pid: int
    born: int
    """When the process started, in ticks since the boot, so that another one with its number is not taken for it."""
    order: Order
    """What is done, but for the document, which may hold a password: its place is the parameter `configuration`."""
    cancelled_by: str = ""

    @property
    def dry_run(self) -> bool:
        return not self.order.changes_hosts

    @property
    def runbook(self) -> str:
        return self.order.runbook


class RefusedOrder(FedikitError):
    """The order was not begun; says why."""


def start(order: Order) -> Path:
    """Begins the run and returns the folder of its record. Raises RefusedOrder, with the reason, if there is none."""
    command = [sys.executable, "-P", "-m", "fedikit.panel.runner"]
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


def runner_of(record: Path) -> Runner | None:
    """Who keeps a record; None if no panel began it."""
    try:
        return Runner.model_validate_json((record / "runner.json").read_bytes())
    except (OSError, ValidationError):
        return None


def order_of(record: Path) -> Order | None:
    """The order that a record is of, with the document that was wanted; None if no panel gave it, or it is damaged."""
    runner = runner_of(record)
    if runner is None:
        return None
    wanted = Path(str(Record(record, RunStatus.UNREADABLE).parameters.get("configuration", "")))
    try:
        document = json.loads(wanted.read_bytes()) if wanted.parent.name == WANTED else None
        return Order.model_validate({**runner.order.model_dump(), "document": document})
    except (OSError, ValueError):
        return None


def cancel(record: Path, who: str) -> bool:
    """Asks a run to stop, and says whether there was one to ask.

    What hosts are at they bring to its end; no other host is begun. A second time, it is stopped at once.
    """
    runner = runner_of(record)
    if runner is None or read_record(record).status is not RunStatus.RUNNING or _born(runner.pid) != runner.born:
        return False
    _keep_runner(record, runner.model_copy(update={"cancelled_by": who}))
    with suppress(ProcessLookupError):
        os.kill(runner.pid, signal.SIGTERM)
    return True


def main() -> None:
    """The process of one run."""
    try:
        order = Order.model_validate_json(sys.stdin.buffer.read())
        desk = Desk.at(order.place)
        desk.permit(order)
        _run(order, desk)
    except FedikitError as error:
        _answer(refused=error.headline, hint=error.hint)
        sys.exit(error.exit_status)
    except OSError as error:
        _answer(refused=f"this machine refused it: {error}", hint="")
        sys.exit(1)


def _run(order: Order, desk: Desk) -> None:
    who = desk.who or user_name()
    if desk.who:
        os.environ[OPERATOR] = f"{who}, agreed to by {order.approver}" if order.approver else who
    with at_work(desk.environment, who, order.runbook) as mark:
        parameters = _parameters(order, desk)
        desk.forget_request()

        def opened(record: Path) -> None:
            told = order.model_copy(update={"document": None})
            runner = Runner(who=who, pid=os.getpid(), born=_born(os.getpid()), order=told)
            _keep_runner(record, runner)
            name_record(mark, record)
            _answer(record=str(record))
            _let_go(record / "runner.log")

        run_runbook(order.runbook, parameters, records=desk.records, timeout=LONGEST, opened=opened)


def _parameters(order: Order, desk: Desk) -> dict[str, Any]:
    """What the runbook is given; the configuration that is wanted is checked, and put in its place."""
    common = {"environment": str(desk.environment)}
    if order.runbook == "remove":
        confirm = desk.hosting.name if order.purge else ""
        return {**common, **_acting(order), "purge": order.purge, "confirm": confirm}
    common["configuration"] = str(_configuration(order, desk))
    match order.runbook:
        case "deploy":
            return {**common, **_acting(order), "purge": order.purge, "consent": list(order.consent)}
        case "rollback":
            return {**common, **_acting(order), "to": order.to}
    return common


def _acting(order: Order) -> dict[str, Any]:
    return {"dry_run": order.dry_run, "agreed": order.agreed}


def _configuration(order: Order, desk: Desk) -> Path:
    if order.document is None:
        return desk.configuration
    desk.deployment(order.document)
    if order.dry_run:
        return desk.keep_wanted(order.document)
    desk.save(order.document)
    return desk.configuration


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


def _keep_runner(record: Path, runner: Runner) -> None:
    write_whole(record / "runner.json", runner.model_dump_json(indent=1))


def _born(pid: int) -> int:
    """When a process started, in ticks since the boot; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


if __name__ == "__main__":
    main()
