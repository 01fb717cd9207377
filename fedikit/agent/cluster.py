"""The nodes among which Garage spreads its objects: who has which role, one version of the layout at a time.

Roles of ours bear the tags `fedikit` and the host's name, the first host's also `leads`; others are left alone. A node
that leaves is drained: Garage moves what it holds to the others, and only then is the work done.

A version of the layout that is replaced stays at work until all tables have followed (`Draining` in its history).
Blocks follow later: a node looks for one at most twice the RPC timeout, 10 s, after it heard that it should have it.
"""

import hashlib
import json
import re
import time
from typing import Any

from .exchange import ask
from .eyes import ABSENT, Eyes, State
from .garage import LOOK_SECONDS, PAUSE_SECONDS, Garage, NotReady, Record
from .hands import Hands
from .trouble import Trouble
from .work import Work

Item = dict[str, Any]
OURS, LEADS = "fedikit", "leads"
MEETING_SECONDS = 600
STALLED_SECONDS = 1800
QUIET_SECONDS = 25
GIGABYTE = 10**9


class ClusterKind:
    def observe(self, eyes: Eyes, item: Item) -> State:
        try:
            garage = Garage.of(eyes, item, seconds=LOOK_SECONDS)
            return {"type": "cluster", "copies": _copies(garage), "roles": _roles(garage, item["host"])}
        except NotReady as reason:
            return {**ABSENT, "installed": False, "why": str(reason)}

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state["type"] == "absent":
            return [state.get("why", "absent")]
        wanted, present = _wanted(item), state["roles"]
        coming = [word for host, role in wanted.items() for word in _change(host, present.get(host), role)]
        leaving = [
            f"{host} leaves, once what it holds is with the others" for host in sorted(_ours(present) - wanted.keys())
        ]
        waiting = [] if done == _fingerprint(item) else ["waits until all data is where it belongs"]
        return coming + leaving or waiting

    def conflict(self, item: Item, state: State) -> str:
        if state["type"] == "absent":
            return ""
        if state["copies"] not in (item["copies"], None):
            return (
                f"Garage keeps {state['copies']} of each object here, and can never keep another number: "
                f"let replication_factor be {state['copies']}, or bring the objects into a new Garage on other hosts"
            )
        others = [host for host, role in state["roles"].items() if LEADS in role["tags"] and host != item["host"]]
        if others:
            return f"this Garage is led by {others[0]}, where its buckets are made: name {others[0]} first of its hosts"
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        garage = _awaited(hands, item)
        nodes = _nodes(garage, item, work.content(item).decode())
        present, wanted = _roles(garage, item["host"]), _wanted(item)
        changed = [host for host, role in wanted.items() if _change(host, present.get(host), role)]
        leaving = sorted(_ours(present) - wanted.keys())
        if changed or leaving:
            _meet(garage, {host: nodes[host] for host in wanted if host != item["host"]})
            _settle(garage, quiet=0)
            gone = _unreachable(garage, [present[host]["id"] for host in leaving], item["copies"])
            changes = [{"id": nodes[host].partition("@")[0], **wanted[host]} for host in changed]
            changes += [{"id": present[host]["id"], "remove": True} for host in leaving]
            _apply(garage, changes, gone)
        _settle(garage, quiet=QUIET_SECONDS if _moves_data(present, wanted) else 0)
        work.entry["done"] = _fingerprint(item)

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """Nodes keep their roles: where Garage leaves all its hosts there is nowhere to move data to."""
        return ""


def is_led_elsewhere(garage: Garage) -> bool:
    """Whether another node makes the buckets of this one's cluster."""
    own = _own_id(garage)
    return any(LEADS in role["tags"] and role["id"] != own for role in garage.call("GetClusterLayout")["roles"])


# What is there, and what is wanted


def _own_id(garage: Garage) -> str:
    (own,) = garage.call("GetNodeInfo", "node=self")["success"]
    return str(own)


