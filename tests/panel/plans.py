"""Plans between two deployments, as hosts would answer; so that words can be tested without any."""

from typing import Any

from fedikit.model import Deployment
from fedikit.model.item import File, Item, Unit, class_of
from fedikit.results.plan import HostPlan, Plan, PlannedChange, Question


def plan_between(
    before: Deployment, after: Deployment, *, hosts: dict[str, Any] | None = None, **question: Any
) -> Plan:
    """What it takes to come from one to the other; `hosts`: what else their plans say."""
    asked = Question(**{"purpose": "apply", **question})
    planned = {
        name: HostPlan(host=name, changes=_changes(before, after, name, asked), **(hosts or {}).get(name, {}))
        for name in after.hosts
    }
    return Plan(**dict(asked), deployment=after, hosts=planned, seconds=0.1)


def _changes(before: Deployment, after: Deployment, host: str, asked: Question) -> tuple[PlannedChange, ...]:
    had = {item.id: item for item in before.hosts[host].items}
    wanted = {item.id: item for item in after.hosts[host].items}
    changes = [_leaving(item, asked) for id, item in reversed(had.items()) if id not in wanted]
    changed: set[str] = set()
    for id, item in wanted.items():
        if (change := _change(had.get(id), item, changed)) is not None:
            changed.add(id)
            changes.append(change)
    return tuple(changes)


def _leaving(item: Item, asked: Question) -> PlannedChange:
    bears_data = class_of(item.id).is_store or bool(getattr(item, "data", False))
    stays = bears_data and not asked.purge
    reasons = ("bears data",) if stays else ()
    return PlannedChange(id=item.id, action="keep" if stays else "delete", reasons=reasons, data=bears_data)


def _change(had: Item | None, item: Item, changed: set[str]) -> PlannedChange | None:
    if had is None:
        return PlannedChange(id=item.id, action="run" if item.kind == "job" else "create", reasons=("absent",))
    if isinstance(item, Unit) and changed.intersection(item.watched):
        return PlannedChange(id=item.id, action="update", reasons=("to restart or reload",))
    if had == item:
        return None
    if isinstance(had, File) and isinstance(item, File) and isinstance(item.content, str):
        return PlannedChange(id=item.id, action="update", reasons=("content",), before=had.content, after=item.content)
    return PlannedChange(id=item.id, action="run" if item.kind == "job" else "update", reasons=("its inputs changed",))
