"""Stands in for systemctl and journalctl in a directory: units have states, no process runs.

A unit is there if its file is, in the places where systemd looks. One whose ExecStart is a program called `false` fails
when it is started, as it would.
"""

import configparser
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MEMORY = ROOT / "run/simulated-systemd.json"
PLACES = ("etc/systemd/system", "usr/lib/systemd/system")
QUADLETS = "etc/containers/systemd"
NO_SUCH_UNIT = 5
NO_SUCH_FILE = 1
Units = dict[str, dict[str, Any]]


def main(words: list[str]) -> int:
    """Carries out one command line."""
    options = [word for word in words if word.startswith("-")]
    verb, *names = [word for word in words if not word.startswith("-")]
    if "--property" in options:
        wanted, *names = names
        return show(wanted.split(","), names)
    units = remembered()
    status = max([VERBS[verb](units, name) for name in names] or [daemon_reload(units)])
    MEMORY.parent.mkdir(exist_ok=True)
    draft = MEMORY.with_name(f".{MEMORY.name}.{os.getpid()}")
    draft.write_text(json.dumps(units))
    draft.replace(MEMORY)  # others read it meanwhile
    return status


def remembered() -> Units:
    """The state of each unit, as systemd has it in mind; and whether it is enabled, which is on the disk."""
    units: Units = json.loads(MEMORY.read_text()) if MEMORY.exists() else {}
    return units


def file_of(name: str) -> Path | None:
    """Where the unit's file is, or the file that a generator makes it of."""
    made_of = name.removesuffix(".service")
    places = [*(ROOT / place / name for place in PLACES), ROOT / QUADLETS / f"{made_of}.container"]
    return next((place for place in places if place.exists()), None)


def mask_of(name: str) -> str:
    """systemd's word for a unit that is masked: one that a link to /dev/null stands for; `-runtime` until the boot."""
    masks = {"masked": ROOT / PLACES[0] / name, "masked-runtime": ROOT / "run/systemd/system" / name}
    return next((word for word, place in masks.items() if place.is_symlink() and os.readlink(place) == "/dev/null"), "")


def digest_of(name: str) -> str:
    """What its file says; nothing if there is none."""
    place = file_of(name)
    return hashlib.sha256(place.read_bytes()).hexdigest() if place else ""


def unit(units: Units, name: str) -> dict[str, Any]:
    """A unit's state; one that is looked at for the first time is read."""
    return units.setdefault(name, {"active": "inactive", "enabled": False, "loaded": digest_of(name)})


def show(wanted: list[str], names: list[str]) -> int:
    """Prints properties, unit by unit."""
    units = remembered()
    blocks = []
    for name in names:
        known = unit(units, name)
        values = {
            "Id": name,
            "LoadState": "masked" if mask_of(name) else "loaded" if digest_of(name) else "not-found",
            "LoadError": "",
            "ActiveState": known["active"],
            "SubState": "running" if known["active"] == "active" else "dead",
            "UnitFileState": mask_of(name)
            or (("enabled" if known["enabled"] else "disabled") if digest_of(name) else ""),
            "Result": "exit-code" if known["active"] == "failed" else "success",
            "NRestarts": "0",
            "StateChangeTimestampMonotonic": "0",
            "CanReload": "yes" if "ExecReload" in section(name, "Service") else "no",
            "NeedDaemonReload": "yes" if known["loaded"] != digest_of(name) else "no",
            "TimeoutStartUSec": "1min 30s",
            "TimeoutStopUSec": "1min 30s",
        }
        blocks.append("".join(f"{property}={values[property]}\n" for property in wanted if property in values))
    print("\n".join(blocks), end="")
    return 0


def section(name: str, title: str) -> dict[str, str]:
    """A section of the unit's file."""
    place = file_of(name)
    if place is None or place.suffix == ".container":
        return {}
    parser = configparser.RawConfigParser(strict=False, interpolation=None, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(place.read_text())
    return dict(parser[title]) if parser.has_section(title) else {}


def start(units: Units, name: str) -> int:
    """Starts a unit, if there is one that can be."""
    if not digest_of(name):
        return refused(f"Unit {name} not found.", NO_SUCH_UNIT)
    program = (section(name, "Service").get("ExecStart") or "").split(" ")[0].lstrip("-+!:@")
    fails = Path(program).name == "false"
    unit(units, name)["active"] = "failed" if fails else "active"
    return refused(f"Job for {name} failed.", 1) if fails else 0


def stop(units: Units, name: str) -> int:
    """Stops a unit."""
    if not digest_of(name) and unit(units, name)["active"] != "active":
        return refused(f"Unit {name} not loaded.", NO_SUCH_UNIT)
    unit(units, name)["active"] = "inactive"
    return 0


def reload(units: Units, name: str) -> int:
    """Has a running unit read its files again."""
    return 0 if unit(units, name)["active"] == "active" else refused(f"{name} is not active, cannot reload.", 1)


def enable(units: Units, name: str) -> int:
    """Has it start at boot."""
    if not digest_of(name):
        return refused(f"Failed to enable unit: Unit file {name} does not exist.", NO_SUCH_FILE)
    unit(units, name)["enabled"] = True
    return 0


def disable(units: Units, name: str) -> int:
    """Has it not start at boot."""
    unit(units, name)["enabled"] = False
    return 0


def reset_failed(units: Units, name: str) -> int:
    """Forgets that it failed."""
    known = unit(units, name)
    known["active"] = "inactive" if known["active"] == "failed" else known["active"]
    return 0 if digest_of(name) else refused(f"Unit {name} not loaded.", 1)


def daemon_reload(units: Units) -> int:
    """Reads all files anew; what has none and does not run is forgotten."""
    for name in list(units):
        units[name]["loaded"] = digest_of(name)
        if not units[name]["loaded"] and units[name]["active"] != "active":
            del units[name]
    return 0


def refused(words: str, status: int) -> int:
    print(words, file=sys.stderr)
    return status


VERBS = {
    "start": start,
    "restart": start,
    "stop": stop,
    "reload": reload,
    "enable": enable,
    "disable": disable,
    "reset-failed": reset_failed,
}

if __name__ == "__main__":
    if Path(sys.argv[0]).name == "journalctl":
        print("services in a directory are simulated: they write no journal")
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