def _roles(garage: Garage, here: str) -> dict[str, Record]:
    """By host, or by the beginning of an id if we do not know whose it is."""
    own = _own_id(garage)
    return {
        here if role["id"] == own else _host_in(role): {key: role[key] for key in ("id", "zone", "capacity", "tags")}
        for role in garage.call("GetClusterLayout")["roles"]
    }


def _host_in(role: Record) -> str:
    is_ours = len(role["tags"]) > 1 and role["tags"][0] == OURS
    return str(role["tags"][1] if is_ours else role["id"][:16])


def _ours(roles: dict[str, Record]) -> set[str]:
    return {host for host, role in roles.items() if role["tags"][:1] == [OURS]}


def _wanted(item: Item) -> dict[str, Record]:
    leads = {item["host"]: [LEADS]} if len(item["members"]) > 1 else {}
    return {
        member["host"]: {
            "zone": member["zone"],
            "capacity": member["capacity"],
            "tags": [OURS, member["host"], *leads.get(member["host"], [])],
        }
        for member in item["members"]
    }


def _without_id(role: Record) -> Record:
    return {key: value for key, value in role.items() if key != "id"}


def _change(host: str, present: Record | None, wanted: Record) -> list[str]:
    if present is None:
        return [f"{host} joins with {_room(wanted['capacity'])}"]
    if _without_id(present) == wanted:
        return []
    words = []
    if present["capacity"] != wanted["capacity"]:
        words.append(f"{host}: {_room(present['capacity'])} → {_room(wanted['capacity'])}")
    if present["zone"] != wanted["zone"]:
        words.append(f"{host}: zone {present['zone']} → {wanted['zone']}")
    return words or [f"{host} gets its name in the layout"]


def _room(capacity: int | None) -> str:
    return "no room of its own" if capacity is None else f"{capacity / GIGABYTE:g} GB"


def _moves_data(present: dict[str, Record], wanted: dict[str, Record]) -> bool:
    """Whether objects may be elsewhere than they shall be.

    Also if nothing is to change: then an earlier wait was cut short.
    """
    before, after = _storing(present), _storing(wanted)
    is_new = before != after or not any(_change(host, present.get(host), role) for host, role in wanted.items())
    return bool(before) and is_new


def _storing(roles: dict[str, Record]) -> dict[str, tuple[str, int]]:
    return {host: (role["zone"], role["capacity"]) for host, role in roles.items() if role["capacity"] is not None}


def _fingerprint(item: Item) -> str:
    return hashlib.sha256(json.dumps(_wanted(item), sort_keys=True).encode()).hexdigest()[:16]


def _copies(garage: Garage) -> int | None:
    """How many copies of each object Garage keeps; it tells that among its metrics only."""
    try:
        answer = ask(garage.admin, "GET /metrics", seconds=LOOK_SECONDS)
    except OSError:
        return None
    found = re.search(rb"^garage_replication_factor(?:\{[^}]*\})? ([0-9]+)", answer.body, re.MULTILINE)
    return int(found[1]) if found else None


# Acts


def _awaited(eyes: Eyes, item: Item) -> Garage:
    """Garage as soon as it can be asked, also without a layout."""
    deadline = time.monotonic() + MEETING_SECONDS / 10
    while True:
        try:
            garage = Garage.of(eyes, item)
            garage.call("GetClusterLayout")
        except NotReady as reason:
            if time.monotonic() > deadline:
                raise Trouble(f"{reason} ({reason.detail})", hint="see what journalctl --unit garage says") from reason
            time.sleep(PAUSE_SECONDS)
        else:
            return garage


