"""systemd units.

A unit notes in its entry the fingerprint of what it was last started with, as `RESTART:RELOAD`, two digests over the
items that it answers to: so a restart that a killed agent still owed is made up for.
"""

import contextlib
import time
from typing import Any

from .eyes import ABSENT, Eyes, State
from .hands import Hands
from .systemd import tell
from .trouble import Trouble
from .work import Work

Item = dict[str, Any]
SETTLING_SECONDS = 0.5


class UnitKind:
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

    def conflict(self, item: Item, state: State) -> str:
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        name = item["name"]
        hands.look_afresh()
        state = self.observe(hands, item)
        if hands.is_unit_outdated(name):
            hands.run(["systemctl", "daemon-reload"])
            hands.look_afresh()
            state = self.observe(hands, item)
        if state == ABSENT:
            raise Trouble(
                f"there is no unit {name} on this host", hint="list the package or file that brings it before it"
            )
        if state["enabled"] != item["enabled"]:
            hands.run(["systemctl", "--quiet", "enable" if item["enabled"] else "disable", name])
        verb = _verb(item, state, work.done)
        if verb:
            tell(hands, verb, name)
        work.entry["done"] = item["fingerprint"]

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        hands.look_afresh()
        state = self.observe(hands, item)
        if state == ABSENT:
            return ""
        was_enabled, was_active = work.prior.get("enabled", False), work.prior.get("active", False)
        if state["enabled"] != was_enabled:
            hands.run(["systemctl", "--quiet", "enable" if was_enabled else "disable", item["name"]])
        if not was_active:
            tell(hands, "stop", item["name"])
            with contextlib.suppress(Trouble):  # only a unit that failed can be told to forget it
                hands.run(["systemctl", "reset-failed", item["name"]])
        return ""


def bring_back(hands: Hands, items: list[Item]) -> None:
    """Restarts units that ran before fedikit, now that their files are as they were, and systemd has read them."""
    for item in items:
        tell(hands, "restart", item["name"])


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


def settle(hands: Hands, items: list[Item]) -> None:
    """Trouble if a unit that was just started has fallen over since; most that cannot run do so at once."""
    if any(item["active"] for item in items):
        time.sleep(SETTLING_SECONDS)
    hands.look_afresh()
    hands.look_at_units([item["name"] for item in items])
    for item in items:
        if item["active"] and not hands.unit(item["name"])["active"]:
            condition = hands.unit(item["name"])["condition"]
            trouble = Trouble(f"did not stay up: {condition}", tail=hands.journal_of(item["name"]))
            trouble.item = item["id"]
            raise trouble
