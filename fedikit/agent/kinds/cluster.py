"""The nodes among which Garage spreads its objects: who has which role.

Roles of ours bear the tags `fedikit` and the host's name, the first host's also `leads`; others are left alone. A node
that leaves is drained: Garage moves what it holds to the others, and only then is the work done.
"""

import hashlib
import json
import re
from typing import Any

from .. import layout
from ..exchange import ask
from ..eyes import ABSENT, Eyes, State
from ..garage import LOOK_SECONDS, Garage, NotReady, Record, look, wait_for
from ..hands import Hands
from ..trouble import Trouble
from ..work import Work
from .kind import Kind

Item = dict[str, Any]
OURS, LEADS = "fedikit", "leads"
GIGABYTE = 10**9


class ClusterKind(Kind):
    def observe(self, eyes: Eyes, item: Item) -> State:
        try:
            return look(eyes, item, lambda garage: _state(garage, item))
        except NotReady as reason:
            return {**ABSENT, "installed": False, "why": str(reason)}

    def differences(self, item: Item, state: State, done: str) -> list[str]:
        if state["type"] == "absent":
            return [state.get("why", "absent")]
        if not item["members"]:
            return []
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
        if id := _unknown_id(item, state["roles"]):
            named = f'[policies.bucket.nodes] {item["host"]} = "{id}"'
            return f"Garage has objects here under an id that the other hosts do not know: name it, {named}"
        if leader := state["leader"]:
            return f"this Garage is led by {leader}, where its buckets are made: name {leader} first of its hosts"
        return ""

    def converge(self, hands: Hands, item: Item, work: Work) -> None:
        garage = wait_for(hands, item, lambda garage: garage.call("GetClusterLayout"))  # it need not have one
        if item["members"]:
            hands.take_long("garage", seconds=item["deadline"])
            self._spread(garage, item, work)

    def _spread(self, garage: Garage, item: Item, work: Work) -> None:
        nodes = _nodes(garage, item, work.content(item).decode())
        present, wanted = _roles(garage, item["host"]), _wanted(item)
        changed = [host for host, role in wanted.items() if _change(host, present.get(host), role)]
        leaving = sorted(_ours(present) - wanted.keys())
        if changed or leaving:
            layout.meet(garage, {host: nodes[host] for host in wanted if host != item["host"]})
            layout.settle(garage, quiet=0, seconds=item["deadline"])
            gone = layout.unreachable(garage, [present[host]["id"] for host in leaving], item["copies"])
            changes = [{"id": nodes[host].partition("@")[0], **wanted[host]} for host in changed]
            changes += [{"id": present[host]["id"], "remove": True} for host in leaving]
            layout.apply(garage, changes, gone)
        quiet = layout.QUIET_SECONDS if _moves_data(present, wanted) else 0
        layout.settle(garage, quiet=quiet, seconds=item["deadline"])
        work.entry["done"] = _fingerprint(item)

    def remove(self, hands: Hands, item: Item, work: Work) -> str:
        """Nodes keep their roles: where Garage leaves all its hosts there is nowhere to move data to."""
        return ""


KIND = ClusterKind()


def is_led_elsewhere(garage: Garage) -> bool:
    """Whether another node makes the buckets of this one's cluster."""
    own = _own_id(garage)
    return any(LEADS in role["tags"] and role["id"] != own for role in garage.call("GetClusterLayout")["roles"])


def _unknown_id(item: Item, roles: dict[str, Record]) -> str:
    """The id of a Garage that was alone so far, if it is to be one of several and is not known by it."""
    own = roles.get(item["host"])
    if own is None or len(roles) > 1 or len(item["members"]) < 2 or LEADS in own["tags"]:
        return ""
    known = {member["id"] for member in item["members"] if isinstance(member["id"], str)}
    return "" if own["id"] in known else str(own["id"])


def _leader(garage: Garage, roles: dict[str, Record], item: Item) -> str:
    """The host in whose place this one may not lead; one that is gone may be followed."""
    others = {role["id"]: host for host, role in roles.items() if LEADS in role["tags"] and host != item["host"]}
    if not others:
        return ""
    kept = {id for id, host in others.items() if host in {member["host"] for member in item["members"]}}
    return next((others[id] for id in others if id in kept | layout.ids_up(garage)), "")


# What is there, and what is wanted


def _state(garage: Garage, item: Item) -> State:
    if not item["members"]:  # what the first host changes meanwhile makes no plan of this one stale
        return {"type": "cluster", "copies": _copies(garage), "roles": {}, "leader": ""}
    roles = _roles(garage, item["host"])
    return {"type": "cluster", "copies": _copies(garage), "roles": roles, "leader": _leader(garage, roles, item)}


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
