"""The firewall. New rules are on trial until the deployer has reached the host anew; only then are they kept.

It notes in its entry, as `done`, the digest of the rules and that of our table as the kernel tells of it: so it is seen
when somebody else changes the table.
"""

from typing import Any

from .. import nftables, trial
from ..blobs import Blobs
from ..change import Change
from ..eyes import ABSENT, Eyes, State
from ..hands import Hands
from ..ledger import Record
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

Item = dict[str, Any]
KEPT = "/etc/fedikit/firewall.nft"
"""The rules that are loaded when the host starts."""
LARGEST = 1 << 20
SSH_PROGRAMS = ("sshd", "dropbear")


class FirewallKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        table, kept, rival = nftables.listing(eyes), eyes.file_state(KEPT), nftables.rival(eyes)
        besides = {"rival": rival} if rival else {}
        if not table and kept == ABSENT:
            return ABSENT | besides
        told = {"table": table and nftables.digest(table), "kept": kept.get("sha256", "")}
        return {"type": "firewall", **told, **besides}

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state["type"] == "absent":
            return ["absent"]
        if not state["table"]:
            return ["is not in force"]
        rules, _, table = done.partition(":")
        if rules != item["sha256"]:
            return ["rules"]
        if table != state["table"]:
            return ["was changed by somebody else"]
        return [] if state["kept"] == item["sha256"] else ["is not kept for the next start"]

    def conflict(self, item: Item, state: State) -> str:
        return _fight(state["rival"]) if "rival" in state else ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        if rival := nftables.rival(hands):
            raise Trouble(_fight(rival))
        rules, seconds = work.content(item), item["confirm_seconds"]
        tried = trial.begin(hands, seconds)
        try:
            nftables.load(hands, rules)
            work.tell({"event": "unconfirmed", "token": tried.token, "seconds": seconds})
            if not trial.is_confirmed(tried, seconds) and trial.undo(hands, tried):
                raise _cut_off(item)
            work.entry["done"] = f"{item['sha256']}:{nftables.digest(nftables.listing(hands))}"
            hands.write(KEPT, rules, owner="root", group="root", mode="0600")
        finally:
            trial.undo(hands, tried)
            trial.end(hands, tried)

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        trial.end_all(hands)
        nftables.delete(hands)
        hands.delete(KEPT)
        return ""

    def prior(self, hands: Hands, change: Change, blobs: Blobs) -> State:
        """The table has our name: there is nobody else's to come back."""
        return ABSENT

    def shown(self, eyes: Eyes, change: Change, blobs: Blobs | None) -> Record:
        """The rules of before, and what would be cut off by the new ones."""
        if change.action == "delete" or not change.is_making:
            return {}
        item = change.item
        is_at_hand = blobs and blobs.has(item["sha256"])
        return {
            "before": _text(eyes.beginning(KEPT, LARGEST)),
            "after": _text(blobs.read(item["sha256"])) if blobs and is_at_hand else None,
            "reasons": [*change.reasons, *_cut(eyes, item)],
        }

    def held_by(self, deployment: str) -> str:
        return (
            f"{super().held_by(deployment)}: let that one's environment open what this one needs "
            "(policies.firewall.open), and leave this host out of policies.firewall.hosts here"
        )

    def concerns(self, deployment: str) -> str:
        return (
            f"the deployment {deployment} has a firewall here: from elsewhere only that is reached which "
            "policies.firewall of its environment opens"
        )

    def place(self, item: Item) -> str:
        return KEPT


KIND = FirewallKind()


def _cut(eyes: Eyes, item: Item) -> list[str]:
    """What listens now, and could not be reached any more; and what speaks against SSH being where it is let in."""
    from ..listeners import reached_from_elsewhere  # not needed where nothing changes

    closed = [one for one in reached_from_elsewhere(eyes.root) if one.door not in item["ports"]]
    programs = [one.holder.program or "something" for one in closed]
    words = [
        f"closes port {one.port} ({one.protocol}), where {program} listens"
        for one, program in zip(closed, programs, strict=True)
    ]
    if elsewhere := [one.port for one in closed if one.holder.program in SSH_PROGRAMS]:
        words.append(f"SSH listens at {elsewhere[0]} here, and is let in at {item['ssh_port']}")
    return words


def _fight(rival: str) -> str:
    return (
        f"{rival} closes ports here too, and a packet must pass both: take that out of force, "
        "or leave this host out of policies.firewall.hosts"
    )


def _cut_off(item: Item) -> Trouble:
    return Trouble(
        f"the deployer did not reach this host by a new connection within {item['confirm_seconds']} s of the change, "
        "so the rules from before are back in force",
        hint=f"let SSH in from where the deployer is, at port {item['ssh_port']}: policies.firewall.ssh_from",
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")
