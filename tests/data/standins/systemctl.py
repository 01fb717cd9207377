"""A stand-in for systemctl: units are files in the folder `units` beside this program, `active` or `inactive`.

What else is to be shown of a unit stands in a file of its name with `.json`. `trap` is as restic's stand-in has it, and
`broken` names a unit that does not start. A drop-in that asserts that a path is not there is heeded, once systemd was
told to read its files again.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent
UNITS = HERE / "units"
LOG = HERE / "systemctl.log"


def fence_of(unit):
    """The path that must not be there, of drop-ins that were read."""
    read = HERE / "read"
    lines = [line.split(" ", 1) for line in read.read_text().splitlines()] if read.exists() else []
    return next((Path(path) for name, path in lines if name == unit), None)


def reload():
    folder = Path((HERE / "folder").read_text())
    found = [
        f"{drop_in.parent.name.removesuffix('.d')} {line.partition('=!')[2]}\n"
        for drop_in in folder.glob("*.d/*.conf")
        for line in drop_in.read_text().splitlines()
        if line.startswith("AssertPathExists=!")
    ]
    (HERE / "read").write_text("".join(found))


def show(unit, name):
    there = (UNITS / unit).exists()
    moments = HERE / f"{unit}.json"
    answers = json.loads(moments.read_text()) if moments.exists() else {}
    answers |= {
        "LoadState": "loaded" if there else "not-found",
        "ActiveState": (UNITS / unit).read_text().split()[0] if there else "inactive",
        "AssertResult": "no" if (HERE / f"refused-{unit}").exists() else "yes",
    }
    print(answers[name])


def spring_trap(verb):
    trap = HERE / "trap"
    name, number = trap.read_text().split() if trap.exists() else ("", "0")
    if name == verb and int(number) > 1:
        trap.write_text(f"{name} {int(number) - 1}")
    elif name == verb:
        trap.unlink()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)


def main():
    verb, *words = sys.argv[1:]
    spring_trap(verb)
    with LOG.open("a") as log:
        log.write(" ".join([verb, *words[-1:]]) + "\n")
    if verb == "daemon-reload":
        reload()
        return 0
    unit = words[-1]
    if verb == "show":
        show(unit, words[0].removeprefix("--property="))
        return 0
    if not (UNITS / unit).exists():
        print(f"Unit {unit} could not be found.", file=sys.stderr)
        return 5
    if verb == "start":
        mark, refused = fence_of(unit), HERE / f"refused-{unit}"
        if mark and mark.exists():
            refused.touch()
            print(f"Assertion failed on job for {unit}.", file=sys.stderr)
            return 1
        refused.unlink(missing_ok=True)
        if (HERE / "broken").exists() and (HERE / "broken").read_text() == unit:
            return 1
        (UNITS / unit).write_text("active")
    elif verb == "stop":
        (UNITS / unit).write_text("inactive")
    return 0
