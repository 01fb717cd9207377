"""Acts on the layout of Garage, which says who has which role: one version at a time.

A version that is replaced stays at work until all tables have followed (`Draining` in Garage's history of the layout).
Blocks follow later: a node looks for one at most twice the RPC timeout after it heard that it should have it. Our
policy makes that 10 s; Garage's own is 5 minutes, for which an application would wait when a host was cut off.
"""

import time

from .garage import PAUSE_SECONDS, Garage, Record
from .trouble import Trouble

MEETING_SECONDS = 600
STALLED_SECONDS = 1800
QUIET_SECONDS = 25


def meet(garage: Garage, nodes: dict[str, str]) -> None:
    """Waits until all nodes are seen: they may be starting just now."""
    deadline = time.monotonic() + MEETING_SECONDS
    while away := [host for host, node in nodes.items() if node.partition("@")[0] not in ids_up(garage)]:
        told = garage.call("ConnectClusterNodes", body=[nodes[host] for host in away])
        errors = [str(result["error"]) for result in told if not result["success"]]
        if errors and time.monotonic() > deadline:
            raise Trouble(
                f"Garage does not reach {', '.join(away)}, waited {MEETING_SECONDS} s for it",
                hint="does garage.service run there, and does port 3901 answer this host?",
            )
        time.sleep(PAUSE_SECONDS)


def ids_up(garage: Garage) -> set[str]:
    """The nodes that this one sees, and itself."""
    return {node["id"] for node in garage.call("GetClusterStatus")["nodes"] if node["isUp"]}


def unreachable(garage: Garage, ids: list[str], copies: int) -> list[str]:
    """Those that leave and do not answer; trouble if what they hold may be nowhere else.

    With three copies, a quorum of the others has all of it, and Garage goes on without them.
    """
    gone = sorted(set(ids) - ids_up(garage))
    if gone and copies < 3:
        raise Trouble(
            "a host leaves that does not answer, so that its data cannot follow",
            hint="start it and do the same again; if it is lost, see docs/services/garage.md: Hosts that are lost",
        )
    return gone


def apply(garage: Garage, changes: list[Record], gone: list[str]) -> None:
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


def settle(garage: Garage, *, quiet: float, seconds: float) -> None:
    """Waits until the layout is the only one at work and, for as long as `quiet`, no node has looked for a block.

    It may take so many seconds, but not stand still for long.
    """
    began = since = moved = time.monotonic()
    last = ""
    while (busy := still_moving(garage)) or time.monotonic() - since < quiet:
        now = time.monotonic()
        since = now if busy else since
        moved = moved if busy == last else now
        if busy and (now - moved > STALLED_SECONDS or now - began > seconds):
            raise Trouble(
                f"Garage's data is not where it belongs after {(now - began) / 60:.0f} minutes: {busy}",
                hint="are all its hosts up? `garage status` and `garage worker list` say more; then do the same again",
            )
        last = busy
        time.sleep(PAUSE_SECONDS)


def still_moving(garage: Garage) -> str:
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
