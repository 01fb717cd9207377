"""systemd units.

A unit notes in its entry the fingerprint of what it was last started with, as `RESTART:RELOAD`, two digests over the
items that it answers to: so a restart that a killed agent still owed is made up for.
"""

import contextlib
from typing import TYPE_CHECKING, Any

from ..bystander import wake
from ..change import Change
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..ledger import Record
from ..settling import wait_until_settled
from ..systemd import reread, set_enabled, tell
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..batch import Batch

Item = dict[str, Any]


class UnitKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        state = eyes.unit(item["name"])
        return {"type": "unit", **state} if state["exists"] else ABSENT

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        enabled = [] if state["enabled"] == item["enabled"] else [_change(state["enabled"], "enabled", "disabled")]
        active = [] if state["active"] == item["active"] else [_change(state["active"], "active", "inactive")]
        owed = ["to restart or reload"] if item["active"] and done != item["fingerprint"] and not active else []
        return enabled + active + owed

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        name = item["name"]
        hands.look_afresh()
        state = self.observe(hands, item)
        if hands.is_unit_outdated(name):
            reread(hands)
            hands.look_afresh()
            state = self.observe(hands, item)
        if state == ABSENT:
            raise Trouble(
                f"there is no unit {name} on this host", hint="list the package or file that brings it before it"
            )
        if verb := _verb(item, state, work.done):
            tell(hands, verb, name)
        work.entry["done"] = item["fingerprint"]

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        hands.look_afresh()
        state = self.observe(hands, item)
        if state == ABSENT:
            return ""
        was_enabled, was_active = work.prior.get("enabled", False), work.prior.get("active", False)
        if state["enabled"] != was_enabled:
            hands.run(["systemctl", "--quiet", "--no-reload", "enable" if was_enabled else "disable", item["name"]])
        if not was_active:
            tell(hands, "stop", item["name"])
            with contextlib.suppress(Trouble):  # only a unit that failed can be told to forget it
                hands.run(["systemctl", "reset-failed", item["name"]])
        return ""

    def look_ahead(self, eyes: Eyes, items: list[Item]) -> None:
        eyes.look_at_units(sorted({item["name"] for item in items}))

    def owed(self, item: Item, mended: set[str]) -> list[str]:
        """A unit whose files are as wanted by its fingerprint still has to take up those that are mended now."""
        return ["to restart or reload"] if item["active"] and mended & _watched_by(item) else []

    def clear(self, entry: Record, mended: set[str]) -> None:
        """What a unit runs with, less what is about to change under it: so that a restart is owed from now on."""
        done, unit = entry["done"], entry["item"]
        if not done or mended.intersection(unit["restart_on"]):
            entry["done"] = None
        elif mended.intersection(unit["reload_on"]):
            entry["done"] = done.split(":")[0] + ":"

    def after_making(self, batch: "Batch", made: list[Change]) -> None:
        """Which of them start at boot, all at once: to enable a unit takes systemd longer than to start it."""
        hands = batch.hands
        hands.look_afresh()
        hands.look_at_units([change.item["name"] for change in made])
        for enabled in (True, False):
            names = [
                name
                for change in made
                if change.item["enabled"] == enabled != hands.unit(name := change.item["name"])["enabled"]
            ]
            if names:
                set_enabled(hands, names, enabled=enabled)

    def finish(self, batch: "Batch", wanted: list[Change]) -> None:
        """Trouble if a unit that was just started has fallen over since; most that cannot run do so at once."""
        hands, items = batch.hands, [change.item for change in wanted if change.is_making]
        wait_until_settled(hands, [item["name"] for item in items if item["active"]])
        hands.look_afresh()
        hands.look_at_units([item["name"] for item in items])
        for item in items:
            if item["active"] and not hands.unit(item["name"])["active"]:
                condition = hands.unit(item["name"])["condition"]
                trouble = Trouble(f"did not stay up: {condition}", tail=hands.journal_of(item["name"]))
                trouble.item = item["id"]
                raise trouble

    def unit(self, item: Item) -> str:
        return str(item["name"])

    def is_owed(self, change: Change) -> bool:
        return change.action == "restore"

    def after_leaving(self, batch: "Batch", left: list[Change]) -> None:
        """Has systemd read what is left, and restarts units that ran before fedikit: their files are as they were."""
        returning = [change for change in left if change.action == "restore" and _prior(batch, change)["active"]]
        if any(change.action in ("delete", "restore") for change in left):
            reread(batch.hands)
        for change in returning:
            tell(batch.hands, "restart", change.item["name"])

    def once_more(self, batch: "Batch", left: list[Change]) -> None:
        woken = [change for change in left if change.action == "restore"]
        if woken:
            reread(batch.hands)
        for change in woken:
            wake(batch.hands, change.item["name"], _prior(batch, change))


KIND = UnitKind()


def _prior(batch: "Batch", change: Change) -> State:
    prior: State = batch.ledger.entries[change.id]["prior"]
    return prior


def _watched_by(unit: Item) -> set[str]:
    """The ids of the items that a unit answers to."""
    return {*unit["restart_on"], *unit["reload_on"]}


def _change(is_now: bool, yes: str, no: str) -> str:
    return f"{yes} → {no}" if is_now else f"{no} → {yes}"


def _verb(item: Item, state: State, done: str) -> str:
    """What is left to do so that the unit runs with what is on the disk now."""
    if not item["active"]:
        return "stop" if state["active"] else ""
    if not state["active"]:
        return "start"
    if done == item["fingerprint"]:
        return ""
    is_reload_enough = done.split(":")[0] == item["fingerprint"].split(":")[0] and state["can_reload"]
    return "reload" if is_reload_enough else "restart"
