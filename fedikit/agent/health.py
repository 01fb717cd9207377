"""How well that is what fedikit holds here. Gets eyes only, and asks nobody but this host.

units         each unit of ours, and what each timer of ours starts: what systemd says of it
drift         what else is no longer as it was left, in words
disks         how full the disks are that bear the system, containers and data
certificates  those of Caddy for sites of ours, as they lie there
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from .blobs import Blobs
from .closed import closed_here
from .disk_space import disks
from .eyes import Eyes
from .kinds import by_kind, kind_of
from .kinds.kind import Kind
from .ledger import Ledger, Record
from .trouble import Trouble
from .walk import Barred

Item = dict[str, Any]
COMPARED_BYTES = 1 << 20
"""How long a file may be for its lines to be counted."""
CERTIFICATES = "/var/lib/caddy/.local/share/caddy/certificates"
LARGEST_CERTIFICATE = 16 * 1024
MOST_CERTIFICATES = 500


def health_of(eyes: Eyes, ledger: Ledger) -> Record:
    """Everything that is known of it."""
    held = [entry for entry in ledger.entries.values() if entry["state"] == "held"]
    silent = _look_ahead(eyes, [entry["item"] for entry in held])
    blobs = Blobs(os.path.join(ledger.home, "store"))
    closed = {id: id in one.reads for one in closed_here(eyes, ledger) for id in one.ids}
    units = [entry for entry in held if kind_of(entry["item"]).unit(entry["item"])]
    others = [entry for entry in held if not kind_of(entry["item"]).unit(entry["item"])]
    return {
        "units": _units(eyes, units, closed),
        "drift": [moved for entry in others if (moved := _moved(eyes, entry, blobs, silent))],
        "disks": disks(eyes.root),
        "certificates": dict(_certificates(eyes, held)),
    }


def _look_ahead(eyes: Eyes, items: list[Item]) -> dict[Kind, str]:
    """Looks in one go at all that are alike; of those that cannot be looked at, why."""
    silent = {}
    for kind, alike in by_kind(items):
        eyes.say_alive()
        try:
            kind.look_ahead(eyes, alike)
        except (Trouble, OSError) as error:
            silent[kind] = str(error)
    return silent


# Units


def _units(eyes: Eyes, entries: list[Record], closed: Mapping[str, bool]) -> list[Record]:
    """As systemd tells of each; what a timer starts is no item, and is told of where there is such a unit.

    What is `closed` is not asked for more; by its id, whether it may go on for readers.
    """
    ours = {entry["item"]["name"]: entry for entry in entries}
    started = {f"{name.removesuffix('.timer')}.service" for name in ours if name.endswith(".timer")} - ours.keys()
    eyes.look_at_units([*ours, *sorted(started)])
    told = [_unit(eyes, name, entry, closed) for name, entry in ours.items()]
    besides = [{"name": name, **eyes.condition(name), "reasons": []} for name in sorted(started)]
    return told + [unit for unit in besides if unit["state"] != "missing"]


def _unit(eyes: Eyes, name: str, entry: Record, closed: Mapping[str, bool]) -> Record:
    """One that is closed is to be down; should it run all the same, that is told."""
    condition, id = eyes.condition(name), entry["item"]["id"]
    if id not in closed:
        return {"name": name, **condition, "reasons": _reasons(eyes, entry)}
    if condition["state"] in ("active", "activating", "reloading"):
        reasons = [] if closed[id] else ["runs although its application is closed"]
        return {"name": name, **condition, "reasons": reasons}
    return {"name": name, **condition, "state": "closed", "reasons": []}


# Drift


def _moved(eyes: Eyes, entry: Record, blobs: Blobs, silent: dict[Kind, str]) -> Record | None:
    """An item that no longer holds, with what differs."""
    item = entry["item"]
    if words := silent.get(kind_of(item)):
        return {"id": item["id"], "reasons": [words]}
    reasons = [_counted(eyes, item, blobs) if reason == "content" else reason for reason in _reasons(eyes, entry)]
    return {"id": item["id"], "reasons": reasons} if reasons else None


def _reasons(eyes: Eyes, entry: Record) -> list[str]:
    item, kind = entry["item"], kind_of(entry["item"])
    eyes.say_alive()
    try:
        state = kind.observe(eyes, item)
        conflict = kind.conflict(item, state)
        return [conflict] if conflict else list(kind.differences(item, state, entry.get("done") or ""))
    except (Trouble, OSError) as error:
        return [str(error)]


def _counted(eyes: Eyes, item: Item, blobs: Blobs) -> str:
    """How many lines came and went, where that may be told and can be."""
    sha256 = item.get("sha256", "")
    if not sha256 or not blobs.has(sha256) or blobs.size(sha256) > COMPARED_BYTES:
        return "content"
    there = eyes.beginning(item["path"], COMPARED_BYTES)
    if there is None:
        return "content"
    was, present = _lines(blobs.read(sha256)), _lines(there)
    return f"content: +{_more(present, was)} −{_more(was, present)} lines"


def _lines(content: bytes) -> dict[bytes, int]:
    counts: dict[bytes, int] = {}
    for line in content.splitlines():
        counts[line] = counts.get(line, 0) + 1
    return counts


def _more(some: dict[bytes, int], others: dict[bytes, int]) -> int:
    return sum(max(0, count - others.get(line, 0)) for line, count in some.items())


# Certificates


def _certificates(eyes: Eyes, held: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """By the site's name; the newest by name of authority, should there be several."""
    files = (os.path.basename(entry["item"].get("path", "")) for entry in held)
    sites = sorted({name.removesuffix(".caddy") for name in files if name.endswith(".caddy")})
    with suppress(Barred, OSError):
        for authority in eyes.names(CERTIFICATES):
            for site in sites[:MOST_CERTIFICATES]:
                content = eyes.beginning(f"{CERTIFICATES}/{authority}/{site}/{site}.crt", LARGEST_CERTIFICATE)
                if content:
                    yield site, content.decode(errors="replace")
