"""systemd units.

A unit notes in its entry the fingerprint of what it was last started with, as `RESTART:RELOAD`, two digests over the
items that it answers to: so a restart that a killed agent still owed is made up for.
"""

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ..bystander import wake
from ..change import Change
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..ledger import Record
from ..systemd import require_up, reread, set_enabled, tell
from ..trouble import Trouble
from ..unit_state import STEADY_SECONDS
from ..work import Work
from .kind import Kind

if TYPE_CHECKING:
    from ..batch import Batch

Item = dict[str, Any]
LOOK_SECONDS = 0.5
MARGIN_SECONDS = 5
OWED = "owed"
"""What stands in the place of what was done where that counts no more."""
MASKED_BY_PACKAGES = "/var/lib/systemd/deb-systemd-helper-masked"
"""Debian's packages mask their units when they leave, until they come again, and note that here."""


class UnitKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        state = eyes.unit(item["name"])
        if state["masked"] and not eyes.exists(f"{MASKED_BY_PACKAGES}/{item['name']}"):
            return {**ABSENT, "installed": False, "masked": state["masked"], "active": state["active"]}
        return {"type": "unit", **state} if state["exists"] else ABSENT

    def conflict(self, item: Item, state: State) -> str:
        is_held = not item["enabled"] and not item["active"]
        return f"is masked: {state['masked']} lets it run" if state.get("masked") and not is_held else ""

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state == ABSENT:
            return ["absent"]
        if state["type"] == "absent":
            return ["active → inactive"] if state["active"] else []  # masked, and not to run
        is_as_wanted = state["is_fixed"] or state["enabled"] == item["enabled"]
        enabled = [] if is_as_wanted else [_change(state["enabled"], "enabled", "disabled")]
        active = [] if state["active"] == item["active"] else [_change(state["active"], "active", "inactive")]
        active += [state["fallen"]] if active and state["fallen"] else []
        active += [f"its file cannot be used: {state['broken']}"] if state["broken"] else []
        is_owed = done not in (
            "",
            item["fingerprint"],
        )  # one that runs, and that nothing changes for, is taken as it is
        owed = ["to restart or reload"] if item["active"] and is_owed and not active else []
        return enabled + active + owed

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        name = item["name"]
        hands.look_at_units([name])
        state = self.observe(hands, item)
        if hands.is_unit_outdated(name):
            reread(hands)
            hands.look_at_units([name])
            state = self.observe(hands, item)
        if state == ABSENT:
            raise Trouble(
                f"there is no unit {name} on this host", hint="list the package or file that brings it before it"
            )
        if conflict := self.conflict(item, state):
            raise Trouble(conflict)
        if state.get("broken"):
            raise Trouble(
                f"the file of {name} cannot be used: {state['broken']}", hint=f"systemd-analyze verify {name}"
            )
        if verb := _verb(item, state, work.done):
            tell(hands, verb, name)
        work.entry["done"] = item["fingerprint"]

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        hands.look_afresh()
        state = self.observe(hands, item)
        if state["type"] == "absent":
            return ""
        was_enabled, was_active = work.prior.get("enabled", False), work.prior.get("active", False)
        if not state["is_fixed"] and state["enabled"] != was_enabled:
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
        if mended.intersection(unit["restart_on"]):
            entry["done"] = OWED
        elif mended.intersection(unit["reload_on"]):
            entry["done"] = (done or OWED).split(":")[0] + ":"

    def after_making(self, batch: "Batch", made: list[Change]) -> None:
        """Which of them start at boot, all at once: to enable a unit takes systemd longer than to start it.

        Whether they did is known from when they were made.
        """
        from ..settling import Settling  # not needed to plan

        batch.work.settling = Settling(batch.hands, _to_run(made))
        for enabled in (True, False):
            if names := [change.item["name"] for change in made if _is_to_be(batch.hands, change.item, enabled)]:
                set_enabled(batch.hands, names, enabled=enabled)

    def finish(self, batch: "Batch", wanted: list[Change]) -> None:
        """Trouble if a unit that was just started has fallen over since; most that cannot run do so at once."""
        from ..settling import Settling  # not needed to plan

        hands, making = batch.hands, [change for change in wanted if change.is_making]
        settling, names = batch.work.settling, _to_run(making)
        (settling if settling and settling.names == names else Settling(hands, names)).wait()
        items = [change.item for change in making]
        hands.look_afresh()
        hands.look_at_units([item["name"] for item in items])
        for item in items:
            if item["active"]:
                self._require_up(batch, item)

    def _require_up(self, batch: "Batch", item: Item) -> None:
        """One that fell over is owed a start, also if systemd has it up again by the time somebody looks."""
        _await_steady(batch.hands, item["name"])
        try:
            require_up(batch.hands, item["name"])
        except Trouble as trouble:
            trouble.item = item["id"]
            batch.ledger.entries[item["id"]]["done"] = OWED
            batch.ledger.save()
            raise

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


def _await_steady(hands: Hands, name: str) -> None:
    """One that systemd had to start again is given the time to show that it is steady."""
    deadline = time.monotonic() + STEADY_SECONDS + MARGIN_SECONDS
    while hands.unit(name)["is_unsteady"] and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        hands.look_afresh()


def _to_run(changes: list[Change]) -> list[str]:
    return [change.item["name"] for change in changes if change.item["active"]]


def _is_to_be(eyes: Eyes, item: Item, enabled: bool) -> bool:
    """Whether it is still to be enabled, or to be disabled; some units are neither, whatever is said."""
    state = eyes.unit(item["name"])
    return item["enabled"] == enabled != state["enabled"] and not state["is_fixed"] and not state["masked"]


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
    if done in ("", item["fingerprint"]):
        return ""
    is_reload_enough = done.split(":")[0] == item["fingerprint"].split(":")[0] and state["can_reload"]
    return "reload" if is_reload_enough else "restart"
