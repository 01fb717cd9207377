"""Runs one order of a panel in a process of its own, which first decides whether that operator may have it done."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fedikit.panel.desk import WANTED, Desk
from fedikit.panel.order import Order
from fedikit.remote.session import OPERATOR, user_name
from fedikit.runbook import detached
from fedikit.runbook.detached import Keeper, RefusedOrder, keeper_of, launch
from fedikit.runbook.own_process import keep_record, telling_refusals, this_process
from fedikit.runbook.record import Record, RunStatus
from fedikit.runbook.work import at_work

__all__ = ["RefusedOrder", "Runner", "cancel", "order_of", "runner_of", "start"]


NAMES_MINUTES = 720.0
"""For how long a run waits for names that somebody sets: nobody sits in front of it."""


class Runner(Keeper):
    """The process that keeps a record of an order."""

    order: Order
    """What is done, but for the document, which may hold a password: its place is the parameter `configuration`."""

    @property
    def dry_run(self) -> bool:
        return not self.order.changes_hosts

    @property
    def runbook(self) -> str:
        return self.order.runbook


def start(order: Order) -> Path:
    """Begins the run and returns the folder of its record. Raises RefusedOrder, with the reason, if there is none."""
    return launch("fedikit.panel.runner", order)


def runner_of(record: Path) -> Runner | None:
    """Who keeps a record; None if no panel began it."""
    return keeper_of(record, Runner)


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
    """Asks a run to stop, and says whether there was one to ask; see `detached.cancel`."""
    return detached.cancel(record, Runner, who)


def main() -> None:
    """The process of one run."""
    with telling_refusals():
        order = Order.model_validate_json(sys.stdin.buffer.read())
        desk = Desk.at(order.place)
        desk.rights.permit(order)
        _run(order, desk)


def _run(order: Order, desk: Desk) -> None:
    who = desk.who or user_name()
    if desk.who:
        os.environ[OPERATOR] = f"{who}, agreed to by {order.approver}" if order.approver else who
    other = [desk.away.file] if order.runbook == "migrate" else []
    with ExitStack() as taken:
        files = [file for file in (desk.environment, *other) if file]
        marks = [taken.enter_context(at_work(file, who, order.runbook)) for file in files]
        parameters = _parameters(order, desk)
        desk.forget_request()
        keeper = Runner(**this_process(who), order=order.model_copy(update={"document": None}))
        keep_record(order.runbook, parameters, records=desk.records, marks=marks, keeper=keeper)


def _parameters(order: Order, desk: Desk) -> dict[str, Any]:
    """What the runbook is given; the configuration that is wanted is checked, and put in its place."""
    if order.runbook == "migrate":
        return _moving(order, desk)
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
        case "backup":
            return {**common, "dry_run": order.dry_run}
        case "restore":
            return {**common, **_acting(order), "application": order.application, "at": order.backup}
    return common


def _moving(order: Order, desk: Desk) -> dict[str, Any]:
    sides = {"old": str(desk.environment), "new": str(desk.away.file)}
    how = {"rehearse": order.rehearse, "back": order.back, "names_within": NAMES_MINUTES}
    return {"configuration": str(desk.configuration), **sides, **how, **_acting(order)}


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


if __name__ == "__main__":
    main()