def _nodes(garage: Garage, item: Item, content: str) -> dict[str, str]:
    """By host, its node's id and address; of this host, Garage itself knows best."""
    nodes = dict(line.split(" ", 1) for line in content.splitlines())
    own = _own_id(garage)
    if nodes.setdefault(item["host"], own).partition("@")[0] != own:
        raise Trouble(
            f"Garage has data under another id here than the other hosts know it by: {own}",
            hint=f'name it in the environment: [policies.bucket.nodes] {item["host"]} = "{own}"',
        )
    return nodes


def _meet(garage: Garage, nodes: dict[str, str]) -> None:
    """Waits until all nodes are seen: they may be starting just now."""
    deadline = time.monotonic() + MEETING_SECONDS
    while away := [host for host, node in nodes.items() if node.partition("@")[0] not in _ids_up(garage)]:
        told = garage.call("ConnectClusterNodes", body=[nodes[host] for host in away])
        errors = [str(result["error"]) for result in told if not result["success"]]
        if errors and time.monotonic() > deadline:
            raise Trouble(
                f"Garage does not reach {', '.join(away)}, waited {MEETING_SECONDS} s for it",
                hint="does garage.service run there, and does port 3901 answer this host?",
            )
        time.sleep(PAUSE_SECONDS)


def _ids_up(garage: Garage) -> set[str]:
    return {node["id"] for node in garage.call("GetClusterStatus")["nodes"] if node["isUp"]}


def _unreachable(garage: Garage, ids: list[str], copies: int) -> list[str]:
    """Those that leave and do not answer; trouble if what they hold may be nowhere else.

    With three copies, a quorum of the others has all of it, and Garage goes on without them.
    """
    gone = sorted(set(ids) - _ids_up(garage))
    if gone and copies < 3:
        raise Trouble(
            "a host leaves that does not answer, so that its data cannot follow",
            hint="start it and do the same again; if it is lost, see docs/services/garage.md: Hosts that are lost",
        )
    return gone


def _apply(garage: Garage, changes: list[Record], gone: list[str]) -> None:
    layout = garage.call("GetClusterLayout")
    ids = {change["id"] for change in changes}
    if layout["stagedParameters"] or any(change["id"] not in ids for change in layout["stagedRoleChanges"]):
        raise Trouble(
            "somebody else is changing Garage's layout", hint="apply or revert that first: garage layout show"
        )
    garage.call("UpdateClusterLayout", body={"roles": changes})
    version = layout["version"] + 1
    garage.call("ApplyClusterLayout", body={"version": version})
    if gone:
        garage.call("ClusterLayoutSkipDeadNodes", body={"version": version, "allowMissingData": False})


def _settle(garage: Garage, *, quiet: float) -> None:
    """Waits until the layout is the only one at work and, for so many seconds, no node has looked for a block."""
    last, since, moved = "", time.monotonic(), time.monotonic()
    while (busy := _busy(garage)) or time.monotonic() - since < quiet:
        now = time.monotonic()
        since = now if busy else since
        moved = moved if busy == last else now
        if busy and now - moved > STALLED_SECONDS:
            raise Trouble(
                f"Garage's data has not moved for {STALLED_SECONDS // 60} minutes: {busy}",
                hint="are all its hosts up? `garage status` and `garage worker list` say more; then do the same again",
            )
        last = busy
        time.sleep(PAUSE_SECONDS)


def _busy(garage: Garage) -> str:
    """What Garage still moves, in words; nothing if all is where it belongs."""
    versions = garage.call("GetClusterLayoutHistory")["versions"]
    if any(version["status"] == "Draining" for version in versions):
        return "tables are on their way to other hosts"
    answers = garage.call("ListWorkers", "node=*", body={})["success"]
    workers = [each for node in answers.values() for each in node if each["name"].startswith("Block resync worker")]
    if failing := max((worker["persistentErrors"] or 0 for worker in workers), default=0):
        return f"{failing} blocks cannot be fetched"
    waiting = [worker["queueLength"] or 0 for worker in workers if worker["state"] not in ("idle", "done")]
    return f"up to {max(waiting)} blocks of a host are on their way" if waiting else ""
